# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clients of this host's PostgreSQL server, run as the system user whom its socket knows.

What a superuser asks must not run code of the application's: the search path has the system's own functions alone, and where
the server can, a table that became a view in the meantime is refused.
"""

from __future__ import annotations

import csv
import glob
import io
import os
import re
import shutil

from ansible_collections.selfhost.flask.plugins.module_utils.common.process import run
from ansible_collections.selfhost.flask.plugins.module_utils.database.dump import DatabaseError
from ansible_collections.selfhost.flask.plugins.module_utils.database.url import Address

ADMIN = "postgres"  # the system user, the role, and the database that is always there
EXTENSIONS = "extensions"  # the schema that they have for themselves, and into which every session of the application's looks
SOCKETS = "/run/postgresql"
PROGRAMS = "/usr/lib/postgresql/%d/bin/%s"
CLIENT = max(glob.glob("/usr/lib/postgresql/*/bin/psql"), default="psql")  # without Debian's wrapper in Perl
OPTIONS = ("--no-psqlrc", "--no-password", "--quiet", "--set=ON_ERROR_STOP=1")
ROWS = ("--csv", "--tuples-only")
CAREFUL = r"""SET search_path = pg_catalog;
SELECT set_config(name, 'view, foreign-table', false) FROM pg_settings
WHERE name = 'restrict_nonsystem_relation_kind' \g /dev/null
"""
SAFE_NAME = re.compile(r"[^-=:/'\"\\\s\x00-\x1f\x7f][^=:/'\"\\\x00-\x1f\x7f]*")  # libpq takes others for a whole address


def psql(database: str, role: str = ADMIN, *options: str) -> list:
    """The client, which reads statements and stops at the first that fails."""
    return [CLIENT, *OPTIONS, *options, *address(database, role)]


def address(database: str, role: str = ADMIN) -> list:
    """How any of the clients finds a database."""
    return ["--host=" + SOCKETS, "--username=" + role, "--dbname=" + checked(database)]


def ask(query: str, database: str = ADMIN) -> list:
    """The rows of an answer, as lists of texts."""
    out = run(psql(database, ADMIN, *ROWS), ADMIN, (CAREFUL + query).encode())
    return list(csv.reader(io.StringIO(out.decode("utf-8", "replace"), newline="")))


def person_argv(target: Address) -> list:
    """The client for a person; FileNotFoundError where there is none. This host's own server is found by its socket."""
    if shutil.which(CLIENT) is None:
        raise FileNotFoundError("The client of PostgreSQL", "postgresql-client")
    host = SOCKETS if target.is_local() else target.host or "127.0.0.1"
    port = [] if target.has_usual_port() else ["--port=%d" % target.port]
    return [CLIENT, "--host=" + host, *port, "--username=" + target.user, "--dbname=" + checked(target.name)]


def major_version() -> int:
    """The server's, as its packages are named."""
    return int(ask("SHOW server_version_num")[0][0]) // 10000


def program_of(major: int, name: str) -> str:
    """A program of the server's own version; one of another version may read it wrongly."""
    path = PROGRAMS % (major, name)
    if not os.access(path, os.X_OK):
        raise DatabaseError(
            "The server is PostgreSQL %d, and its %s is not on this host. Install postgresql-client-%d." % (major, name, major)
        )
    return path


def checked(name: str) -> str:
    """A database's name that clients take for nothing else."""
    if not SAFE_NAME.fullmatch(name):
        raise DatabaseError("The database %r has a name with signs that are not safe. Rename it." % name)
    return name


def quoted(name: str) -> str:
    """A name in SQL."""
    return '"%s"' % name.replace('"', '""')


def literal(text: str) -> str:
    """A text in SQL."""
    return "'%s'" % text.replace("'", "''")
