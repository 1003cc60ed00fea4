# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of an application that was loaded: which databases it has, and how its secret key is.

Part of what is sent to the application's own interpreter; see questions.
"""

from __future__ import annotations

import gc
import importlib.util
import os
import re
import sys
from typing import Callable

URL = re.compile(r"(?P<kind>[a-z]+\d?)(?:\+\w+)?://[^\s]+")
KINDS = {"mysql", "mariadb", "postgresql", "postgres", "sqlite", "oracle", "mssql", "cockroachdb", "mongodb"}
ALIASES = {"mariadb": "mysql", "postgres": "postgresql"}
MEMORY = ("", ":memory:")
PATH_KEYS = {"DATABASE", "DATABASE_PATH", "DATABASE_FILE", "DB_PATH", "SQLITE_PATH"}  # a SQLite file by its path
MAPPERS = ("peewee", "pony", "mongoengine", "pymongo", "tortoise")  # counted if the application imports them
PEEWEE = {"SqliteDatabase": "sqlite", "MySQLDatabase": "mysql", "PostgresqlDatabase": "postgresql"}  # also their subclasses
DRIVERS = ("psycopg2", "psycopg", "asyncpg", "oracledb", "pyodbc")  # counted if they are installed for it
LENGTH = 16  # characters that a key needs, so that nobody finds it by trying
# As manuals, tutorials and templates have them, of their letters and digits alone; the shorter ones are weak anyway.
WELL_KNOWN = {
    "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf", "5791628bb0b13ce0c676dfde280ba245", "5y2lf4q8z",
    "a0zr98j3yxrxhhjmnlwxrt", "asecretkeynobodyknows", "averylongsecretkey", "averysecretkey", "changethisinproduction",
    "changethissecretkey", "changethistosomethingrandom", "defaultsecretkey", "developmentkey", "developmentsecretkey",
    "devsecretkey", "devsecretkeychangeme", "hardtoguessstring", "insecuresecretkey", "iamasupersecretkey",
    "mysecretkey123456", "mysupersecretkey", "mysupersecretkey123", "pleasechangethiskey", "replacewithasecretkey",
    "supersecretkey", "supersecretkey123", "supersecretpassword", "supersecretstring", "thisisasecretkey",
    "thisisasupersecretkey", "thisshouldbesecret", "topsecretkey", "verysecretkey", "yoursecretkey", "yoursecretkeyhere",
    "yoursupersecretkey", "youshouldchangethis", "youwillneverguess", "youwillneverguess123", "youllneverguess",
}
VARIETY = 6  # signs that differ, at least


def facts_of(app: object | None, engines: list) -> dict:
    """Without any password; of one that could not be loaded, what its engines say that it has made until then."""
    try:
        databases = databases_of(app, engines)
    except Exception as error:  # of an extension that is none of those that are known here
        databases = [unknown("an extension that can't be asked (%s)" % type(error).__name__)]
    return {"databases": databases, "secret_key": key_state(app), "schedules": runs_scheduler()}


def databases_of(app: object | None, engines: list) -> list:
    """Each with its bind, kind, host, port and name, which is the path of a file; unknown where nobody can tell."""
    urls = sorted(bound_urls(app), key=lambda one: one[0]) + [("", getattr(engine, "url", None)) for engine in engines]
    found = [described(*one) for one in urls]
    found += [one for name in MAPPERS if name in sys.modules for one in mapped(name)]
    if not found and app is not None:
        found = configured(app) or [unknown(name) for name in DRIVERS if importlib.util.find_spec(name)]
    unique = {}
    for one in filter(None, found):
        unique.setdefault((one["kind"], one["host"], one["port"], one["name"]), one)
    return list(unique.values())


def unknown(name: str) -> dict:
    """A database of which only is known what speaks to it."""
    return {"bind": "", "kind": "unknown", "host": "", "port": 0, "name": name}


def mapped(name: str) -> list:
    """The databases of a mapper that is no SQLAlchemy; of peewee, those that have their name."""
    base = getattr(sys.modules[name], "Database", None) if name == "peewee" else None
    made = [one for one in gc.get_objects() if base in type(one).__mro__ and one.database] if base else []
    return [described_peewee(one) for one in made] or [unknown(name)]


def described_peewee(database: object) -> dict | None:
    """A database of peewee's by the name of its class."""
    kind = next((PEEWEE[one.__name__] for one in type(database).__mro__ if one.__name__ in PEEWEE), None)
    name, options = str(database.database), database.connect_params
    if kind is None:
        return unknown("peewee")
    if kind == "sqlite":
        return described_file("", name)
    host = "localhost" if "unix_socket" in options else options.get("host") or "localhost"
    return {"bind": "", "kind": kind, "host": host, "port": int(options.get("port") or 0), "name": name}


