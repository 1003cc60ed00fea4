# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a new version is loaded, seen from within: what it does to databases, and which ones it has.

Part of what is sent to the application's own interpreter; see questions. It is meant for a sandbox: an application
may change its database when it is loaded.
"""

from __future__ import annotations

import os
import signal
import traceback
from types import CodeType, FunctionType
from typing import Callable, Iterator

from ansible_collections.selfhost.flask.plugins.module_utils.flask.probe.facts import described_file, facts_of
from ansible_collections.selfhost.flask.plugins.module_utils.flask.probe.history import foreseen
from ansible_collections.selfhost.flask.plugins.module_utils.flask.probe.loader import Problem, explained, load_app
from ansible_collections.selfhost.flask.plugins.module_utils.flask.probe.watch import Watch

DEADLINE = 60  # seconds to load it
CHANGES = {"create_all", "drop_all", "create_tables", "upgrade", "downgrade", "init_db", "create_db"}
DEPTH = 3  # functions that call each other


def inspect_loading(answer: Callable, directory: str = "", current: list | None = None) -> dict:
    """Whether the application can be loaded, and what is known of it then."""
    watch, app, why = Watch(), None, ""
    late = "it takes too long"
    give_up_in(DEADLINE, lambda: answer(dict(describe(watch, None, late), **facts_of(None, watch.engines))))
    watch.begin()
    try:
        app = load_app()
    except BaseException as error:  # also SystemExit: it ends where it has no database
        why = "".join(traceback.format_exception_only(type(error), error)).strip()
    watch.end()
    signal.alarm(0)
    found = dict(describe(watch, app, why), **facts_of(app, watch.engines))
    if app is not None and current is not None:
        found["revisions"] = revisions_of(app, directory, current)
    return found


def revisions_of(app: object, directory: str, current: list) -> dict:
    """What lies between the database and the application's migrations, or the problem with that."""
    try:
        return foreseen(app, directory, current)
    except Exception as error:
        problem = error if isinstance(error, Problem) else explained(error)
        if problem is None:
            raise
        return {"problem": str(problem)}


def describe(watch: object, app: object | None, why: str) -> dict:
    """Whether it was loaded and why not, what it does to databases before it answers, and the SQLite files among them."""
    files = filter(None, [described_file("", name) for name in watch.files])
    said = {"loads": app is not None, "why": why, "touches": watch.seen + at_requests(app)}
    return dict(said, files=sorted({one["name"] for one in files}))


def give_up_in(seconds: int, act: Callable) -> None:
    """Ends this process after so long, whatever it waits for."""

    def give_up(*ignored: object) -> None:
        act()
        os._exit(0)

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)


def at_requests(app: object | None) -> list:
    """What is done to the database by functions that run before the first request, or before each."""
    functions = list(getattr(app, "before_first_request_funcs", []))
    functions += [function for found in getattr(app, "before_request_funcs", {}).values() for function in found]
    names = sorted({name for function in functions for name in called(function, DEPTH)} & CHANGES)
    return ["calls %s at a request" % name for name in names]


def called(function: object, depth: int) -> Iterator[str]:
    """The names that a function uses, and those that the functions of its module use that it calls."""
    function = getattr(function, "__wrapped__", function)
    if not isinstance(function, FunctionType) or not depth:
        return
    for code in codes(function.__code__):
        for name in code.co_names:
            yield name
            yield from called(function.__globals__.get(name), depth - 1)


def codes(code: CodeType) -> Iterator[CodeType]:
    """A function's code, and that of the functions inside."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)
