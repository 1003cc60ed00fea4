# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions that only the application's own interpreter can answer.

The modules send this file, with the other _flask_* that it needs, to the standard input of the virtual
environment's Python, with a question and its arguments. The answer is the only thing on standard output;
whatever the application prints while it is imported goes to standard error.
"""

from __future__ import annotations

import ast
import gettext
import io
import json
import os
import sys


class Problem(Exception):
    """What is wrong with the application, and what to do about it."""


def load_app() -> object:
    """The application as the flask command loads it."""
    from flask.cli import NoAppException, ScriptInfo, load_dotenv

    load_dotenv()
    try:
        return ScriptInfo(app_import_path=os.environ["FLASK_APP"]).load_app()
    except NoAppException as error:
        raise Problem("The application %s can't be loaded: %s" % (os.environ["FLASK_APP"], error)) from error


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


def explained(error: Exception) -> Problem | None:
    """The problem behind an exception of alembic or of the connection; None where it is another."""
    if getattr(error, "statement", None):  # it was reached, and refused what it was told
        return None
    names = {(kind.__module__.partition(".")[0], kind.__name__) for kind in type(error).__mro__}
    if names & {("sqlalchemy", "OperationalError"), ("sqlalchemy", "InterfaceError")}:
        return Problem(
            "The database can't be reached: %s\nCheck that its server runs, and that the URL in .env has the "
            "right host, database, user and password." % (getattr(error, "orig", None) or error)
        )
    if ("alembic", "CommandError") in names:
        return Problem("The migrations can't be used: %s" % error)
    return None


def foreseen(app: object, directory: str, current: list) -> dict:
    """The same without the database, which is known to be at these revisions."""
    with app.app_context():
        migrate, config, script = _script(directory)
        answer = _compared(script, [tuple(current)], _desired(script, "head"), "head")
        return dict(answer, command=getattr(migrate.migrate, "command", "db"))


def _script(directory: str | None) -> tuple:
    """Flask-Migrate's extension, and the migrations in a folder as alembic has them."""
    from alembic.script import ScriptDirectory
    from flask import current_app

    migrate = current_app.extensions.get("migrate")
    if migrate is None:
        raise Problem("The application %s has no Flask-Migrate. Call Migrate(app, db) in it." % os.environ["FLASK_APP"])
    directory = directory or migrate.directory
    if not os.path.isfile(os.path.join(directory, "env.py")):
        raise Problem("%s has no env.py, so there are no migrations there. Set directory." % os.path.abspath(directory))
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


def translations(catalogues: list, command: list) -> dict:
    """The catalogues that are not compiled as they are; whether the application has the command."""
    stale, skipped = [], []
    for path in catalogues:
        state = _catalogue(path)
        stale += [path] if state == "stale" else []
        skipped += [path] if state == "skipped" else []
    return {"stale": stale, "skipped": skipped, "available": bool(stale and command) and _has_command(command)}


def _catalogue(path: str) -> str:
    """Whether the compiled catalogue has the texts of its source: current, stale or skipped."""
    compiled = os.path.splitext(path)[0] + ".mo"
    try:
        from babel.messages.pofile import read_po
    except ImportError:  # something else compiles them: the times have to do
        found = os.path.exists(compiled) and os.path.getmtime(compiled) >= os.path.getmtime(path)
        return "current" if found else "stale"
    with open(path, "rb") as file:
        source = read_po(file)
    if not os.path.exists(compiled):
        return "skipped" if source.fuzzy else "stale"
    with open(compiled, "rb") as file:
        texts = _texts(file.read())
    return "current" if texts in [_compiled_texts(source, fuzzy) for fuzzy in (False, True)] else "stale"


def _compiled_texts(source: object, use_fuzzy: bool) -> dict | None:
    from babel.messages.mofile import write_mo

    buffer = io.BytesIO()
    write_mo(buffer, source, use_fuzzy=use_fuzzy)
    return _texts(buffer.getvalue())


