# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands for a folder's content, so that a change by hand is noticed."""

from __future__ import annotations

import hashlib
import os
import stat

from ansible_collections.selfhost.flask.plugins.module_utils.common.files import read_json


def manifest(folder: str, *left_out: str) -> str:
    """Stands for all files of a folder as they are: names, modes, sizes, seconds of change, and links' targets.

    Their content is not read: that would take longer than everything else that a run without changes does.
    What Python compiled is left out, too.
    """
    digest = hashlib.sha256()
    for name, entry in walk(folder, *left_out):
        about = entry.stat(follow_symlinks=False)
        what = "" if stat.S_ISDIR(about.st_mode) else "%d %d" % (about.st_size, about.st_mtime)
        target = os.readlink(entry.path) if entry.is_symlink() else what
        digest.update(("%s\0%o %s\n" % (name, about.st_mode, target)).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def is_unchanged(folder: str, record: str) -> bool:
    """Whether a folder is as its record in it says; one from before that was noted is taken as it is."""
    noted = (read_json(os.path.join(folder, record)) or {}).get("files")
    return os.path.isdir(folder) and noted in (None, manifest(folder, record))


def content(folder: str, *left_out: str) -> str:
    """Stands for the content of all files of a folder, whenever they were written."""
    digest = hashlib.sha256()
    for name, entry in walk(folder, *left_out):
        target = os.readlink(entry.path) if entry.is_symlink() else ""
        digest.update(("%s\0%s\n" % (name, target)).encode("utf-8", "surrogateescape"))
        if entry.is_file(follow_symlinks=False):
            digest.update(file_digest(entry.path))
    return digest.hexdigest()


def file_digest(path: str) -> bytes:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).digest()


def walk(folder: str, *left_out: str):
    """(path in the folder, entry) of all that is in a folder, in the order of their names."""
    waiting = [""]
    while waiting:
        inner = waiting.pop()
        for entry in sorted(os.scandir(os.path.join(folder, inner)), key=lambda each: each.name):
            name = os.path.join(inner, entry.name)
            if name in left_out or entry.name == "__pycache__":
                continue
            yield name, entry
            if entry.is_dir(follow_symlinks=False):
                waiting.append(name)
