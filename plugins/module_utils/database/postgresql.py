# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps and restorations of a database of this host's PostgreSQL server."""

from __future__ import annotations

import glob
import json
import os
import re
import shlex
import shutil
from typing import BinaryIO, Iterator

from ansible_collections.selfhost.flask.plugins.module_utils.common.stream import output_of
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import VERSION_TABLE, Database, DatabaseError
from ansible_collections.selfhost.flask.plugins.module_utils.database.postgresql_client import (
    ADMIN,
    CLIENT,
    EXTENSIONS,
    address,
    ask,
    checked,
    literal,
    major_version,
    person_argv,
    program_of,
    quoted,
)
from ansible_collections.selfhost.flask.plugins.module_utils.database.postgresql_load import (
    COMPLETE,
    HEADER,
    LISTED,
    REPLACED,
    TRIED,
    Loader,
    Schemas,
    shown,
)
from ansible_collections.selfhost.flask.plugins.module_utils.database.postgresql_login import PostgreSQLLogin
from ansible_collections.selfhost.flask.plugins.module_utils.database.url import Address

MAJORS = range(13, 31)  # of which one is on a host: 14 on Ubuntu 22.04, 17 on Debian 13
SETTINGS = "/etc/postgresql/*/main/conf.d/selfhost.conf"
QUALIFIED = re.compile(r"^(?:public|%s)\." % EXTENSIONS)  # a copy may move an extension, and with it its types
IN_THE_WAY = (
    "The extension %s is in the application's own schema %s and can't be moved to another one, so that no copy of the database "
    "%s could be restored. Name it in flask_database_extensions, and remove what the application has of it."
)
# Nothing but what the application itself can make again: without rights, owners, and what only a superuser has made.
WHAT = ("--no-owner", "--no-privileges", "--no-tablespaces", "--no-password", "--extension=plpgsql", "-b")


def unit_of(major: int) -> str:
    return "postgresql@%d-main.service" % major


def has_cluster(major: int) -> bool:
    return os.path.isdir("/etc/postgresql/%d/main" % major)


class PostgreSQL(Database):
    """A database of this host's PostgreSQL server, which knows its administrator by the system user."""

    kind = "postgresql"
    units = tuple(map(unit_of, sorted(MAJORS, key=has_cluster, reverse=True)))
    login = PostgreSQLLogin

    @classmethod
    def is_set_up(cls) -> bool:
        """Another server's pg_hba.conf lets nobody load a copy."""
        return bool(glob.glob(SETTINGS))

    @classmethod
    def shuts_out(cls, address: Address, entrances: dict) -> str:
        """Its role's pg_hba.conf has no place for others, and its server listens to its socket alone."""
        begin = ["host" if address.host else "local", address.name, address.user or address.name]
        needed = []
        if not any(line.split()[:3] == begin for line in entrances.get("hba", [])):
            line = " ".join([*begin, "samehost scram-sha-256" if address.host else "peer"])
            needed.append("postgresql_hba: ['%s']" % line)
        if address.host and not set(re.split(r"[,\s]+", entrances.get("listen_addresses", ""))) & {"localhost", "127.0.0.1", "*"}:
            needed.append("postgresql_settings: {listen_addresses: localhost}")
        return " and ".join(needed)

    @classmethod
    def may_be_used(cls, name: str, accounts: list) -> bool:
        """Whether it belongs to one of the accounts."""
        owners = ", ".join(literal(one) for one in accounts if one)
        return ask(
            "SELECT 1 FROM pg_database WHERE datname = %s AND pg_get_userbyid(datdba) IN (%s)" % (literal(name), owners)
        ) == [["1"]]

    @classmethod
    def check_names(cls, *names: str) -> None:
        for name in names:
            checked(name)

    @classmethod
    def client(cls, address: Address, password: str) -> tuple:
        return person_argv(address), {"PGPASSWORD": password} if password else {}

    def ask(self, query: str) -> list:
        """The rows of an answer, as lists of texts."""
        return ask(query, self.name)

    def _listed(self) -> list:
        """(schema, name) of each table that is the application's."""
        return [tuple(row) for row in self.ask(LISTED)]

    def tables(self) -> dict:
        names = self._listed()
        counts = " UNION ALL ".join(
            "SELECT %s, COUNT(*) FROM %s.%s" % (literal(shown(*name)), *map(quoted, name)) for name in names
        )
        return {name: int(rows) for name, rows in self.ask(counts)} if names else {}

    def revision(self) -> list:
        if ("public", VERSION_TABLE) not in self._listed():
            return []
        return sorted(row[0] for row in self.ask("SELECT version_num FROM public.%s" % VERSION_TABLE))

    def schema(self) -> dict:
        found = {shown(*name): {} for name in self._listed()}
        rows = self.ask(
            "SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a "
            "JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p') ORDER BY 1, 2, a.attnum"
        )
        for schema, table, column, kind in rows:
            if shown(schema, table) in found:
                found[shown(schema, table)][column] = QUALIFIED.sub("", kind)
        return found

    def size(self) -> int:
        return int(self.ask("SELECT pg_database_size(current_database())")[0][0])

    def is_there(self) -> bool:
        query = "SELECT COUNT(*) FROM pg_database WHERE datname = %s" % literal(self.name)
        return bool(shutil.which(CLIENT)) and ask(query) != [["0"]]

    def remove(self) -> None:
        """The database itself last: where it is, the rest is looked for. Who is connected to one is cut off."""
        for name in (self.name + TRIED, self.name):
            ask("DROP DATABASE IF EXISTS %s WITH (FORCE)" % quoted(name))

    def by_hand(self) -> str:
        return "sudo -u %s dropdb %s" % (ADMIN, shlex.quote(checked(self.name)))

    def _extensions(self, schemas: Schemas) -> list:
        """[name, schema] of those that the database has; a schema that a restoration replaces has none from here on."""
        query = (
            "SELECT extname, nspname, extrelocatable FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace "
            "WHERE nspname <> 'pg_catalog' ORDER BY extname"
        )
        for name, schema, is_movable in self.ask(query):
            if schema in schemas.own:
                if is_movable != "t" or EXTENSIONS not in schemas.others:
                    raise DatabaseError(IN_THE_WAY % (name, schema, self.name))
                self.ask("ALTER EXTENSION %s SET SCHEMA %s" % (quoted(name), EXTENSIONS))
        return [row[:2] for row in self.ask(query)]

    def content(self) -> Iterator[bytes]:
        """A line that says what it needs, and the statements that make it."""
        major, schemas = major_version(), Schemas.of(self.name)
        needs = {"version": major, "extensions": self._extensions(schemas)}
        yield HEADER + json.dumps(needs).encode() + b"\n"
        left_out = ["--exclude-schema=" + quoted(name) for name in schemas.others] + ["--exclude-schema=*" + REPLACED]
        last = b""
        for piece in output_of([program_of(major, "pg_dump"), *WHAT, *left_out, *address(self.name)], ADMIN):
            last = (last + piece)[-200:]
            yield piece
        if COMPLETE not in last:
            raise DatabaseError("pg_dump did not come to its end")

    def load(self, dump: BinaryIO, manifest: dict, scratch: bool) -> None:
        """In one transaction, beside what is there, which readers go on reading until it ends."""
        Loader(self.name, self.user, scratch).load(dump, manifest)