def bound_urls(app: object | None) -> list:
    """(bind, URL) of each engine of Flask-SQLAlchemy; its second generation has a state round the extension."""
    state = getattr(app, "extensions", {}).get("sqlalchemy")
    extension = getattr(state, "db", state)
    if extension is None:
        return []
    with app.app_context():
        if hasattr(type(extension), "engines"):
            engines = dict(extension.engines, **getattr(extension, "async_engines", {}))
            return [(bind or "", engine.url) for bind, engine in engines.items()]
        binds = [None, *(app.config.get("SQLALCHEMY_BINDS") or {})]
        return [(bind or "", url_of(app, extension.get_engine, bind)) for bind in binds]


def url_of(app: object, get_engine: Callable, bind: str | None) -> object:
    """The URL of one bind; None where it has no engine, as for an application with nothing but binds."""
    if bind is None and not app.config.get("SQLALCHEMY_DATABASE_URI"):
        return None
    return get_engine(app, bind).url


def described(bind: str, url: object) -> dict | None:
    """A URL of SQLAlchemy without what is secret in it; None where it keeps nothing."""
    if url is None:
        return None
    kind = url.drivername.partition("+")[0]
    kind = ALIASES.get(kind, kind)
    if kind == "sqlite":
        return described_file(bind, url.database or "")
    named = url.query.get("host") or url.host or ""  # libpq takes it behind the database, too: also the folder of a socket
    named = named if isinstance(named, str) else named[0]
    host = "localhost" if "unix_socket" in url.query or named.startswith("/") else named or "localhost"
    return {"bind": bind, "kind": kind, "host": host, "port": url.port or 0, "name": url.database or ""}


def described_file(bind: str, name: str) -> dict | None:
    """A SQLite file by its path without links, so that it is the same one for the next release."""
    path, dummy, query = name.partition("?") if name.startswith("file:") else (name, "", "")
    path = path[len("file:"):] if name.startswith("file:") else path
    if path in MEMORY or "mode=memory" in query:
        return None
    return {"bind": bind, "kind": "sqlite", "host": "", "port": 0, "name": os.path.realpath(path)}


def configured(app: object) -> list:
    """What the configuration of an application without an engine names."""
    found = []
    for key, value in app.config.items():
        value = os.fspath(value) if isinstance(value, os.PathLike) else value
        url = URL.fullmatch(value) if isinstance(value, str) else None
        if url and url.group("kind") in KINDS:
            found.append(described_text(value))
        elif key in PATH_KEYS and isinstance(value, str) and may_be_sqlite(value):
            found.append(described_file("", value))
    return [one for one in found if one]


def may_be_sqlite(path: str) -> bool:
    """Whether a path is of a SQLite file, or of one that is yet to be made."""
    if not os.path.isabs(path) or os.path.isdir(path):
        return False
    try:
        with open(path, "rb") as file:
            return file.read(16) in (b"", b"SQLite format 3\0")
    except FileNotFoundError:
        return True


def described_text(value: str) -> dict | None:
    """A URL that nobody has made an engine of yet."""
    try:
        from sqlalchemy.engine import make_url

        return described("", make_url(value))
    except Exception:  # whatever is not one of SQLAlchemy's
        return unknown(value.partition(":")[0])


def key_state(app: object | None) -> str:
    """Whether the application signs with a key of its .env (own), another (foreign), one to guess (weak), or none."""
    key = getattr(app, "secret_key", None)
    if not key:
        return "none" if app is not None else ""
    text = key.decode("utf-8", "replace") if isinstance(key, bytes) else str(key)
    if len(text) < LENGTH or len(set(text)) < VARIETY or re.sub(r"[^a-z0-9]", "", text.lower()) in WELL_KNOWN:
        return "weak"
    found = [value for value in settings() if value and (value == text or (len(value) >= LENGTH and value in text))]
    return "own" if found else "foreign"  # it may have added something to its own


def runs_scheduler() -> bool:
    """Whether loading the application has started APScheduler, as it does in each of its processes."""
    base = getattr(sys.modules.get("apscheduler.schedulers.base"), "BaseScheduler", None)
    return bool(base) and any(base in type(one).__mro__ and one.running for one in gc.get_objects())


def settings() -> set:
    """The values of the .env in the application's folder, and of what is yet to come into it."""
    try:
        from dotenv import dotenv_values
    except ImportError:
        return set(os.environ.values())
    return {*dotenv_values(".env").values(), *os.environ.values()}
