# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a dump of a PostgreSQL database becomes what the application has.

A dump has code of the application's, such as the conditions of its tables, which runs when it is loaded. So a role without
any rights but the application's loads it, as the application's system user; the role is there for just so long.
"""

from __future__ import annotations

import io
import json
from typing import BinaryIO, NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError, run
from ansible_collections.selfhost.flask.plugins.module_utils.common.stream import feed
from ansible_collections.selfhost.flask.plugins.module_utils.database.dump import DatabaseError
from ansible_collections.selfhost.flask.plugins.module_utils.database.postgresql_client import (
    ask,
    literal,
    major_version,
    psql,
    quoted,
)
from ansible_collections.selfhost.flask.plugins.module_utils.database.postgresql_login import LOADER

HEADER = b"-- selfhost.flask: "
COMPLETE = b"-- PostgreSQL database dump complete"
LOADERS = "selfhost_loaders"  # pg_hba.conf lets the system user of an application log in as its loader
TRIED, REPLACED = "__tried", "__replaced"
LOCK_WAIT, ATTEMPTS = 2, 90  # seconds that old tables wait for who still reads them, and how often
# The application's tables: neither the system's, nor an extension's, nor what a restoration has replaced.
LISTED = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_|^information_schema$|__replaced$' AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
) ORDER BY 1, 2
"""
MAKE = """
DROP DATABASE IF EXISTS {0};
CREATE DATABASE {0} TEMPLATE template0 OWNER {1} ENCODING {2} LC_COLLATE {3} LC_CTYPE {4};
REVOKE CONNECT, TEMPORARY ON DATABASE {0} FROM PUBLIC;
"""
# What a dump says of itself, asked of what was loaded: a table whose rows are null was written to meanwhile.
CHECK = """
DO $selfhost$
DECLARE wanted jsonb := {wanted}; wrong text := ''; name text; found text; one record;
BEGIN
FOR one IN {listed} LOOP
    name := CASE one.nspname WHEN 'public' THEN one.relname ELSE concat(one.nspname, '.', one.relname) END;
    IF NOT wanted ? name THEN
        wrong := concat(wrong, name, ' should not be there; ');
    ELSIF wanted ->> name IS NOT NULL THEN
        EXECUTE format('SELECT count(*) FROM %I.%I', one.nspname, one.relname) INTO found;
        IF found <> wanted ->> name THEN
            wrong := concat(wrong, name, ' has ', found, ' rows instead of ', wanted ->> name, '; ');
        END IF;
    END IF;
    wanted := wanted - name;
END LOOP;
SELECT concat(wrong, string_agg(concat(key, ' is missing'), '; ')) INTO wrong FROM jsonb_object_keys(wanted) AS key;
IF wrong <> '' THEN RAISE EXCEPTION 'what was loaded differs from the dump: %', wrong; END IF;
END $selfhost$;
"""


class Schemas(NamedTuple):
    """The schemas of a database by whose they are."""

    owner: str  # the role that has the database
    own: list
    others: list  # such as the one of the extensions
    replaced: list  # by a restoration that has ended, or has died

    @classmethod
    def of(cls, database: str) -> Schemas:
        owner, is_super = ask(
            "SELECT rolname, rolsuper FROM pg_database d JOIN pg_roles r ON r.oid = datdba WHERE datname = %s" % literal(database)
        )[0]
        if is_super == "t":
            raise DatabaseError(
                "The database %s belongs to %s. `sudo -u postgres psql -c 'ALTER DATABASE \"%s\" OWNER TO …'` gives it to its "
                "application." % (database, owner, database)
            )
        rows = ask(
            "SELECT nspname, nspname = 'public' OR nspowner = datdba FROM pg_namespace, pg_database "
            "WHERE datname = current_database() AND nspname !~ '^pg_|^information_schema$' ORDER BY 1", database
        )
        own = [name for name, is_own in rows if is_own == "t"]
        return cls(
            owner, [name for name in own if not name.endswith(REPLACED)],
            [name for name, is_own in rows if is_own != "t"], [name for name in own if name.endswith(REPLACED)],
        )


class Script:
    """Texts and a dump, read one after the other."""

    def __init__(self, *sources: BinaryIO) -> None:
        self.sources = list(sources)

    def read(self, size: int) -> bytes:
        while self.sources:
            piece = self.sources[0].read(size)
            if piece:
                return piece
            self.sources.pop(0)
        return b""


