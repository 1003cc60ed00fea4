#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flask_translate
short_description: Compiles the translations of a Flask application
version_added: 0.1.0
description:
  - Looks for catalogues (C(LC_MESSAGES/*.po)) and compares their texts with the compiled ones. Where
    one is missing or has other texts, the application's own command compiles them.
  - An application without that command is left as it is.
extends_documentation_fragment: selfhost.flask.flask
attributes:
  check_mode:
    description: Says which catalogues would be compiled.
    support: full
  diff_mode:
    description: Shows the catalogues that are compiled.
    support: full
  idempotent:
    description: Runs nothing where every catalogue is compiled.
    support: full
options:
  command:
    description: The application's command that compiles its catalogues.
    type: list
    elements: str
    default: [translate, compile]
  directory:
    description: Folder in which to look for catalogues, relative to O(chdir).
    type: str
    default: .
  settings:
    description: Settings that are not in C(.env) yet, and win over it. The file may be missing.
    type: path
"""

EXAMPLES = r"""
- name: Compile the translations
  selfhost.flask.flask_translate:
    chdir: /srv/blog/releases/v1.2-7f7c99a2
    app: blog:app
  become_user: blog
"""

RETURN = r"""
available:
  description: Whether the application has the command.
  type: bool
  returned: when a catalogue is not compiled
compiled:
  description: The compiled catalogues that were or would be written, relative to O(chdir).
  type: list
  elements: str
  returned: success
  sample: [app/translations/es/LC_MESSAGES/messages.mo]
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils._flask import OPTIONS, FlaskApp, Result
from ansible_collections.selfhost.flask.plugins.module_utils._results import diff_result
from ansible_collections.selfhost.flask.plugins.module_utils._settings import read_settings

USAGE_ERROR = 2
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
    """Which catalogues are not compiled; the application is started only to look for its command."""
    sources = catalogues(app)
    if not sources:
        return dict(stale=[], skipped=[], available=False)
    command = app.module.params["command"] if app.module.check_mode else []
    return app.ask("translations", catalogues=sources, command=command)


def lacks_command(app: FlaskApp, result: Result, stale: list) -> bool:
    """Whether the application has no such command; flask says so as well of one that can't be loaded."""
    if result.code != USAGE_ERROR or "No such command" not in result.err:
        return False
    return not app.ask("translations", catalogues=stale, command=app.module.params["command"])["available"]


def compile_catalogues(app: FlaskApp, stale: list) -> list | None:
    """Runs the application's command; the catalogues that are compiled now, None without a command."""
    result = app.run("flask", *app.module.params["command"])
    if lacks_command(app, result, stale):
        return None
    if result.code != 0:
        app.fail(result, "The translations are not compiled. Mend the catalogue or the command.")
    left = observe(app)["stale"]
    if set(left) >= set(stale):
        app.fail(result, "It compiled none of %s. Set command to what does." % ", ".join(stale))
    if left:
        app.module.warn(
            "`flask %s` does not compile %s. Set directory to the folder that holds the application's own "
            "catalogues." % (" ".join(app.module.params["command"]), ", ".join(left))
        )
    return [path for path in stale if path not in left]


def main() -> None:
    options = dict(
        command=dict(type="list", elements="str", default=["translate", "compile"]),
        directory=dict(type="str", default="."),
        settings=dict(type="path"),
    )
    module = AnsibleModule(argument_spec=dict(OPTIONS, **options), supports_check_mode=True)
    app = FlaskApp(module, settings=read_settings(module.params["settings"] or ""))
    state = observe(app)
    for path in state["skipped"]:
        module.warn("%s is not compiled: it is marked fuzzy as a whole, by the comment above its header." % path)
    if not state["stale"]:
        module.exit_json(changed=False, compiled=[])
    if module.check_mode:
        done = state["stale"] if state["available"] else None
    else:
        done = compile_catalogues(app, state["stale"])
    if done is None:
        module.exit_json(changed=False, compiled=[], available=False)
    compiled = [os.path.splitext(path)[0] + ".mo" for path in done]
    diff = dict(before="", after="".join("compiled %s\n" % path for path in compiled))
    module.exit_json(changed=True, available=True, compiled=compiled, **diff_result(module, diff))


if __name__ == "__main__":
    main()
