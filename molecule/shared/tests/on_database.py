"""Statements for the host's database server, whichever it has, as its administrator."""

from __future__ import annotations

from machine import APP
from testinfra.host import Host

CLIENTS = "if command -v psql >/dev/null; then runuser -u postgres -- psql -XAtq -d %s -c %s; else mysql -N %s -e %s; fi"
NAMES = "if command -v psql >/dev/null; then runuser -u postgres -- psql -XAtlq; else mysql -Ne 'SHOW DATABASES'; fi"


def statement(host: Host, sql: str) -> str:
    """What the application's database answers."""
    return host.check_output(f"cd /; {CLIENTS}", APP, sql, APP, sql)


def names(host: Host) -> str:
    """The databases that there are, with what else the client says of them."""
    return host.check_output(f"cd /; {NAMES}")
