# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All databases of an application as one: they are copied and restored together."""

from __future__ import annotations

from typing import Iterator

from ansible_collections.selfhost.flask.plugins.module_utils.database.database import Database
from ansible_collections.selfhost.flask.plugins.module_utils.database.dump import join

NAMED = "%s of %s"  # a table among those of several databases


class Several(Database):
    """More than one database, in one dump."""

    kind = "several"

    def __init__(self, databases: list) -> None:
        super().__init__(" and ".join(one.name for one in databases))
        self.databases = databases

    def members(self) -> list:
        return self.databases

    def tables(self) -> dict:
        return {NAMED % (table, one.name): rows for one in self.databases for table, rows in one.tables().items()}

    def revision(self) -> list:
        return sorted({revision for one in self.databases for revision in one.revision()})

    def schema(self) -> dict:
        return {NAMED % (table, one.name): columns for one in self.databases for table, columns in one.schema().items()}

    def content(self) -> Iterator[bytes]:
        return join(self.databases)

    def size(self) -> int:
        return sum(one.size() for one in self.databases)

    def folders(self) -> list:
        return [folder for one in self.databases for folder in one.folders()]

    def summarise(self, parts: list) -> dict:
        tables = {NAMED % (table, part["database"]): rows for part in parts for table, rows in part["tables"].items()}
        revision = sorted({revision for part in parts for revision in part["revision"]})
        return dict(kind=self.kind, database=self.name, revision=revision, tables=tables, parts=parts)


def pairs_of(database: Database) -> list:
    """What databases_at needs to find it again."""
    return [[one.kind, one.name] for one in database.members()]


def as_one(databases: list) -> Database | None:
    return databases[0] if len(databases) == 1 else Several(databases) if databases else None