def _texts(compiled: bytes) -> dict | None:
    """What a compiled catalogue translates, without its header, which has dates in it."""
    try:
        texts = dict(gettext.GNUTranslations(io.BytesIO(compiled))._catalog)
    except (OSError, ValueError, LookupError):
        return None
    texts.pop("", None)
    return texts


def compile_catalogues(catalogues: list) -> dict:
    """Compiles catalogues without the application; which of them, or none where babel is not installed."""
    try:
        from babel.messages.mofile import write_mo
    except ImportError:
        return {"compiled": []}
    for path in catalogues:
        with open(path, "rb") as source, open(os.path.splitext(path)[0] + ".mo", "wb") as target:
            write_mo(target, _read_catalogue(source, path))
    return {"compiled": catalogues}


def _read_catalogue(source: object, path: str) -> object:
    """In the language that its folder is named after, whose plurals it has."""
    from babel.core import UnknownLocaleError
    from babel.messages.pofile import read_po

    language = os.path.basename(os.path.dirname(os.path.dirname(os.path.abspath(path))))
    try:
        return read_po(source, language)
    except (UnknownLocaleError, ValueError):
        source.seek(0)
        return read_po(source)


def _has_command(path: list) -> bool:
    """Whether the application has a command such as `translate compile`."""
    command, context = _commands(load_app())
    for name in path:
        command = command.get_command(context, name) if hasattr(command, "get_command") else None
    return command is not None


def _commands(app: object) -> tuple:
    """The flask command of an application, and a context to look into it."""
    import click
    from flask.cli import FlaskGroup, ScriptInfo

    group = FlaskGroup()
    return group, click.Context(group, obj=ScriptInfo(create_app=lambda *ignored: app))


def about() -> dict:
    """What the application is; of its configuration the keys only."""
    import platform

    app = load_app()
    group, context = _commands(app)
    migrate = app.extensions.get("migrate")
    return {
        "python_version": platform.python_version(),
        "flask_version": _flask_version(),
        "import_name": app.import_name,
        "commands": sorted(group.list_commands(context)),
        "routes": sorted((_route(rule) for rule in app.url_map.iter_rules()), key=lambda route: route["rule"]),
        "config_keys": sorted(app.config),
        "static_folder": app.static_folder,
        "static_url_path": app.static_url_path,
        "extensions": sorted(app.extensions),
        "migrations": migrate is not None and os.path.isfile(os.path.join(migrate.directory, "env.py")),
    }


def _flask_version() -> str:
    try:
        from importlib.metadata import version
    except ImportError:
        from importlib_metadata import version
    return version("flask")


def _route(rule: object) -> dict:
    methods = sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    return {"rule": rule.rule, "methods": methods, "endpoint": rule.endpoint}


def inspect(directory: str = "", current: list | None = None) -> dict:
    """How it is loaded, which of its databases it reaches for meanwhile, and what it is configured for.

    With the revisions that the database is at, also what lies between them and those of the application.
    """
    from _flask_inspection import inspect

    return inspect(write_answer, directory, current)


def load() -> dict:
    """Loads it, and that is all."""
    load_app()
    return {}


QUESTIONS = {
    "about": about, "compile": compile_catalogues, "database": database, "inspect": inspect, "load": load,
    "translations": translations,
}
answer_to = 1


def write_answer(answer: dict) -> None:
    os.write(answer_to, json.dumps(answer).encode() + b"\n")


def main() -> None:
    """Answers one question; what the application prints goes to standard error."""
    global answer_to
    answer_to = os.dup(1)
    os.dup2(2, 1)
    sys.path[:] = [path for path in sys.path if path]  # the flask command adds the folder itself
    try:
        answer = QUESTIONS[sys.argv[1]](**json.loads(sys.argv[2]))
    except Problem as problem:
        answer = {"problem": str(problem)}
    write_answer(answer)
    sys.stderr.flush()
    os._exit(0)  # whatever the application has started, such as threads that never end