class Loader:
    """Loads a dump into the application's database, or into another one to see that it could be done."""

    def __init__(self, database: str, user: str, scratch: bool) -> None:
        self.database, self.user, self.scratch = database, user, scratch
        self.role = user + LOADER
        self.target = database + TRIED if scratch else database
        self.schemas = Schemas.of(database)

    def load(self, dump: BinaryIO, manifest: dict) -> None:
        """In one transaction: others see all of it or nothing."""
        needs = read_needs(dump)
        try:
            self._prepare()
            self._add_extensions(needs)
            script = Script(io.BytesIO(self._before()), dump, io.BytesIO(self._after(manifest)))
            feed(psql(self.target, self.role), script, self.user)
            if not self.scratch:
                self._drop([name + REPLACED for name in self.schemas.own])
        finally:
            self._tidy()

    def _prepare(self) -> None:
        """Makes the role, and what it loads into, of which a restoration that died may have left something."""
        owner, role = quoted(self.schemas.owner), quoted(self.role)
        ask("DROP ROLE IF EXISTS %s; CREATE ROLE %s LOGIN IN ROLE %s, %s" % (role, role, owner, quoted(LOADERS)))
        if not self.scratch:
            return self._drop(self.schemas.replaced)
        locale = "SELECT pg_encoding_to_char(encoding), datcollate, datctype FROM pg_database WHERE datname = %s"
        (found,) = ask(locale % literal(self.database))
        ask(MAKE.format(quoted(self.target), owner, *map(literal, found)))

    def _add_extensions(self, needs: dict) -> None:
        """Most of them are a superuser's to make."""
        for name, schema in needs["extensions"]:
            ask(
                "CREATE SCHEMA IF NOT EXISTS {0}; GRANT USAGE ON SCHEMA {0} TO PUBLIC; "
                "CREATE EXTENSION IF NOT EXISTS {1} SCHEMA {0}".format(quoted(schema), quoted(name)), self.target
            )

    def _before(self) -> bytes:
        """Puts the old tables aside, which nobody but this transaction sees."""
        lines = ["BEGIN", "SET ROLE " + quoted(self.schemas.owner)]
        if not self.scratch:
            lines += ["ALTER SCHEMA %s RENAME TO %s" % (quoted(name), quoted(name + REPLACED)) for name in self.schemas.own]
            lines += ["CREATE SCHEMA public AUTHORIZATION pg_database_owner", "GRANT USAGE ON SCHEMA public TO PUBLIC"]
            lines.append("COMMENT ON SCHEMA public IS 'standard public schema'")
            lines += ["SELECT lo_unlink(oid) FROM pg_largeobject_metadata WHERE lomowner = current_user::regrole"]
        return "".join(line + ";\n" for line in lines).encode()

    @staticmethod
    def _after(manifest: dict) -> bytes:
        """Ends the transaction, if what was loaded is as the dump says of itself."""
        tables = manifest["tables"].items()
        wanted = {name: counts[1] if counts and counts[0] == counts[1] else None for name, counts in tables}
        text = CHECK.format(wanted=literal(json.dumps(wanted)), listed=LISTED)
        return (text + "COMMIT;\nANALYZE;\n").encode()

    def _drop(self, schemas: list) -> None:
        """Removes what was replaced; those who still read it, do so to their end."""
        if not schemas:
            return
        names = ", ".join(map(quoted, schemas))
        drop = "SET ROLE %s; SET lock_timeout = '%ds'; DROP SCHEMA IF EXISTS %s CASCADE"
        for attempt in range(ATTEMPTS):
            try:
                run(psql(self.target, self.role), self.user, (drop % (quoted(self.schemas.owner), LOCK_WAIT, names)).encode())
                return
            except CommandError as error:
                if "lock timeout" not in str(error):
                    raise
        # The next restoration removes it; what was loaded is good, and is used.

    def _tidy(self) -> None:
        drop = "DROP DATABASE IF EXISTS %s;\n" % quoted(self.target) if self.scratch else ""
        ask(drop + "DROP ROLE IF EXISTS %s" % quoted(self.role))


def read_needs(dump: BinaryIO) -> dict:
    """What a dump needs of a server; DatabaseError where this one has it not."""
    line = dump.readline()
    if not line.startswith(HEADER):
        raise DatabaseError("This is not a dump of PostgreSQL by this collection. Restore another backup.")
    needs, major = json.loads(line[len(HEADER):]), major_version()
    if needs["version"] > major:
        raise DatabaseError(
            "The dump is of PostgreSQL %d, and the server is PostgreSQL %d, which may not understand it. Restore it where "
            "there is PostgreSQL %d or newer." % (needs["version"], major, needs["version"])
        )
    return needs


def shown(schema: str, table: str) -> str:
    """A table as the application names it."""
    return table if schema == "public" else "%s.%s" % (schema, table)
