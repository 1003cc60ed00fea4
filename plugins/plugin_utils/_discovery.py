# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an application's repository says of how it is served: read, and never run."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from ansible.module_utils.compat.version import LooseVersion
from ansible_collections.selfhost.flask.plugins.module_utils.build.needs import (
    Needs,
    find_needs,
    packages_of,
    project_lines,
    requirements_file,
)
from ansible_collections.selfhost.flask.plugins.module_utils.build.services import REDIS
from ansible_collections.selfhost.flask.plugins.module_utils.build.tables import project_name
from ansible_collections.selfhost.flask.plugins.module_utils.build.wishes import wish_of
from ansible_collections.selfhost.flask.plugins.module_utils.common.dotenv import parse, read
from ansible_collections.selfhost.flask.plugins.module_utils.common.tree import Tree, printable, read_inside
from ansible_collections.selfhost.flask.plugins.module_utils.database.url import read_url
from ansible_collections.selfhost.flask.plugins.module_utils.flask.entrypoint import (
    EntrypointError,
    check_entrypoint,
    defined_names,
)
from ansible_collections.selfhost.flask.plugins.module_utils.flask.env_keys import NOT_DEMANDED
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import ReleaseError

GUNICORN = re.compile(r"^web:.*gunicorn\b.*?\s(['\"]?)([\w.]+:\w+(?:\(\))?)\1\s*$", re.M)
ENTRYPOINT = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*(\(\))?")
OBJECTS = ("app", "application", "create_app", "make_app")  # by the names that Flask itself looks for
FILES = ("wsgi", "app", "application", "main", "run", "server")
DRIVERS = {
    "postgresql": ("psycopg", "psycopg2", "psycopg2-binary", "asyncpg", "pg8000"),
    "mysql": ("pymysql", "mysqlclient", "mysql-connector-python", "flask-mysqldb"),
}
MAPPERS = ("sqlalchemy", "flask-sqlalchemy", "flask-sqlalchemy-lite", "peewee", "pony", "flask-migrate", "alembic")
SERVICES = {"redis": (*REDIS, "celery"), "elasticsearch": ("elasticsearch",)}
# The first versions that PyPI has ready-made for Python 3.13; older ones would have to be compiled, or can't be.
FOR_PYTHON_313 = {
    "cffi": "1.17", "gevent": "24.10", "greenlet": "3.1", "lxml": "5.3", "numpy": "2.1", "pandas": "2.2.3", "pillow": "10.4",
    "psycopg2-binary": "2.9.10", "pydantic-core": "2.20", "pyyaml": "6.0.2",
}
PIN = re.compile(r"\s*([\w.-]+)\s*==\s*([\w.]+)")
KEYS_OF_SERVICES = {"REDIS_URL": "redis", "CELERY_BROKER_URL": "redis", "ELASTICSEARCH_URL": "elasticsearch"}


class Found(NamedTuple):
    """What is known of an application; an empty text is what nobody says."""

    entrypoint: str = ""
    entrypoint_from: str = ""
    python: str = ""
    python_from: str = ""
    old: str = ""  # a requirement of it that is older than Python 3.13, which a distribution may have
    requirements: str = ""
    migrations: str = ""  # the folder
    database: str = ""
    database_from: str = ""
    services: tuple = ()
    settings: tuple = ()  # the keys that its .env.example names
    subfolder: str = ""  # of the repository, if the application is not at its top
    builds: bool = False  # whether there is a package.json
    problems: tuple = ()


def find_tree(top: str) -> Tree:
    """The application's folder in a checked out repository: its top, or the one folder in it that has requirements."""
    inner = [os.path.join(top, name) for name in sorted(os.listdir(top)) if not name.startswith(".")]
    folders = [path for path in inner if os.path.isdir(path) and not os.path.islink(path)]
    found = [path for path in folders if requirements_file(Tree(top, path), "")]
    is_top = requirements_file(Tree(top, top), "") is not None or len(found) != 1
    return Tree(top, top if is_top else found[0])


def discover(tree: Tree) -> Found:
    """All that a checked out repository says."""
    needs, problems = read_needs(tree)
    packages, example = packages_of(needs) if needs else set(), read_example(tree)
    keys = list(dict.fromkeys(line.key for line in parse(example) if line.key and not NOT_DEMANDED.fullmatch(line.key)))
    entrypoint, entrypoint_from = next(entrypoints(tree), ("", ""))
    database, database_from = find_database(example, packages)
    wish = wish_of(tree)
    return Found(
        entrypoint=entrypoint,
        entrypoint_from=entrypoint_from,
        python=printable(wish.specifier) if wish else "",
        python_from=wish.where if wish else "",
        old=find_old(needs) if needs else "",
        requirements=printable(os.path.relpath(needs.path, tree.folder)) if needs else "",
        migrations=find_migrations(tree.folder),
        database=database,
        database_from=database_from,
        services=find_services(packages, keys),
        settings=tuple(map(printable, keys)),
        subfolder="" if tree.folder == tree.top else printable(os.path.relpath(tree.folder, tree.top)),
        builds=os.path.isfile(os.path.join(tree.folder, "package.json")),
        problems=problems,
    )


