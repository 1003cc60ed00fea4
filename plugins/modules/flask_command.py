#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flask_command
short_description: Runs a command of a Flask application
version_added: 0.1.0
description:
  - Runs C(flask) with arguments, in the application's virtual environment and with its settings.
  - Only the task's author knows whether a command changes something. O(creates), O(removes) and
    O(changed) say so.
extends_documentation_fragment:
  - selfhost.flask.flask
attributes:
  check_mode:
    description: >-
      The command is not run. The result is changed, unless O(creates), O(removes) or an O(changed) of
      V(never) says otherwise.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  idempotent:
    description: As far as the command is, or with O(creates) or O(removes).
    support: partial
options:
  argv:
    description: The command and its arguments.
    type: list
    elements: str
    required: true
  creates:
    description: Path, relative to the folder, that the command makes. It is not run where it exists.
    type: path
  removes:
    description: Path, relative to the folder, that the command removes. It is run only where it exists.
    type: path
  changed:
    description:
      - When the command changed something. V(always), V(never), or V(matches) where its output matches
        O(pattern).
    type: str
    choices: [always, never, matches]
    default: always
  pattern:
    description: Regular expression for O(changed=matches).
    type: str
"""

EXAMPLES = r"""
- name: Load the list of countries once
  selfhost.flask.flask_command:
    chdir: /srv/blog/current
    app: "blog:create_app()"
    argv: [countries, load]
    changed: matches
    pattern: "[1-9][0-9]* added"
  become: true
  become_user: blog
"""

RETURN = r"""
rc:
  description: Exit code of the command.
  type: int
  returned: when it was run
stdout:
  description: Its output.
  type: str
  returned: when it was run
stderr:
  description: Its messages.
  type: str
  returned: when it was run
"""

import os
import re

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils._flask import OPTIONS, Flask


def needed(flask: Flask) -> bool:
    """Whether what the command is for is still to be done."""
    creates, removes = flask.module.params["creates"], flask.module.params["removes"]
    if creates and os.path.exists(os.path.join(flask.folder, creates)):
        return False
    return not removes or os.path.exists(os.path.join(flask.folder, removes))


def has_changed(params: dict, output: str) -> bool:
    if params["changed"] == "matches":
        return bool(re.search(params["pattern"], output))
    return params["changed"] == "always"


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            OPTIONS,
            argv=dict(type="list", elements="str", required=True),
            creates=dict(type="path"),
            removes=dict(type="path"),
            changed=dict(type="str", choices=["always", "never", "matches"], default="always"),
            pattern=dict(type="str"),
        ),
        required_if=[("changed", "matches", ("pattern",))],
        supports_check_mode=True,
    )
    flask = Flask(module)
    if not needed(flask):
        module.exit_json(changed=False)
    if module.check_mode:
        module.exit_json(changed=module.params["changed"] != "never")
    result = flask.command(*module.params["argv"])
    if result.code != 0:
        flask.fail("`flask %s` failed." % " ".join(module.params["argv"]), result)
    changed = has_changed(module.params, result.out + result.err)
    module.exit_json(changed=changed, rc=result.code, stdout=result.out, stderr=result.err)


if __name__ == "__main__":
    main()
