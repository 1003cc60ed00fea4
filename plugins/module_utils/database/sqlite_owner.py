# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the owner of a SQLite file does with it, in an interpreter of the system's own.

  FILE about                       prints {"tables": {name: rows}, "revision": […], "size": bytes}
  FILE schema                      prints {table: {column: type}}
  FILE copy                        prints a consistent copy of the file
  FILE load replace|scratch EXPECTED
                                   reads a copy from standard input, and replaces the content by it, if
                                   it is what is expected
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sqlite3
import stat
import sys
import tempfile
import time
from typing import Callable, Iterator
from urllib.parse import quote

TIMEOUT = 60
LOCKED = (5, 6)  # SQLite's codes: by another process, and by another connection of this one
HEADER = b"SQLite format 3\0"
TEMPORARY = re.compile(r"\.selfhost-(\d+)-")


def connect(path: str) -> sqlite3.Connection:
    """Without making a file that is not there."""
    return sqlite3.connect("file:%s?mode=rw" % quote(path), TIMEOUT, uri=True)


def quoted_names(connection: sqlite3.Connection) -> dict:
    """The tables, each with its name as SQL takes it."""
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    return {name: '"%s"' % name.replace('"', '""') for (name,) in connection.execute(query).fetchall()}


def schema(path: str) -> dict:
    if not os.path.exists(path):
        return {}
    with contextlib.closing(connect(path)) as connection:
        return {
            name: {row[1]: row[2] for row in connection.execute("PRAGMA table_info(%s)" % quoted)}
            for name, quoted in quoted_names(connection).items()
        }


def about(path: str) -> dict:
    if not os.path.exists(path):
        return {"tables": {}, "revision": [], "size": 0}
    with contextlib.closing(connect(path)) as connection:
        tables = {}
        for name, quoted in quoted_names(connection).items():
            tables[name] = connection.execute("SELECT COUNT(*) FROM " + quoted).fetchone()[0]
        revision = []
        if "alembic_version" in tables:
            revision = sorted(row[0] for row in connection.execute("SELECT version_num FROM alembic_version"))
    return {"tables": tables, "revision": revision, "size": os.path.getsize(path)}


def replace(target: str, source: str) -> None:
    """In one transaction, so that those who have the file open read the old content or the new one."""
    if not os.path.exists(target):
        sqlite3.connect(target).close()
    with contextlib.closing(connect(source)) as old, contextlib.closing(connect(target)) as new:
        old.backup(new, progress=give_up_at(time.monotonic() + TIMEOUT))


def give_up_at(end: float) -> Callable:
    """A copy waits for ever for who has the file locked, unless it is told not to."""

    def look(status: int, *ignored: int) -> None:
        if status in LOCKED and time.monotonic() > end:
            raise sqlite3.OperationalError("database is locked")

    return look


def is_database(path: str) -> bool:
    """Whether a file is a SQLite database, whatever its name is."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return stat.S_ISREG(os.fstat(descriptor).st_mode) and os.read(descriptor, len(HEADER)) == HEADER
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def beside(path: str) -> Iterator[str]:
    """A folder on the disk of a file; /tmp may be in the memory, and too small."""
    folder = os.path.dirname(path)
    for name in os.listdir(folder):
        owner = TEMPORARY.match(name)
        if owner and not is_running(int(owner.group(1))):  # it was killed
            shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=".selfhost-%d-" % os.getpid(), dir=folder) as made:
        yield made


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


@contextlib.contextmanager
def copied(path: str) -> Iterator[str]:
    """The path of a consistent copy; of the file itself where its owner can't write, as nobody does then."""
    if not os.access(os.path.dirname(path), os.W_OK):
        yield path
        return
    with beside(path) as folder:
        target = os.path.join(folder, "copy")
        replace(target, path)
        yield target


def copy(path: str) -> None:
    """Of a file that is not there, nothing: that is an empty database."""
    if os.path.exists(path):
        with copied(path) as target, open(target, "rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)


def load(path: str, purpose: str, expected: str) -> None:
    if not os.path.exists(path) and not any(json.loads(expected)):
        return
    with beside(path) as folder:
        source = os.path.join(folder, "copy")
        with open(source, "wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        found, (tables, revision) = about(source), json.loads(expected)
        if set(found["tables"]) != set(tables) or found["revision"] != sorted(revision):
            raise SystemExit("the copy has other tables or another revision than was said of it")
        for name, (before, after) in tables.items():
            if before == after != found["tables"][name]:
                said = (name, found["tables"][name], "" if found["tables"][name] == 1 else "s", after)
                raise SystemExit("%s has %d row%s instead of %d" % said)
        if purpose == "replace":
            replace(path, source)


def main() -> None:
    path, action, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]
    if action in ("about", "schema"):
        json.dump(about(path) if action == "about" else schema(path), sys.stdout)
    elif action == "copy":
        copy(path)
    else:
        load(path, *arguments)
