# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps and restorations of a database of this host's MySQL or MariaDB server."""

from __future__ import annotations

import io
import os
import shlex
import shutil
from typing import BinaryIO, Iterator

from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.common.stream import feed, output_of
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import (
    VERSION_TABLE,
    Database,
    DatabaseError,
    compare,
)
from ansible_collections.selfhost.flask.plugins.module_utils.database.mysql_client import (
    CLIENT,
    ask,
    checked,
    person_argv,
)
from ansible_collections.selfhost.flask.plugins.module_utils.database.mysql_login import MySQLLogin
from ansible_collections.selfhost.flask.plugins.module_utils.database.url import Address

MARK = b"-- selfhost.flask: what follows belongs to the whole database\n"
TRIED, RESTORED, REPLACED = "__tried", "__restored", "__replaced"  # databases that are there for a while
LOCK_WAIT = 2  # seconds that a swap of tables makes readers wait for a long transaction, at most
SWAPS = 90
DEFINER = "DEFINER=`%s`@`localhost`"
KINDS = ("TRIGGER", "EVENT", "PROCEDURE", "FUNCTION", "PACKAGE", "PACKAGE BODY")
DUMPER = shutil.which("mariadb-dump") or "mysqldump"
OWN_OPTIONS = [] if DUMPER.endswith("mariadb-dump") else ["--set-gtid-purged=OFF"]  # a copy is no replica


