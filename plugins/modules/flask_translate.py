#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flask_translate
short_description: Compiles the message catalogues of a Flask application
version_added: 0.1.0
description:
  - Runs the application's own command, C(flask translate compile), where a catalogue is not compiled or
    is newer than its compiled form.
  - An application that has no such command is left alone.
extends_documentation_fragment:
  - selfhost.flask.flask
attributes:
  check_mode:
    description: Says which catalogues would be compiled.
    support: full
  diff_mode:
    description: Shows the catalogues.
    support: full
  idempotent:
    description: Catalogues that are up to date are not compiled again.
    support: full
options:
  command:
    description: The flask command that compiles the catalogues.
    type: list
    elements: str
    default: [translate, compile]
"""

EXAMPLES = r"""
- name: Compile the translations
  selfhost.flask.flask_translate:
    chdir: /srv/blog/releases/v1.2-7f7c99a2
    app: "blog:create_app()"
  become: true
  become_user: blog
"""

RETURN = r"""
compiled:
  description: Catalogues that were compiled, or would be, relative to the application's folder.
  type: list
  elements: str
  returned: always
available:
  description: Whether the application has the command.
  type: bool
  returned: when the command was run
"""

import os
import re

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils._flask import OPTIONS, Flask

USAGE_ERROR = 2


def stale_catalogues(folder: str) -> list:
    """The .po files whose .mo file is missing or older."""
    found = []
    for path, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "node_modules"]
        for name in files:
            source = os.path.join(path, name)
            if name.endswith(".po") and os.path.basename(path) == "LC_MESSAGES" and is_stale(source):
                found.append(os.path.relpath(source, folder))
    return sorted(found)


def is_stale(source: str) -> bool:
    compiled = source[:-len("po")] + "mo"
    return not os.path.exists(compiled) or os.path.getmtime(compiled) < os.path.getmtime(source)


def compile_catalogues(flask: Flask, stale: list) -> dict:
    """Runs the command and looks whether it did what it is for."""
    command = flask.module.params["command"]
    result = flask.command(*command)
    if result.code == USAGE_ERROR and re.search("No such command", result.err):
        return dict(changed=False, compiled=[], available=False)
    if result.code != 0:
        flask.fail("`flask %s` failed; the served version is untouched." % " ".join(command), result)
    left = stale_catalogues(flask.folder)
    if left:
        flask.module.fail_json(msg="`flask %s` did not compile %s." % (" ".join(command), ", ".join(left)))
    return dict(changed=True, compiled=stale, available=True)


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(OPTIONS, command=dict(type="list", elements="str", default=["translate", "compile"])),
        supports_check_mode=True,
    )
    flask = Flask(module)
    stale = stale_catalogues(flask.folder)
    if stale and not module.check_mode:
        result = compile_catalogues(flask, stale)
    else:
        result = dict(changed=bool(stale), compiled=stale)
    lines = "".join("%s\n" % name for name in result["compiled"])
    module.exit_json(diff=dict(before="", after=lines), **result)


if __name__ == "__main__":
    main()
