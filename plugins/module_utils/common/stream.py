# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is too large for the memory: what programs read and write, in pieces, and compressed files."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
from typing import BinaryIO, Iterator

from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError, as_user, held

BLOCK = 1 << 20


def output_of(argv: list, user: str = "") -> Iterator[bytes]:
    """A program's output in pieces; CommandError where it fails in the end."""
    with _started(argv, user, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        yield from iter(lambda: process.stdout.read(BLOCK), b"")
        said = process.stderr.read()
    _check(process, argv, said)


def feed(argv: list, source: BinaryIO, user: str = "", mark: bytes = b"") -> None:
    """Gives a program the source's content to its end, or to a line that marks one."""
    process = _started(argv, user, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        _copy(source, process.stdin, mark)
    except BrokenPipeError:
        pass  # it says itself why it has ended
    _check(process, argv, process.communicate()[1])


def _started(argv: list, user: str, **streams: int) -> subprocess.Popen:
    return subprocess.Popen(as_user(argv, user), stderr=subprocess.PIPE, pass_fds=held, **streams)


def _check(process: subprocess.Popen, argv: list, said: bytes) -> None:
    if process.returncode:
        last = said.decode("utf-8", "replace").strip()[-2000:]
        raise CommandError("`%s` ended with exit code %d: %s" % (argv[0], process.returncode, last))


def _copy(source: BinaryIO, target: BinaryIO, mark: bytes) -> None:
    if not mark:
        return shutil.copyfileobj(source, target, BLOCK)
    for line in source:
        if line == mark:
            return None
        target.write(line)
    return None


def write_compressed(path: str, pieces: Iterator[bytes]) -> str:
    """Writes a file that root alone can read; its checksum."""
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=3, mtime=0) as packed:
            for piece in pieces:
                packed.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return digest_of(path)


def digest_of(path: str) -> str:
    """A file's checksum."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()
