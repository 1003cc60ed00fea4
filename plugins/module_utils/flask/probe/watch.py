# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an application does to databases while it is loaded, also if it swallows what came of that.

Part of what is sent to the application's own interpreter; see questions.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import signal
import socket
import sys
from typing import Callable

# The web, mail, names, queues, caches, a search engine: servers without tables that an application could change.
NO_DATABASE = {25, 53, 80, 443, 465, 587, 4369, 5672, 6379, 9200, 11211}
NO_DATABASE_PATHS = ("/dev/log", "/run/systemd", "/run/redis", "/var/run/redis", "/run/memcached")
DRIVERS = ("MySQLdb", "pymysql", "mysql.connector", "psycopg2", "psycopg")  # those in C tell the interpreter nothing
MIGRATING = {"db", "alembic", "upgrade", "migrate", "init-db", "initdb", "create_db", "create-db"}
FAMILIES = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)
PATIENCE = 10  # seconds for an application that was seen at a database: it may wait for it for ever


class Watch:
    """Listens from `begin` to `end`."""

    def __init__(self) -> None:
        self.seen = []  # what was done, each once
        self.files = []  # the SQLite files that were opened, as they were named
        self.engines = []  # SQLAlchemy's, those that were made meanwhile
        self.listens = False

    def begin(self) -> None:
        self.listens = True
        sys.addaudithook(self._hear)
        self._follow_sqlalchemy()
        for name in DRIVERS:
            self._follow_driver(name)

    def end(self) -> None:
        self.listens = False

    def note(self, what: str) -> None:
        """Something is about to be done to a database."""
        if self.listens and not self.seen:
            signal.alarm(PATIENCE)
        if self.listens and what not in self.seen:
            self.seen.append(what)

    def _hear(self, event: str, arguments: tuple) -> None:
        if self.listens and event in EVENTS:
            holds, what = EVENTS[event]
            if holds(*arguments):
                self.note(what)
                self.files += [os.fsdecode(arguments[0])] if event == OPENING else []

    def _follow_sqlalchemy(self) -> None:
        """Each engine and each of its connections, whatever its driver is."""
        try:
            from sqlalchemy.engine.base import Engine
            from sqlalchemy.engine.default import DefaultDialect
        except ImportError:
            return
        Engine.__new__ = self._keep_engine  # its __init__ is one whose arguments SQLAlchemy looks at
        follow(DefaultDialect, "connect", lambda dialect, *ignored: self._connects(dialect.name))

    def _keep_engine(self, kind: type, *ignored: object, **named: object) -> object:
        self.engines.append(object.__new__(kind))
        return self.engines[-1]

    def _connects(self, dialect: str) -> None:
        if dialect != "sqlite":  # which tells the interpreter, with the file
            self.note("connects to %s" % dialect)

    def _follow_driver(self, name: str) -> None:
        try:
            found = importlib.util.find_spec(name.partition(".")[0])
            module = importlib.import_module(name) if found else None
        except Exception:  # a driver that can't be loaded connects nowhere
            return
        if module:
            follow(module, "connect", lambda *ignored: self.note("connects by %s" % name))


def follow(owner: object, name: str, tell: Callable) -> None:
    """Tells of each call of a function before it is made."""
    function = getattr(owner, name)

    @functools.wraps(function)
    def followed(*arguments: object, **named: object) -> object:
        tell(*arguments)
        return function(*arguments, **named)

    setattr(owner, name, followed)


def opens_file(database: object, *ignored: object) -> bool:
    """Whether a SQLite database is a file, and one that could be written to."""
    name = os.fsdecode(database) if isinstance(database, (str, bytes, os.PathLike)) else ""
    return bool(name) and ":memory:" not in name and not {"mode=memory", "mode=ro"} & set(name.replace("?", "&").split("&"))


def may_be_database(connection: socket.socket, address: object) -> bool:
    """Whether who listens at an address could be a database server."""
    if connection.family not in FAMILIES or connection.type != socket.SOCK_STREAM:
        return False
    if connection.family == socket.AF_UNIX:
        return not os.fsdecode(address).startswith(NO_DATABASE_PATHS)
    return address[1] not in NO_DATABASE


def is_at_database_port(host: object, port: object, *ignored: object) -> bool:
    """The same of an address that is looked up; nobody is told of the connection where it is not found."""
    return bool(port) and str(port).isdigit() and int(port) not in NO_DATABASE


def migrates(program: object, arguments: object = (), *ignored: object) -> bool:
    """Whether another program is started that migrates, such as `flask db upgrade`."""
    words = arguments if isinstance(arguments, (list, tuple)) else [arguments or program]
    said = " ".join(os.fsdecode(word) for word in words if isinstance(word, (str, bytes, os.PathLike)))
    return bool(MIGRATING & set(said.split()))


OPENING = "sqlite3.connect"
SERVER, PROGRAM = "connects to a server that may be a database's", "starts a program that migrates"
EVENTS = {
    OPENING: (opens_file, "opens a SQLite file"),
    "socket.connect": (may_be_database, SERVER),
    "socket.getaddrinfo": (is_at_database_port, SERVER),
    "subprocess.Popen": (migrates, PROGRAM),
    "os.system": (migrates, PROGRAM),
}
