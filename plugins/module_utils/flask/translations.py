# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The translations of an application: the catalogues that are not compiled, and what compiles them."""

from __future__ import annotations

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.database.data import database_of
from ansible_collections.selfhost.flask.plugins.module_utils.flask.application import FlaskApp, Result
from ansible_collections.selfhost.flask.plugins.module_utils.flask.loading import sandbox_of
from ansible_collections.selfhost.flask.plugins.module_utils.flask.sandbox import Sandbox
from ansible_collections.selfhost.flask.plugins.module_utils.site.settings import read_settings
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

NO_BABEL = (
    "%s Babel is not installed in %s: %s stay as they are. Set app_extra_packages to [Babel], or compile them by flask_build."
)
FOREIGN = ("node_modules", "site-packages", "venv")


def catalogues(app: FlaskApp) -> list:
    """The sources of all catalogues, relative to the application's folder."""
    found = []
    for path, folders, files in os.walk(os.path.join(app.folder, app.module.params["directory"])):
        folders[:] = [folder for folder in folders if folder not in FOREIGN and folder[:1] != "."]
        if os.path.basename(path) == "LC_MESSAGES":
            found += [os.path.relpath(os.path.join(path, file), app.folder) for file in files]
    return sorted(path for path in found if path.endswith(".po"))


def observe(app: FlaskApp) -> dict:
    """Which catalogues are not compiled; the application is not loaded for that."""
    sources = catalogues(app)
    if not sources:
        return dict(stale=[], skipped=[])
    return app.ask("translations", catalogues=sources, command=[])


def compile_catalogues(app: FlaskApp, stale: list) -> dict:
    """Compiles them by the application's command, or without the application; what is compiled now, and by whom."""
    result = app.run("flask", *app.module.params["command"])
    if result.code == 0:
        return dict(compiled=done_by_command(app, result, stale), compiler="command")
    reason = why_not(app, stale)
    if not reason:
        app.fail(result, "The translations are not compiled. Fix the catalogue or the command.")
    compiled = app.ask("compile", catalogues=stale)["compiled"]
    if not compiled:
        app.module.warn(NO_BABEL % (reason, app.venv, ", ".join(stale)))
    return dict(compiled=compiled, compiler="babel", reason=reason)


def why_not(app: FlaskApp, stale: list) -> str:
    """Why the application can't compile them at all; nothing where its command fails by itself."""
    words = app.module.params["command"]
    answer = app.answer("translations", catalogues=stale, command=words)
    if "problem" in answer:
        return "%s can't be loaded without its data." % app.name
    return "" if answer["available"] else "%s has no command `flask %s`." % (app.name, " ".join(words))


def done_by_command(app: FlaskApp, result: Result, stale: list) -> list:
    """The catalogues that the command has compiled."""
    left = observe(app)["stale"]
    if set(left) >= set(stale):
        app.fail(result, "It compiled none of %s. Set command to what does." % ", ".join(stale))
    if left:
        app.module.warn(
            "`flask %s` does not compile %s. Set directory to the folder that holds the application's own "
            "catalogues." % (" ".join(app.module.params["command"]), ", ".join(left))
        )
    return [path for path in stale if path not in left]


def sandbox(params: dict) -> Sandbox | None:
    """What the application runs in, where it is another user's."""
    site = Site(params["user"] or "", params["root"] or "", "")
    return sandbox_of(site, "", database_of(site)) if params["user"] else None


def establish_translations(module: AnsibleModule) -> dict:
    """Compiles the catalogues that are not; what the module returns."""
    app = FlaskApp(module, sandbox=sandbox(module.params), settings=read_settings(module.params["settings"] or ""))
    state = observe(app)
    for path in state["skipped"]:
        module.warn("%s is not compiled: it is marked fuzzy as a whole, by the comment above its header." % path)
    if not state["stale"]:
        return dict(changed=False, compiled=[], diff=dict(before="", after=""))
    done = dict(compiled=state["stale"]) if module.check_mode else compile_catalogues(app, state["stale"])
    done["compiled"] = [os.path.splitext(path)[0] + ".mo" for path in done["compiled"]]
    diff = dict(before="", after="".join("compiled %s\n" % path for path in done["compiled"]))
    changed = bool(done["compiled"])
    return dict(done, changed=changed, available=changed, diff=diff)
