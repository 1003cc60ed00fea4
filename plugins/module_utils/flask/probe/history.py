# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies between a database and the migrations of an application, as alembic says it.

Part of what is sent to the application's own interpreter; see questions.
"""

from __future__ import annotations

import ast
import os

from ansible_collections.selfhost.flask.plugins.module_utils.flask.probe.loader import Problem, explained, load_app

ANOTHER_WAY = (
    "Call Migrate(app, db) in it, or set the folder that has its migrations. If it migrates another way, set "
    "flask_migration_command to the command, such as 'alembic upgrade head', or to none."
)


def database(directory: str | None, revision: str) -> dict:
    """At which revision the database is, and what lies between that and the desired one."""
    try:
        with load_app().app_context():
            return _revisions(directory, revision)
    except Exception as error:
        problem = explained(error)
        if problem is None:
            raise
        raise problem from error


def foreseen(app: object, directory: str, current: list) -> dict:
    """The same without the databases, each of which is known to be at these revisions."""
    with app.app_context():
        migrate, config, script = _script(directory)
        answer = _compared(script, [tuple(one) for one in current], _desired(script, "heads"), "heads")
        return dict(answer, command=getattr(migrate.migrate, "command", "db"))


def _script(directory: str | None) -> tuple:
    """Flask-Migrate's extension, and the migrations in a folder as alembic has them."""
    from alembic.script import ScriptDirectory
    from flask import current_app

    migrate = current_app.extensions.get("migrate")
    if migrate is None:
        raise Problem("The application %s has no Flask-Migrate. %s" % (os.environ["FLASK_APP"], ANOTHER_WAY))
    directory = directory or migrate.directory
    if not os.path.isfile(os.path.join(directory, "env.py")):
        raise Problem("%s has no env.py, so Flask-Migrate has no migrations there. %s" % (os.path.abspath(directory), ANOTHER_WAY))
    config = migrate.migrate.get_config(directory)
    return migrate, config, ScriptDirectory.from_config(config)


def _revisions(directory: str | None, revision: str) -> dict:
    from alembic.runtime.environment import EnvironmentContext

    migrate, config, script = _script(directory)
    desired = _desired(script, revision)
    databases = []

    def look(heads: tuple, context: object) -> list:
        databases.append(tuple(heads or ()))
        return []

    if not _is_missing_file(migrate):
        with EnvironmentContext(config, script, fn=look, dont_mutate=True):
            script.run_env()
    answer = _compared(script, databases or [()], desired, revision)
    return dict(answer, command=getattr(migrate.migrate, "command", "db"))


def _is_missing_file(migrate: object) -> bool:
    """Whether the database is a SQLite file that is yet to be made; connecting would make it."""
    url = getattr(getattr(migrate.db, "engine", None), "url", None)
    if url is None or not url.drivername.startswith("sqlite"):
        return False
    return url.database not in (None, "", ":memory:") and not os.path.exists(url.database)


def _desired(script: object, revision: str) -> tuple:
    """The full identifiers of the desired revision; none for base."""
    if revision == "base":
        return ()
    heads = tuple(sorted(script.get_heads()))
    if revision == "head" and len(heads) > 1:
        raise Problem(
            "The migrations have %d heads: %s. Merge them with `flask db merge heads`, or set revision to heads "
            "or to one of them." % (len(heads), ", ".join(heads))
        )
    return heads if revision in ("head", "heads") else tuple(item.revision for item in script.get_revisions(revision))


def _compared(script: object, databases: list, desired: tuple, revision: str) -> dict:
    """Where each database is, and what is to be applied or undone in any of them."""
    known = {item.revision for item in script.walk_revisions()}
    unknown = sorted({head for heads in databases for head in heads} - known)
    if unknown:
        raise Problem(
            "The database is at revision %s, which this version of the application does not have: a newer one "
            "was deployed before. Deploy that, or downgrade the database with it first." % ", ".join(unknown)
        )
    wanted = _history(script, desired)
    apply, undo = {}, {}
    for heads in databases:
        done = _history(script, heads)
        apply.update((name, item) for name, item in reversed(list(wanted.items())) if name not in done)
        if revision not in ("head", "heads") and not (desired and set(desired) <= set(heads)):
            later = (name for name in done if name not in wanted)
            undo.update((name, done[name]) for name in later if set(desired) <= set(_history(script, (name,))))
    return {
        "current": sorted({head for heads in databases for head in heads}),
        "desired": sorted(desired),
        "pending": [_described(item) for item in apply.values()] or [_undoing(item) for item in undo.values()],
        "downgrade": bool(undo and not apply),
    }


def _history(script: object, heads: tuple) -> dict:
    """The revisions that lead to these, the newest first."""
    if not heads:
        return {}
    return {item.revision: item for item in script.iterate_revisions(heads, "base")}


def _described(item: object) -> dict:
    return {"revision": item.revision, "message": (item.doc or "").partition("\n")[0]}


def _undoing(item: object) -> dict:
    """The same, with whether its downgrade does anything."""
    with open(item.path, encoding="utf-8") as file:
        functions = [node for node in ast.parse(file.read()).body if isinstance(node, ast.FunctionDef)]
    body = [part for node in functions if node.name == "downgrade" for part in node.body]
    idle = (ast.Pass, ast.Raise)
    acts = [part for part in body if not isinstance(part, idle) and not isinstance(getattr(part, "value", 0), ast.Constant)]
    return dict(_described(item), reversible=bool(acts))
