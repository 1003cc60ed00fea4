# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are either as they were or as they should be, never in between."""

from __future__ import annotations

import json
import os
import tempfile


def make_folders(path: str, mode: int = 0o755) -> None:
    """Makes a folder, and for everybody to enter those above it, whatever the umask is.

    Folders that are there stay as they are.
    """
    path = os.path.abspath(path)
    if os.path.isdir(path):
        return
    make_folders(os.path.dirname(path))
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
    else:
        os.chmod(path, mode)


def sync_folder(path: str) -> None:
    """Sees that what was renamed in a folder survives the loss of the power."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_file(path: str, content: bytes, mode: int, uid: int = -1, gid: int = -1) -> None:
    """Replaces a file's content atomically.

    The mode and the owner are set before the content is written, so that a secret is at no moment
    readable by more than the final file allows. -1 leaves the owner or the group to the process.
    """
    descriptor, temporary = tempfile.mkstemp(prefix=".", suffix=".new", dir=os.path.dirname(path))
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchown(file.fileno(), uid, gid)
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def write_json(path: str, content: object, mode: int = 0o600) -> None:
    """Replaces a file's content by what programs read, and people can."""
    write_file(path, json.dumps(content, indent=2).encode() + b"\n", mode)


def read_json(path: str) -> dict | list | None:
    """What programs have written into a file; None where there is none, or something else."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (FileNotFoundError, ValueError):
        return None


def text_of(path: str) -> str:
    """A file's text; an empty one where it can't be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
