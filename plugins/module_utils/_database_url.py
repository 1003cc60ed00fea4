# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which database an application has, by DATABASE_URL in its .env."""

from __future__ import annotations

import re

from ansible_collections.selfhost.flask.plugins.module_utils._database import Database
from ansible_collections.selfhost.flask.plugins.module_utils._dotenv import read as read_dotenv
from ansible_collections.selfhost.flask.plugins.module_utils._mysql import MySQL
from ansible_collections.selfhost.flask.plugins.module_utils._site import Site
from ansible_collections.selfhost.flask.plugins.module_utils._sqlite import SQLite

LOCAL = ("localhost", "127.0.0.1", "[::1]", "")
# As SQLAlchemy reads one: a password may have any sign but `@`, and a name is not unquoted.
URL = re.compile(
    r"(?P<kind>\w+)(?:\+\w+)?://(?:[^:/]*(?::[^@]*)?@)?(?P<host>\[[^/?]+\]|[^/:?]*)(?::[^/?]*)?"
    r"(?:/(?P<name>[^?]*))?(?:\?.*)?", re.S
)


def database_of(site: Site) -> Database | None:
    """The database that .env names, where it is one of this host's that can be dumped; else None."""
    try:
        with open(site.path("shared", ".env"), encoding="utf-8", errors="replace") as file:
            url = URL.fullmatch(read_dotenv(file.read()).get("DATABASE_URL", ""))
    except FileNotFoundError:
        return None
    if url is None:
        return None
    kind, host, name = url.group("kind", "host", "name")
    if kind in ("mysql", "mariadb") and name and host in LOCAL:
        return MySQL(name)
    if kind == "sqlite" and name and name.startswith("/"):
        return SQLite(name, site.name)
    return None
