# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an application has on this host's PostgreSQL, and the statements that bring it about."""

from __future__ import annotations

from typing import Callable, Iterator, NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.database.dump import DatabaseError
from ansible_collections.selfhost.flask.plugins.module_utils.database.postgresql_client import (
    ADMIN,
    EXTENSIONS,
    ask,
    literal,
    major_version,
    quoted,
)
from ansible_collections.selfhost.flask.plugins.module_utils.database.postgresql_load import LOADERS
from ansible_collections.selfhost.flask.plugins.module_utils.database.postgresql_login import ASKED, PostgreSQLLogin

OTHER_VERSION = (
    "PostgreSQL {0} answers, and not {1}. Its data stay as they are. `sudo pg_dropcluster --stop {1} main; "
    "sudo pg_upgradecluster {0} main` moves them to {1}; to stay, set postgresql_version to '{0}'."
)
NOT_THERE = (
    "There is no extension {0} for PostgreSQL {1} on the host. Add the package that has it to postgresql_packages; "
    "`apt-cache search postgresql-{1}` names them."
)
BAD_LINE = "Line %s of pg_hba.conf is refused: %s. Nobody is let in by it. See postgresql_hba."
UNLIMITED = -1
RIGHTS = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
ROLES = """
SELECT rolname, rolcanlogin AND NOT (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls), rolconnlimit
FROM pg_roles
"""
DATABASES = """
SELECT datname, pg_get_userbyid(datdba),
EXISTS (SELECT FROM aclexplode(COALESCE(datacl, acldefault('d', datdba))) WHERE grantee = 0) FROM pg_database
"""
SEARCH_PATH = '"$user", public, %s' % EXTENSIONS
INSIDE = """
SELECT 'schema' FROM pg_namespace WHERE nspname = '{0}' UNION ALL
SELECT 'path' FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase
WHERE datname = current_database() AND setrole = 0 AND 'search_path={1}' = ANY (setconfig) UNION ALL
SELECT 'open' FROM pg_namespace WHERE nspname = 'public' AND (nspowner = 10 OR EXISTS (
    SELECT FROM aclexplode(COALESCE(nspacl, acldefault('n', nspowner))) WHERE grantee = 0 AND privilege_type = 'CREATE'))
UNION ALL SELECT 'extension ' || extname FROM pg_extension
""".format(EXTENSIONS, SEARCH_PATH)


class Wanted(NamedTuple):
    """What an application is to have."""

    name: str  # of its database, of the role that owns it, and of the system user who is let in as that
    version: int
    locale: str
    extensions: list
    password: str = ""
    sets_password: bool = True  # also of a role that is there already
    connections: int = 0  # at a time; 0 for as many as the server takes


class Step(NamedTuple):
    """A change, in words."""

    words: str
    make: Callable


class Setup:
    """Compares what is wanted with what is there."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        rows = ask(ROLES)
        self.roles = {name: is_right == "t" for name, is_right, dummy in rows}
        self.limits = {name: int(limit) for name, dummy, limit in rows}
        self.databases = {name: (owner, is_open == "t") for name, owner, is_open in ask(DATABASES)}

    def check(self) -> None:
        """DatabaseError for what no statement can put right."""
        major = major_version()
        if major != self.wanted.version:
            raise DatabaseError(OTHER_VERSION.format(major, self.wanted.version))
        known = {row[0] for row in ask("SELECT name FROM pg_available_extensions")}
        missing = [name for name in self.wanted.extensions if name not in known]
        if missing:
            raise DatabaseError(NOT_THERE.format(" and ".join(missing), major))
        for line, problem in ask("SELECT line_number, error FROM pg_hba_file_rules WHERE error IS NOT NULL LIMIT 1"):
            raise DatabaseError(BAD_LINE % (line, problem))

    def steps(self) -> list:
        """The changes, in their order."""
        return [*self._roles(), *self._password(), *self._databases(), *self._inside()]

    def _roles(self) -> Iterator[Step]:
        name = self.wanted.name
        for group in (ASKED, LOADERS):
            if group not in self.roles:
                yield statement("create the group %s" % group, "CREATE ROLE %s NOLOGIN" % group)
        if name not in self.roles:
            yield statement("create the role %s" % name, "CREATE ROLE %s %s" % (quoted(name), RIGHTS))
        elif not self.roles[name]:
            yield statement("take all other rights from the role %s" % name, "ALTER ROLE %s %s" % (quoted(name), RIGHTS))

        limit = self.wanted.connections or UNLIMITED
        if self.limits.get(name, UNLIMITED) != limit:
            words = "let the role %s have %s connections at a time" % (name, self.wanted.connections or "all")
            yield statement(words, "ALTER ROLE %s CONNECTION LIMIT %d" % (quoted(name), limit))

    def _password(self) -> Iterator[Step]:
        """A deployment changes that of its own application: the version that serves logs in with the old one."""
        login, password = PostgreSQLLogin(self.wanted.name), self.wanted.password
        if login.name not in self.roles:
            is_due = bool(password)
        else:
            is_due = self.wanted.sets_password and not login.lets_in(password)
        if is_due:
            yield Step("set how the role %s logs in" % login.name, lambda: login.allow(password))

    def _databases(self) -> Iterator[Step]:
        name, locale = self.wanted.name, literal(self.wanted.locale)
        if name not in self.databases:
            yield statement(
                "create the database %s" % name,
                "CREATE DATABASE %s OWNER %s TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE %s LC_CTYPE %s"
                % (quoted(name), quoted(name), locale, locale),
            )
        elif self.databases[name][0] != name:
            yield statement("give the database to %s" % name, "ALTER DATABASE %s OWNER TO %s" % (quoted(name), quoted(name)))
        for one in (name, ADMIN, "template1"):
            if self.databases.get(one, ("", True))[1]:
                yield statement("close the database %s to others" % one, "REVOKE ALL ON DATABASE %s FROM PUBLIC" % quoted(one))

    def _inside(self) -> Iterator[Step]:
        name = self.wanted.name
        found = {row[0] for row in ask(INSIDE, name)} if name in self.databases else {"open"}
        if "schema" not in found:
            words = "CREATE SCHEMA %s; GRANT USAGE ON SCHEMA %s TO PUBLIC" % (EXTENSIONS, EXTENSIONS)
            yield statement("create the schema %s" % EXTENSIONS, words, name)
        if "path" not in found:
            path = "ALTER DATABASE %s SET search_path = %s" % (quoted(name), SEARCH_PATH)
            yield statement("have sessions look into the schema %s" % EXTENSIONS, path, name)
        if "open" in found:
            own = "ALTER SCHEMA public OWNER TO pg_database_owner; REVOKE CREATE ON SCHEMA public FROM PUBLIC"
            yield statement("give the schema public to %s" % name, own, name)
        for one in self.wanted.extensions:
            if "extension " + one not in found:
                create = "CREATE EXTENSION IF NOT EXISTS %s SCHEMA %s CASCADE" % (quoted(one), EXTENSIONS)
                yield statement("create the extension %s" % one, create, name)


def statement(words: str, text: str, database: str = ADMIN) -> Step:
    """A change that SQL makes."""
    return Step(words, lambda: ask(text, database))
