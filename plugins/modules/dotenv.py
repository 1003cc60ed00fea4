#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dotenv
short_description: Keeps the settings and secrets of an application in a .env file
version_added: 0.1.0
description:
  - Sets and removes keys of a C(.env) file. Other lines and comments stay as they are.
  - Values are written so that C(python-dotenv), with its interpolation, and a POSIX shell read back
    exactly what was given, whatever characters are in them.
  - The file is replaced in one step. No value is ever part of a result or a diff.
author: The selfhost.flask developers (@selfhost)
attributes:
  check_mode:
    description: Says which keys would change.
    support: full
  diff_mode:
    description: Shows the keys and which of them change, without the values.
    support: full
  idempotent:
    description: A second run changes nothing; a generated secret is kept.
    support: full
options:
  path:
    description: The file. Where it is a link, what it points to is changed.
    type: path
    required: true
  values:
    description:
      - The keys that are present, with their values.
      - A boolean is written as C(true) or C(false), a number as its digits.
    type: dict
    default: {}
  absent:
    description: The keys that are not in the file.
    type: list
    elements: str
    default: []
  prune:
    description:
      - Removes the keys that an earlier run with this option wrote, and that are neither in O(values) nor in O(generate) now.
        A comment in the file has their names. Keys that a person has added stay.
    type: bool
    default: false
  next:
    description:
      - Where the file is written to instead, if it is there and its content would change. M(selfhost.flask.flask_deployment) moves
        that to O(path) once it serves with it, so that a version that fails does not change what the served one reads.
    type: path
  generate:
    description:
      - Keys of secrets that are made on the host, 43 random characters each, where they are missing
        or empty. One that is there is kept.
    type: list
    elements: str
    default: []
  required:
    description: Keys that have to be there with a value in the end. Where one is not, nothing is changed.
    type: list
    elements: str
    default: []
  required_from:
    description:
      - Files in the same form, such as a repository's C(.env.example), of which the first that exists counts. The
        keys to which it gives a value are required, too, but for C(COMPOSE_*), C(DOCKER_*), C(PYTHON*), C(FLASK_APP),
        C(FLASK_DEBUG), C(FLASK_ENV) and C(FLASK_RUN_*).
    type: list
    elements: path
    default: []
  owner:
    description: Name of the owner. Kept, or the current user for a new file, when not set.
    type: str
  group:
    description: Name of the group. Kept, or the current user's for a new file, when not set.
    type: str
  mode:
    description: Permissions, as an octal number in quotes.
    type: raw
    default: "0640"
"""

EXAMPLES = r"""
- name: Write the settings
  selfhost.flask.dotenv:
    path: /srv/blog/shared/.env
    values:
      DATABASE_URL: "mysql+pymysql://blog:{{ password | urlencode }}@localhost/blog"
      MAIL_SERVER: localhost
    generate: [SECRET_KEY]
    absent: [FLASK_DEBUG]
    prune: true
    next: /srv/blog/shared/.env.next
    owner: root
    group: blog
"""

RETURN = r"""
added:
  description: The keys that were added, generated ones among them.
  type: list
  elements: str
  returned: success
  sample: [SECRET_KEY]
updated:
  description: The keys that got another value, or a form that both readers understand.
  type: list
  elements: str
  returned: success
removed:
  description: The keys that were removed.
  type: list
  elements: str
  returned: success
generated:
  description: The keys whose secret was made now.
  type: list
  elements: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.common.results import with_diff
from ansible_collections.selfhost.flask.plugins.module_utils.flask.env_file import establish_settings, take_values


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            path=dict(type="path", required=True),
            values=dict(type="dict", default={}, no_log=True),
            absent=dict(type="list", elements="str", default=[]),
            prune=dict(type="bool", default=False),
            next=dict(type="path"),
            generate=dict(type="list", elements="str", default=[]),
            required=dict(type="list", elements="str", default=[]),
            required_from=dict(type="list", elements="path", default=[]),
            owner=dict(type="str"),
            group=dict(type="str"),
            mode=dict(type="raw", default="0640"),
        ),
        supports_check_mode=True,
    )
    module.exit_json(**with_diff(module, establish_settings(module, take_values(module))))


if __name__ == "__main__":
    main()
