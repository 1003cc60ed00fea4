# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions that only the application's own interpreter can answer.

The modules send this file, with the others beside it, to the standard input of the virtual environment's
Python, with a question and its arguments. The answer is the only thing on standard output; whatever the
application prints while it is imported goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys

from ansible_collections.selfhost.flask.plugins.module_utils.flask.probe.catalogues import (
    compile_catalogues,
    translations,
)
from ansible_collections.selfhost.flask.plugins.module_utils.flask.probe.commands import commands_of
from ansible_collections.selfhost.flask.plugins.module_utils.flask.probe.history import database
from ansible_collections.selfhost.flask.plugins.module_utils.flask.probe.inspection import inspect_loading
from ansible_collections.selfhost.flask.plugins.module_utils.flask.probe.loader import Problem, load_app


def about() -> dict:
    """What the application is; of its configuration the keys only."""
    import platform

    app = load_app()
    group, context = commands_of(app)
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
    return inspect_loading(write_answer, directory, current)


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