class MySQL(Database):
    """A database of this host's MySQL or MariaDB server, by root's login on its socket."""

    kind = "mysql"
    units = ("mariadb.service", "mysql.service")
    login = MySQLLogin

    @classmethod
    def may_be_used(cls, name: str, accounts: list) -> bool:
        texts = ", ".join("'%s'" % checked(one) for one in accounts if one)
        query = "SELECT COUNT(*) FROM mysql.db WHERE User IN (%s) AND '%s' LIKE Db" % (texts, checked(name))
        return ask(query, "mysql") != [["0"]]

    @classmethod
    def check_names(cls, *names: str) -> None:
        for name in names:
            checked(name)

    @classmethod
    def client(cls, address: Address, password: str) -> tuple:
        return person_argv(address), {"MYSQL_PWD": password} if password else {}

    def check(self) -> None:
        self.ask("SELECT 1")  # the revision is none as well where there is no such database
        self.revision()

    def ask(self, query: str, database: str = "") -> list:
        """The rows of an answer, as lists of texts. Queries have the database's name in them, whichever is asked."""
        checked(self.name)
        return ask(query, database or self.name)

    def _listed(self, kind: str, database: str = "") -> list:
        """The names of the views, or of what else there is: tables of all sorts, and sequences."""
        rows = self.ask(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = '%s' AND table_type %s 'VIEW' "
            "ORDER BY table_name" % (database or self.name, "=" if kind == "VIEW" else "<>"),
            "information_schema",
        )
        return [checked(row[0]) for row in rows]

    def tables(self, database: str = "") -> dict:
        names = self._listed("TABLE", database)
        counts = " UNION ALL ".join(
            "SELECT '%s', COUNT(*) FROM %s" % (name.replace("'", "''"), _quoted(name)) for name in names
        )
        return {name: int(rows) for name, rows in self.ask(counts, database)} if names else {}

    def revision(self, database: str = "") -> list:
        if VERSION_TABLE not in self._listed("TABLE", database):
            return []
        return sorted(row[0] for row in self.ask("SELECT version_num FROM %s" % VERSION_TABLE, database))

    def schema(self) -> dict:
        rows = self.ask(
            "SELECT table_name, column_name, column_type FROM information_schema.columns "
            "WHERE table_schema = '%s' ORDER BY table_name, ordinal_position" % self.name
        )
        found = {}
        for table, column, kind in (row for row in rows if len(row) == 3):
            found.setdefault(table, {})[column] = kind
        return found

    def size(self) -> int:
        rows = self.ask(
            "SELECT COALESCE(SUM(data_length + index_length), 0) FROM information_schema.tables "
            "WHERE table_schema = '%s'" % self.name
        )
        return int(float(rows[0][0]))

    def is_there(self) -> bool:
        if not shutil.which(CLIENT):
            return False
        query = "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = '%s'" % checked(self.name)
        return ask(query, "mysql") != [["0"]]

    def remove(self) -> None:
        """The database itself last: where it is, the rest is looked for."""
        checked(self.name)
        for name in (self.name + TRIED, self.name + RESTORED, self.name + REPLACED, self.name):
            ask("DROP DATABASE IF EXISTS %s" % _quoted(name), "mysql")

    def by_hand(self) -> str:
        return "sudo %s --execute=%s" % (os.path.basename(CLIENT), shlex.quote("DROP DATABASE " + _quoted(checked(self.name))))

    def content(self) -> Iterator[bytes]:
        """The tables first; then what can't be moved between databases: views, triggers, routines."""
        common = ["--single-transaction", "--quick", "--no-tablespaces", "--hex-blob"]
        common += ["--default-character-set=utf8mb4", *OWN_OPTIONS]
        tables, views, name = self._listed("TABLE"), self._listed("VIEW"), checked(self.name)
        if tables:
            yield from _dumped([DUMPER, *common, "--skip-triggers", name, *tables])
        yield MARK
        whole = ["--no-data", "--no-create-info", "--skip-opt", "--triggers", "--routines", "--events"]
        yield from _dumped([DUMPER, *common, *whole, name])
        if views:
            yield from _dumped([DUMPER, *common, name, *views])

    def load(self, dump: BinaryIO, manifest: dict, scratch: bool) -> None:
        """Into a database of its own, whose tables then take the others' places, all in one step."""
        beside, replaced = self.name + (TRIED if scratch else RESTORED), self.name + REPLACED
        self._make(beside)
        try:
            feed([CLIENT, "--database=" + checked(beside)], dump, mark=MARK)
            compare(manifest, self.tables(beside), self.revision(beside))
            if not scratch:
                self._make(replaced)
                self._swap(beside, replaced)
                feed([CLIENT, "--database=" + checked(self.name)], self._owned(dump, manifest))
        finally:
            for name in [beside] if scratch else [beside, replaced]:
                self.ask("DROP DATABASE IF EXISTS %s" % _quoted(name), "mysql")

    def _owned(self, dump: BinaryIO, manifest: dict) -> BinaryIO:
        """Views, triggers and routines that ran in the name of another application's account run in that of this one's."""
        if "account" not in manifest:
            return dump
        old, new = (DEFINER % checked(name) for name in (manifest["account"], self.user))
        return io.BytesIO(dump.read().replace(old.encode(), new.encode()))

    def _make(self, name: str) -> None:
        charset, collation = self.ask(
            "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata "
            "WHERE schema_name = '%s'" % self.name,
        )[0]
        self.ask(
            "DROP DATABASE IF EXISTS {0}; CREATE DATABASE {0} CHARACTER SET {1} COLLATE {2}".format(
                _quoted(name), charset, collation
            ),
            "mysql",
        )

    def _swap(self, beside: str, replaced: str) -> None:
        """Readers see the old tables or the new ones, and wait in between."""
        drops = self._drops()
        moves = [_move(self.name, name, replaced) for name in self._listed("TABLE")]
        moves += [_move(beside, name, self.name) for name in self._listed("TABLE", beside)]
        settings = "SET SESSION lock_wait_timeout = %d, foreign_key_checks = 0; " % LOCK_WAIT
        swap = settings + drops + ("RENAME TABLE " + ", ".join(moves) if moves else "")
        for attempt in range(SWAPS):
            try:
                return self.ask(swap)
            except CommandError as error:
                if "1205" not in str(error) or attempt == SWAPS - 1:  # another transaction still reads
                    raise

    def _drops(self) -> str:
        """Statements that remove what is not a table."""
        found = [("VIEW", name) for name in self._listed("VIEW")]
        for kind, column, table in (
            ("TRIGGER", "trigger", "triggers"), ("EVENT", "event", "events"), ("", "routine", "routines"),
        ):
            rows = self.ask(
                "SELECT %s, %s_name FROM information_schema.%s WHERE %s_schema = '%s'"
                % ("routine_type" if not kind else "'%s'" % kind, column, table, column, self.name)
            )
            found += [(row[0], checked(row[1])) for row in rows if row[0] in KINDS]
        return "".join("DROP %s IF EXISTS %s; " % (kind, _quoted(name)) for kind, name in found)


def _quoted(name: str) -> str:
    return "`%s`" % name.replace("`", "``")


def _move(source: str, table: str, target: str) -> str:
    return "{0}.{1} TO {2}.{1}".format(_quoted(source), _quoted(table), _quoted(target))


def _dumped(argv: list) -> Iterator[bytes]:
    """What mysqldump says, to the end that it marks."""
    last = b""
    for piece in output_of(argv):
        last = (last + piece)[-200:]
        yield piece
    if b"-- Dump completed" not in last:
        raise DatabaseError("mysqldump did not come to its end")
