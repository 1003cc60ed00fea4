# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a database is, as a URL or the application itself says it."""

from __future__ import annotations

import os
import re
from typing import NamedTuple
from urllib.parse import unquote

from ansible_collections.selfhost.flask.plugins.module_utils.common.dotenv import read as read_dotenv
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

LOCAL = ("localhost", "127.0.0.1", "::1", "[::1]", "")
KINDS = {"mysql": "MySQL", "postgresql": "PostgreSQL", "mongodb": "MongoDB"}
PORTS = {"mysql": 3306, "postgresql": 5432, "mongodb": 27017}  # another one is another server's, such as a tunnel's end
ALIASES = {"mariadb": "mysql", "postgres": "postgresql"}
# As SQLAlchemy reads one: a password may have any sign but `@`, and a name is not unquoted.
URL = re.compile(
    r"(?P<kind>\w+)(?:\+\w+)?://(?:(?P<user>[^:/]*)(?::(?P<password>[^@]*))?@)?(?P<host>\[[^/?]+\]|[^/:?]*)(?::(?P<port>[^/?]*))?"
    r"(?:/(?P<name>[^?]*))?(?P<query>\?.*)?", re.S
)


class Address(NamedTuple):
    """Where a database is; never how to get in."""

    kind: str
    name: str = ""
    host: str = ""
    port: int = 0
    bind: str = ""
    user: str = ""

    @property
    def place(self) -> tuple:
        """What makes it the same database."""
        return self.kind, self.name, "" if self.host in LOCAL else self.host, 0 if self.has_usual_port() else self.port

    def is_local(self) -> bool:
        """Whether it is on this host."""
        if self.kind == "sqlite":
            return self.name.startswith("/")
        return bool(self.name) and self.host in LOCAL and self.has_usual_port()

    def has_usual_port(self) -> bool:
        return self.port in (0, PORTS.get(self.kind))

    def in_words(self) -> str:
        """The database as a message names it."""
        if self.kind == "unknown":
            return "what the application keeps by %s" % self.name
        if self.kind == "sqlite":
            said = "the SQLite file %s" % self.name
        else:
            said = "the %s database %s" % (KINDS.get(self.kind, self.kind), self.name)
            said += " on %s" % self.host if self.host not in LOCAL else ""
            said += " at port %d" % self.port if not self.has_usual_port() else ""
        return said + (" (bind %s)" % self.bind if self.bind else "")


def read_url(text: str) -> Address | None:
    """What a URL names; None where it is none."""
    url = URL.fullmatch(text)
    if url is None:
        return None
    kind = ALIASES.get(url.group("kind"), url.group("kind"))
    name = url.group("name") or ""
    if kind == "sqlite" and name in ("", ":memory:"):
        return None
    if kind == "sqlite":
        return Address(kind, os.path.realpath(name) if name.startswith("/") else name)
    host = host_in_query(url.group("query") or "", url.group("host"))
    port = url.group("port") or "0"
    return Address(kind, name, host, int(port) if port.isdigit() else 0, user=url.group("user") or "")


def host_in_query(query: str, host: str) -> str:
    """The host that counts: a URL can name a socket, or the folder of one, behind the database; a host, too."""
    found = re.search(r"[?&](unix_socket|host)=([^&]*)", query)
    if found is None:
        return host
    named = unquote(found.group(2))
    return "" if found.group(1) == "unix_socket" or named.startswith("/") else named


def read_password(text: str) -> str:
    """The password in a URL; an empty one where it has none."""
    url = URL.fullmatch(text)
    return unquote(url.group("password") or "") if url else ""


def address_in_env(site: Site, path: str = "") -> Address | None:
    """The database that DATABASE_URL names, in .env or in another file that is yet to be it."""
    try:
        with open(path or site.path("shared", ".env"), encoding="utf-8", errors="replace") as file:
            return read_url(read_dotenv(file.read()).get("DATABASE_URL", ""))
    except FileNotFoundError:
        return None
