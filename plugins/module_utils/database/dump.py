# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in a dump: one database, or several behind each other, and to which of the host's each belongs."""

from __future__ import annotations

import io
from typing import BinaryIO, Iterator

from ansible_collections.selfhost.flask.plugins.module_utils.common.stream import BLOCK


class DatabaseError(Exception):
    """What is wrong with a database or a dump."""


class Part(io.RawIOBase):
    """One database's dump within that of several: pieces behind their lengths, and a length of 0."""

    def __init__(self, dump: BinaryIO) -> None:
        super().__init__()
        self.dump = dump
        self.left = 0
        self.ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:
        if not self.left and not self.ended:
            line = self.dump.readline()
            if not line:
                raise DatabaseError("The dump does not come to its end")
            self.left = int(line, 16)
            self.ended = not self.left
        read = self.dump.readinto(memoryview(buffer)[:self.left])
        self.left -= read
        return read


def join(databases: list) -> Iterator[bytes]:
    """The dumps of several databases in one, as Part reads them."""
    for database in databases:
        for piece in filter(None, database.content()):
            yield b"%x\n" % len(piece)
            yield piece
        yield b"0\n"


def split(manifest: dict, dump: BinaryIO) -> Iterator[BinaryIO]:
    """The dump of each database, to be read one after the other."""
    if "parts" not in manifest:
        yield dump
        return
    for dummy in manifest["parts"]:
        content = io.BufferedReader(Part(dump))
        yield content
        while content.read(BLOCK):
            pass


def parts_of(manifest: dict) -> list:
    """What a dump says of each database that is in it."""
    return manifest.get("parts", [manifest])


def match(parts: list, databases: list) -> list:
    """The database that each part of a dump belongs to: that of its name, or the only other of its kind; or None."""
    found = [next((one for one in databases if (one.kind, one.name) == named(part)), None) for part in parts]
    for kind in {part["kind"] for part in parts}:
        open_parts = [number for number, part in enumerate(parts) if part["kind"] == kind and found[number] is None]
        others = [one for one in databases if one.kind == kind and one not in found]
        if len(open_parts) == len(others) == 1:
            found[open_parts[0]] = others[0]
    return found


def named(part: dict) -> tuple:
    return part["kind"], part["database"]


def assign(path: str, parts: list, databases: list) -> list:
    """(part, database) for all parts of a dump; DatabaseError where a database has none."""
    found = match(parts, databases)
    for missing in (one for one in databases if one not in found):
        kinds = " and ".join(sorted({part["kind"] for part in parts}))
        raise DatabaseError("%s is a dump of %s, and the database is %s" % (path, kinds, missing.kind))
    return list(zip(parts, found))
