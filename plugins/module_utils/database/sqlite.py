# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps and restorations of a database in a SQLite file."""

from __future__ import annotations

import json
import os
import shutil
from typing import BinaryIO, Iterator

from ansible_collections.selfhost.flask.plugins.module_utils.common.process import run
from ansible_collections.selfhost.flask.plugins.module_utils.common.stream import feed, output_of
from ansible_collections.selfhost.flask.plugins.module_utils.common.user_program import user_argv
from ansible_collections.selfhost.flask.plugins.module_utils.database import sqlite_owner
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import Database
from ansible_collections.selfhost.flask.plugins.module_utils.database.url import Address


class SQLite(Database):
    """A file that belongs to the application's user, who alone opens it: root follows none of its links."""

    kind = "sqlite"

    @classmethod
    def client(cls, address: Address, password: str) -> tuple:
        if shutil.which("sqlite3") is None:
            raise FileNotFoundError("The client of SQLite", "sqlite3")
        return ["sqlite3", "--", address.name], {}

    def _argv(self, *arguments: str) -> list:
        return user_argv((sqlite_owner,), self.name, *arguments)

    def _about(self) -> dict:
        return json.loads(run(self._argv("about"), self.user).decode())

    def tables(self) -> dict:
        return self._about()["tables"]

    def revision(self) -> list:
        return self._about()["revision"]

    def schema(self) -> dict:
        return json.loads(run(self._argv("schema"), self.user).decode())

    def size(self) -> int:
        return self._about()["size"]

    def folders(self) -> list:
        return [os.path.dirname(self.name)]

    def content(self) -> Iterator[bytes]:
        yield from output_of(self._argv("copy"), self.user)

    def load(self, dump: BinaryIO, manifest: dict, scratch: bool) -> None:
        expected = json.dumps([manifest["tables"], manifest["revision"]])
        feed(self._argv("load", "scratch" if scratch else "replace", expected), dump, self.user)
