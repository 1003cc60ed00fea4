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
  - Runs C(flask) with any arguments, in the application's folder and virtual environment and with its
    settings.
  - M(selfhost.flask.flask_db) and M(selfhost.flask.flask_translate) know more about what they do.
extends_documentation_fragment: selfhost.flask.flask
attributes:
  check_mode:
    description: Nothing is run.
    details:
      - With O(creates) or O(removes) the module says whether the command would be run; without them
        nobody can know, and the task is skipped.
    support: partial
  diff_mode:
    description: What a command changes is not known.
    support: none
  idempotent:
    description: With O(creates) or O(removes), or where the command is, which O(changed_pattern) then tells.
    support: partial
options:
  argv:
    description: The command and its arguments. They can be seen by every user of the host; no place for a secret.
    type: list
    elements: str
    required: true
  creates:
    description: A path, relative to O(chdir); where it exists the command is not run.
    type: path
  removes:
    description: A path, relative to O(chdir); where it does not exist the command is not run.
    type: path
  changed_pattern:
    description: Regular expression. Something changed only where a line of the output matches it.
    type: str
  unchanged_pattern:
    description: Regular expression. Nothing changed where a line of the output matches it.
    type: str
"""

EXAMPLES = r"""
- name: Build the search index once
  selfhost.flask.flask_command:
    chdir: /srv/blog/current
    app: blog:app
    argv: [search, build]
    creates: instance/index
  become_user: blog

- name: Give the administrator the role
  selfhost.flask.flask_command:
    chdir: /srv/blog/current
    app: blog:app
    argv: [user, grant, alice, admin]
    unchanged_pattern: already an admin
  become_user: blog
"""

RETURN = r"""
argv:
  description: The arguments.
  type: list
  elements: str
  returned: always
rc:
  description: Exit code.
  type: int
  returned: when the command was run
stdout:
  description: Standard output, without the values of C(.env).
  type: str
  returned: when the command was run
stdout_lines:
  description: The same as lines.
  type: list
  elements: str
  returned: when the command was run
stderr:
  description: Standard error, without the values of C(.env).
  type: str
  returned: when the command was run
stderr_lines:
  description: The same as lines.
  type: list
  elements: str
  returned: when the command was run
"""

import os
import re

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.flask.application import OPTIONS, FlaskApp, Result


def obstacle(app: FlaskApp) -> str:
    """Why the command need not run; empty where it has to."""
    creates, removes = (app.module.params[option] for option in ("creates", "removes"))
    if creates and os.path.lexists(os.path.join(app.folder, creates)):
        return "%s exists" % creates
    if removes and not os.path.lexists(os.path.join(app.folder, removes)):
        return "%s does not exist" % removes
    return ""


def compiled(module: AnsibleModule, option: str) -> re.Pattern | None:
    """The pattern of an option, before anything is run."""
    try:
        return re.compile(module.params[option], re.MULTILINE) if module.params[option] else None
    except re.error as error:
        module.fail_json(msg="%s is no regular expression: %s. Correct it." % (option, error))


def has_changed(result: Result, changed: re.Pattern | None, unchanged: re.Pattern | None) -> bool:
    """Whether the command's output says that something changed; without a rule it is taken for granted."""
    output = result.out + "\n" + result.err
    if unchanged and unchanged.search(output):
        return False
    return bool(changed.search(output)) if changed else True


def main() -> None:
    options = dict(
        argv=dict(type="list", elements="str", required=True),
        creates=dict(type="path"),
        removes=dict(type="path"),
        changed_pattern=dict(type="str"),
        unchanged_pattern=dict(type="str"),
    )
    module = AnsibleModule(argument_spec=dict(OPTIONS, **options), supports_check_mode=True)
    argv = module.params["argv"]
    patterns = [compiled(module, option) for option in ("changed_pattern", "unchanged_pattern")]
    app = FlaskApp(module)
    reason = obstacle(app)
    if reason:
        module.exit_json(changed=False, argv=argv, msg="Not run: %s." % reason)
    if module.check_mode:
        known = bool(module.params["creates"] or module.params["removes"])
        module.exit_json(changed=known, skipped=not known, argv=argv, msg="Not run in check mode.")
    result = app.run("flask", *argv)
    if result.code != 0:
        app.fail(result, "Run it by hand in %s to see more." % app.folder, argv=argv)
    changed = has_changed(result, *patterns)
    module.exit_json(changed=changed, argv=argv, rc=result.code, stdout=result.out, stderr=result.err)


if __name__ == "__main__":
    main()
