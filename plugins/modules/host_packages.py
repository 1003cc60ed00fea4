#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_packages
short_description: Installs packages in one transaction, and ends an interrupted one first
version_added: 0.1.0
description:
  - Installs Debian packages that are missing, without those that are only recommended, and without a question.
    Where a configuration file was changed by hand, it stays.
  - An installation that was interrupted, by a full disk, a killed process or the loss of the power, is brought
    to its end first.
  - The lists of packages are fetched where they are older than an hour, or where a package can't be installed
    with those that are there, such as none at all.
  - A lock of the list of users, of a program that ended with the host's power, is removed.
  - The packages' services do not start. The file C(/usr/sbin/policy-rc.d) sees to that while the installation
    runs; one that a killed run has left behind is removed.
  - Where nothing is missing, the same run looks which M(selfhost.flask.config_files) of earlier runs have nothing to do.
author: The selfhost.flask developers (@selfhost)
attributes:
  check_mode:
    description: Says whether something would be installed.
    support: full
  diff_mode:
    description: Shows the packages that are installed, or would be.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
options:
  names:
    description: The packages, each as a name or as C(name=version).
    type: list
    elements: str
    required: true
  patience:
    description: For how many seconds to wait for another package manager.
    type: int
    default: 600
"""

EXAMPLES = r"""
- name: Install the packages of the roles
  selfhost.flask.host_packages:
    names: [nginx, supervisor]
"""

RETURN = r"""
installed:
  description: The packages of O(names) that were missing.
  type: list
  elements: str
  returned: success
  sample: [nginx]
settled:
  description:
    - The identities of the tasks of M(selfhost.flask.config_files) that have left all as it still is, with what the host
      answers to each one's C(ask). What counts is what is on the host now, not what a run remembers.
    - None where packages were installed, or would be.
  type: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.common.results import diff_result
from ansible_collections.selfhost.flask.plugins.module_utils.host.account_locks import left_locks, remove_locks
from ansible_collections.selfhost.flask.plugins.module_utils.host.packages import (
    PackageError,
    Packages,
    has_left_policy,
)
from ansible_collections.selfhost.flask.plugins.module_utils.host.settled import look
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import Busy


def complete(module: AnsibleModule) -> dict:
    """Installs what is missing; what the module returns."""
    packages, names = Packages(module, module.params["patience"]), module.params["names"]
    before, missing, interrupted = packages.known, packages.missing(names), packages.is_interrupted()
    changed = bool(missing or has_left_policy() or left_locks())
    if module.check_mode:
        changed = changed or interrupted
    elif changed or interrupted:
        remove_locks()
        packages.complete(names)
        changed = changed or packages.known != before or not packages.is_interrupted()
    lines = "".join("install %s\n" % name for name in missing)
    diff = [dict(prepared=lines)] if lines else []
    settled = {} if changed else look(module)
    return dict(changed=changed, installed=missing, settled=settled, **diff_result(module, diff))


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            names=dict(type="list", elements="str", required=True),
            patience=dict(type="int", default=600),
        ),
        supports_check_mode=True,
    )
    try:
        result = complete(module)
    except (PackageError, Busy) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg="%s can't be written (%s). Put that right, then run the playbook again." % (
            error.filename, error.strerror))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
