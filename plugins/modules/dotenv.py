#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dotenv
short_description: Sets and removes keys in a .env file
version_added: 0.1.0
description:
  - Other lines, comments among them, stay where they are.
  - A value is quoted so that C(python-dotenv) and a shell that sources the file read it back unchanged.
  - Values are in no result, diff or log. The file is replaced atomically.
author: The selfhost.flask developers (@selfhost)
extends_documentation_fragment:
  - ansible.builtin.files
attributes:
  check_mode:
    description: Says which keys would change.
    support: full
  diff_mode:
    description: Shows the keys, not their values.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
options:
  path:
    description: The file. It is made where there is none; its folder must exist.
    type: path
    required: true
  values:
    description:
      - Keys and what they are set to. Numbers and booleans are written as V(25) and V(true).
      - A value with a backtick together with a quote, a double backslash or C(${) is refused, because
        there is no form of it that is read alike.
    type: dict
    default: {}
  generate:
    description:
      - Keys that get a random value of 43 characters where they are not set yet. It is made on the host
        and is not shown.
    type: list
    elements: str
    default: []
  absent:
    description: Keys to remove.
    type: list
    elements: str
    default: []
  mode:
    description: Permissions of the file.
    type: raw
    default: "0640"
"""

EXAMPLES = r"""
- name: Write the application's settings
  selfhost.flask.dotenv:
    path: /srv/blog/shared/.env
    values:
      DATABASE_URL: "mysql+pymysql://blog@localhost/blog"
      MAIL_PORT: 25
    generate: [SECRET_KEY]
    owner: root
    group: blog
"""

RETURN = r"""
added:
  description: Keys that were not in the file.
  type: list
  elements: str
  returned: always
updated:
  description: Keys that had another value.
  type: list
  elements: str
  returned: always
removed:
  description: Keys that are gone.
  type: list
  elements: str
  returned: always
"""

import os
import secrets

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils._dotenv import (
    KEY,
    DotenvError,
    parse,
    update,
)
from ansible_collections.selfhost.flask.plugins.module_utils._files import write_file


def as_text(value: object) -> str:
    """A value as it is written."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def read(path: str) -> str:
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


def assignments(text: str) -> dict:
    return {piece.key: piece.value for piece in parse(text) if piece.key}


def wanted(module: AnsibleModule, text: str) -> str:
    """The file's text as it should be."""
    values = {key: as_text(value) for key, value in module.params["values"].items()}
    for key in list(values) + module.params["generate"]:
        if not KEY.fullmatch(key):
            raise DotenvError("'%s' is no name of a variable. Use letters, digits and '_'." % key)
    missing = [key for key in module.params["generate"] if key not in values and not assignments(text).get(key)]
    values.update({key: secrets.token_urlsafe(32) for key in missing})
    return update(text, values, module.params["absent"])


def differences(before: dict, after: dict) -> dict:
    return dict(
        added=sorted(set(after) - set(before)),
        updated=sorted(key for key in before if key in after and before[key] != after[key]),
        removed=sorted(set(before) - set(after)),
    )


def hidden(keys: dict, updated: list, state: str) -> str:
    """The keys as a diff shows them."""
    return "".join("%s=<hidden%s>\n" % (key, ", " + state if key in updated else "") for key in keys)


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            path=dict(type="path", required=True),
            values=dict(type="dict", default={}, no_log=True),
            generate=dict(type="list", elements="str", default=[], no_log=False),
            absent=dict(type="list", elements="str", default=[]),
            mode=dict(type="raw", default="0640"),
        ),
        add_file_common_args=True,
        supports_check_mode=True,
    )
    path = module.params["path"]
    text = read(path)
    try:
        new = wanted(module, text)
    except DotenvError as error:
        module.fail_json(msg="%s %s was not changed." % (error, path))
    before, after = assignments(text), assignments(new)
    found = differences(before, after)
    diff = dict(
        before_header=path,
        after_header=path,
        before=hidden(before, found["updated"], "old"),
        after=hidden(after, found["updated"], "new"),
    )
    changed = new != text
    if changed and not module.check_mode:
        write_file(path, new.encode("utf-8"), 0o600)
    if os.path.exists(path):
        changed = module.set_fs_attributes_if_different(module.load_file_common_arguments(module.params), changed)
    module.exit_json(changed=changed, diff=diff, **found)


if __name__ == "__main__":
    main()