def read_needs(tree: Tree) -> tuple[Needs | None, tuple]:
    """What it requires; or why that can't be read."""
    try:
        return find_needs(tree, dict(requirements="", extras=[], groups=[])), ()
    except ReleaseError as error:
        return None, (str(error),)


def find_old(needs: Needs) -> str:
    """A requirement that Python 3.13 can't have as it is: its name and version."""
    pins = (PIN.match(line) for line in [*needs.lines, *needs.pins, *project_lines(needs)])
    for name, version in (pin.groups() for pin in pins if pin):
        first = FOR_PYTHON_313.get(project_name(name))
        with contextlib.suppress(TypeError):  # of words between the numbers
            if first and LooseVersion(version) < LooseVersion(first):
                return "%s %s" % (name, version)
    return ""


def find_services(packages: set, keys: list) -> tuple:
    """The services beside the database that its packages or its settings speak of."""
    found = {name for name, wanted in SERVICES.items() if packages & set(wanted)}
    return tuple(sorted(found | {KEYS_OF_SERVICES[key] for key in keys if key in KEYS_OF_SERVICES}))


def read_example(tree: Tree) -> str:
    """The application's .env.example, or what else people call it."""
    names = (".env.example", ".env.sample", ".env.template", "env.example", ".env.dist")
    paths = (os.path.join(folder, name) for name in names for folder in (tree.folder, tree.top))
    return next((text for text in (read_inside(tree, path) for path in paths) if text is not None), "")


def entrypoints(tree: Tree) -> Iterator[tuple[str, str]]:
    """What can be served, and who says so; the surest first."""
    for said, where in [*said_entrypoints(tree), *guessed_entrypoints(tree)]:
        if ENTRYPOINT.fullmatch(said) and is_there(said, tree.folder):
            yield said, where


def is_there(entrypoint: str, folder: str) -> bool:
    try:
        check_entrypoint(entrypoint, folder)
        return True
    except EntrypointError:
        return False


def said_entrypoints(tree: Tree) -> Iterator[tuple[str, str]]:
    """Those that a file names: a Procfile as it is, and FLASK_APP without its object."""
    procfile = GUNICORN.search(read_inside(tree, os.path.join(tree.folder, "Procfile")) or "")
    if procfile:
        yield procfile.group(2), "Procfile"
    for name in (".flaskenv", ".env.example"):
        said = read(read_inside(tree, os.path.join(tree.folder, name)) or "").get("FLASK_APP", "")
        module, dummy, attribute = said.partition(":")
        module = re.sub(r"\.py$", "", module).replace("/", ".")
        if attribute:
            is_factory = attribute in OBJECTS and attribute.endswith("_app")  # which the flask command calls by itself
            yield "%s:%s%s" % (module, attribute, "()" if is_factory else ""), name
        elif module:
            yield from ((one, name) for one in objects_in(tree, module))


def guessed_entrypoints(tree: Tree) -> Iterator[tuple[str, str]]:
    """Those in files of the usual names, and then in any file or package of the first level."""
    others = sorted(os.listdir(tree.folder))
    names = [name[:-3] for name in others if name.endswith(".py") and not name.startswith(("test", "setup", "conf"))]
    names += [name for name in others if os.path.isfile(os.path.join(tree.folder, name, "__init__.py")) and name != "tests"]
    for name in sorted(names, key=lambda name: FILES.index(name) if name in FILES else len(FILES)):
        yield from ((one, name + ".py" if name + ".py" in others else name + "/") for one in objects_in(tree, name))


def objects_in(tree: Tree, module: str) -> Iterator[str]:
    """The applications and factories of a module, by its source."""
    stem = os.path.join(tree.folder, *module.split("."))
    path = next((path for path in (stem + ".py", os.path.join(stem, "__init__.py")) if read_inside(tree, path) is not None), "")
    names = defined_names(path) if path else set()
    for name in OBJECTS:
        if name in names:
            yield "%s:%s%s" % (module, name, "()" if name.endswith("_app") else "")


def find_migrations(folder: str) -> str:
    """The folder of Flask-Migrate's or alembic's migrations; the usual one first."""
    names = sorted((name for name in os.listdir(folder) if name.isidentifier()), key=lambda name: (name != "migrations", name))
    return next((name for name in names if os.path.isfile(os.path.join(folder, name, "env.py"))), "")


def find_database(example: str, packages: set) -> tuple[str, str]:
    """The kind that its example or its packages say, and which of them."""
    for kind, drivers in DRIVERS.items():
        named = sorted(packages & set(drivers))
        if named:
            return kind, named[0] + " in the requirements"
    for key, value in read(example).items():
        url = read_url(value or "") if "DATABASE" in key else None
        if url and url.kind in ("mysql", "postgresql", "sqlite"):
            return url.kind, key + " in .env.example"
    if packages and not packages & set(MAPPERS):
        return "none", "no database library in the requirements"
    return "", ""
