# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clients of MySQL and MariaDB: root's of this host's server, and a person's of any."""

from __future__ import annotations

import re
import shutil

from ansible_collections.selfhost.flask.plugins.module_utils.common.process import run
from ansible_collections.selfhost.flask.plugins.module_utils.database.dump import DatabaseError
from ansible_collections.selfhost.flask.plugins.module_utils.database.url import Address

CLIENT = shutil.which("mariadb") or "mysql"  # MariaDB complains of the old names
SAFE_NAME = re.compile(r"[^-'\"\\;\x00-\x1f\x7f][^'\"\\;\x00-\x1f\x7f]*")


def ask(query: str, database: str) -> list:
    """The rows of an answer, as lists of texts. What is in the query is `checked`: the client has commands of its own."""
    argv = [CLIENT, "--batch", "--skip-column-names", "--raw", "--database=" + checked(database)]
    out = run(argv, data=query.encode())
    return [line.split("\t") for line in out.decode("utf-8", "replace").splitlines()]


def checked(name: str) -> str:
    """A name that root's clients take for nothing else; whoever owns the database chooses it, or writes a .env."""
    if not SAFE_NAME.fullmatch(name):
        raise DatabaseError("The database has %r, whose name has signs that are not safe. Rename it." % name)
    return name


def person_argv(address: Address) -> list:
    """The client for a person; FileNotFoundError where there is none. This host's own server is found by its socket."""
    if shutil.which(CLIENT) is None:
        raise FileNotFoundError("The client of MySQL and MariaDB", "mariadb-client")
    place = [] if address.is_local() else ["--host=" + (address.host or "127.0.0.1")]
    place += [] if address.has_usual_port() else ["--port=%d" % address.port]
    return [CLIENT, "--user=" + address.user, *place, "--database=" + address.name]
