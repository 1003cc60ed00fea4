#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_database
short_description: Brings an application's database on this host's PostgreSQL to what it should be
version_added: 0.1.0
description:
  - Makes the role, its database and the extensions in it in one run, and takes from the role every right but those of the
    database's owner. Nobody else can connect to it.
  - Waits for a server that is starting up.
  - The system user C(postgres) speaks to the server, through its socket. No value of a parameter is in a command line.
author: The selfhost.flask developers (@selfhost)
attributes:
  check_mode:
    description: Says what would be made.
    support: full
  diff_mode:
    description: Shows each change in words, and never a password.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
options:
  name:
    description: Name of the database, and of the role that owns it.
    type: str
    required: true
  password:
    description: The role's password. Without one, the server lets in the system user of the same name.
    type: str
    default: ""
  update_password:
    description: V(on_create) leaves the password of a role alone that is there already.
    type: str
    choices: [always, on_create]
    default: always
  connections:
    description: How many connections the role may have at a time; 0 for as many as the server takes.
    type: int
    default: 0
  extensions:
    description: Extensions that the database has. One that is not named is left as it is.
    type: list
    elements: str
    default: []
  version:
    description: The major version that the server should have. With another one, the module fails, and says how to change it.
    type: int
    required: true
  locale:
    description: The locale of a database that is made; that of one that is there stays.
    type: str
    default: C.UTF-8
"""

EXAMPLES = r"""
- name: Make the application's database
  selfhost.flask.postgresql_database:
    name: blog
    version: 15
    extensions: [pg_trgm]
"""

RETURN = r"""
changes:
  description: What was changed, or would be.
  type: list
  elements: str
  returned: success
  sample: [create the role blog, create the database blog]
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.common.results import diff_result
from ansible_collections.selfhost.flask.plugins.module_utils.database.dump import DatabaseError
from ansible_collections.selfhost.flask.plugins.module_utils.database.postgresql_client import ask
from ansible_collections.selfhost.flask.plugins.module_utils.database.postgresql_setup import Setup, Wanted

STARTING = "starting up"  # after a crash it first reads its log
PATIENCE = 300  # seconds
PAUSE = 0.2
PROBLEM = "PostgreSQL can't be asked: %s\nSee `journalctl -u 'postgresql@*'` and /var/log/postgresql, and run the playbook again."


def wait_for_server() -> None:
    """CommandError where it does not answer, and will not by itself."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            ask("SELECT 1")
            return
        except CommandError as error:
            if STARTING not in str(error) or time.monotonic() > end:
                raise
        time.sleep(PAUSE)


def changes(module: AnsibleModule) -> list:
    """Brings about what is wanted, unless in check mode; the changes in words."""
    params = module.params
    wait_for_server()
    setup = Setup(Wanted(
        params["name"], params["version"], params["locale"], params["extensions"], params["password"],
        params["update_password"] == "always", params["connections"],
    ))
    setup.check()
    steps = setup.steps()
    for step in [] if module.check_mode else steps:
        step.make()
    return [step.words for step in steps]


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            name=dict(type="str", required=True),
            password=dict(type="str", default="", no_log=True),
            update_password=dict(type="str", choices=["always", "on_create"], default="always", no_log=False),
            connections=dict(type="int", default=0),
            extensions=dict(type="list", elements="str", default=[]),
            version=dict(type="int", required=True),
            locale=dict(type="str", default="C.UTF-8"),
        ),
        supports_check_mode=True,
    )
    try:
        made = changes(module)
    except DatabaseError as error:
        module.fail_json(msg=str(error))
    except CommandError as error:
        module.fail_json(msg=PROBLEM % error)
    diff = [dict(prepared="".join(words + "\n" for words in made))] if made else []
    module.exit_json(changed=bool(made), changes=made, **diff_result(module, diff))


if __name__ == "__main__":
    main()
