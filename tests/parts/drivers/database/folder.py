# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kind of database for tests alone: a folder with a file for each table, and a line for each row."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import BinaryIO, Iterator

from ansible_collections.selfhost.flask.plugins.module_utils.database.database import VERSION_TABLE, Database


class FolderDatabase(Database):
    """The name of a database is that of its folder in `top`."""

    kind = "folder"
    top = Path("/var/lib/toy-databases")

    @property
    def folder(self) -> Path:
        return self.top / self.name

    def _rows(self) -> dict:
        return {path.name: path.read_text(encoding="utf-8").splitlines() for path in sorted(self.folder.iterdir())}

    def tables(self) -> dict:
        return {name: len(rows) for name, rows in self._rows().items()}

    def revision(self) -> list:
        return self._rows().get(VERSION_TABLE, [])

    def schema(self) -> dict:
        return {name: {"line": "text"} for name in self._rows()}

    def size(self) -> int:
        return sum(path.stat().st_size for path in self.folder.iterdir())

    def is_there(self) -> bool:
        return self.folder.is_dir()

    def remove(self) -> None:
        shutil.rmtree(self.folder)

    def content(self) -> Iterator[bytes]:
        yield json.dumps(self._rows()).encode()

    def load(self, dump: BinaryIO, manifest: dict, scratch: bool) -> None:
        tables = json.loads(dump.read())
        if scratch:
            return
        for path in self.folder.iterdir():
            if path.name not in tables:
                path.unlink()
        for name, rows in tables.items():
            (self.folder / name).write_text("".join(row + "\n" for row in rows), encoding="utf-8")
