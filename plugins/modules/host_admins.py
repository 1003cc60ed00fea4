#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_admins
short_description: Gives administrators their accounts, keys and sudo, and takes nothing away
version_added: 0.1.0
description:
  - Makes the accounts and groups that are missing, adds the keys that are missing, and lets them use sudo.
  - Nobody loses anything by it, so that it needs no proof. M(selfhost.flask.host_access) does the same, and takes
    away what left the list, once a login has proven that somebody still gets in.
extends_documentation_fragment: selfhost.flask.admins
author: The selfhost.flask developers (@selfhost)
attributes:
  check_mode:
    description: Says whether something would change.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Give the administrators their accounts
  selfhost.flask.host_admins:
    admins:
      owner: blog
      users: [{name: deploy, ssh_keys: [ssh-ed25519 AAAA… alice@laptop]}]
      sudoers: "deploy ALL=(ALL:ALL) NOPASSWD: ALL\n"
"""

RETURN = r"""
changed_files:
  description: The paths that were written.
  type: list
  elements: str
  returned: when not in check mode
  sample: [/home/deploy/.ssh/authorized_keys]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.access.admins import Admins, Refused
from ansible_collections.selfhost.flask.plugins.module_utils.access.guard import FOLDER, Guard
from ansible_collections.selfhost.flask.plugins.module_utils.common import arguments


def main() -> None:
    module = AnsibleModule(argument_spec=arguments.ADMINS, supports_check_mode=True)
    if module.params["admins"] is None:
        module.fail_json(msg="admins is not set. Name the administrators; nothing was changed.")
    module.run_command_environ_update = {"LC_ALL": "C", "LANGUAGE": "C"}
    try:
        if not module.check_mode:
            Guard(module, FOLDER).hold()
        admins = Admins(module)
        if module.check_mode:
            module.exit_json(changed=bool(admins.accounts() or admins.changes()))
        admins.check_sudoers()
        commands = admins.accounts()
        written = admins.add()
    except Refused as error:
        module.fail_json(
            msg="Nobody has lost a way in, but not all administrators have theirs: %s. Put that right, and run the "
            "playbook again." % str(error).rstrip(".")
        )
    module.exit_json(changed=bool(commands or written), changed_files=written)


if __name__ == "__main__":
    main()
