#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flask_session
short_description: Begins and ends the deployment of a Flask application
version_added: 0.1.0
description:
  - One deployment of an application runs at a time. The module takes the application's lock with its owner and the
    reason, or fails with who has it. A lock is taken over from an owner who ran on this controller and has ended,
    and from any owner under whom nothing has happened for ten minutes.
  - What a crashed deployment has begun on the host is completed or rolled back first.
  - Then it looks whether the host is ready, before anything is changed, that is whether there is room on its disks,
    and whether its database answers.
extends_documentation_fragment:
  - selfhost.flask.site
  - selfhost.flask.site.records
  - selfhost.flask.lock
attributes:
  check_mode:
    description: Looks at the host, and takes no lock.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  idempotent:
    description: The same playbook can begin as often as it likes.
    support: full
options:
  state:
    description: Whether the deployment begins, or ends without having served anything new.
    type: str
    choices: [begun, ended]
    default: begun
  reason:
    default: a deployment
  disk_free:
    description: Megabytes that have to be free where the application and its backups are, beside what these need.
    type: int
    default: 500
  release:
    description: With O(state=ended), what could not be deployed.
    type: str
    default: ""
  problem:
    description: With O(state=ended), why. An empty one says that nothing had to be done.
    type: str
    default: ""
  step:
    description: With O(state=ended), at which step of the playbook.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Begin the deployment
  selfhost.flask.flask_session:
    name: blog
    root: /srv/blog
    log: /var/log/blog
    reason: update to v1.3
"""

RETURN = r"""
id:
  description: Identity of the deployment, for M(selfhost.flask.flask_deployment).
  type: str
  returned: always
recovered:
  description: What became of a deployment that had died; empty where there was none.
  type: str
  returned: always
served:
  description: The release that is served; empty where none is.
  type: str
  returned: with O(state=ended)
holder:
  description: Who has the lock.
  type: dict
  returned: when somebody else has it
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.common.arguments import RECORDS, SITE, lock_options
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.journal import Journal
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.session import begin, is_set_up
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.slots import Slots
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import Lock
from ansible_collections.selfhost.flask.plugins.module_utils.site.records import Records
from ansible_collections.selfhost.flask.plugins.module_utils.site.settings import Settings
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site


def end(module: AnsibleModule, site: Site) -> None:
    """Gives the lock back and notes a failure, unless the deployment has ended itself; ends the module."""
    owner = module.params["owner"]["id"]
    slots = Slots(site)
    served = site.release_name(slots.release(slots.live()))
    held = None if module.check_mode else Lock(site).release(owner)
    if held:
        Settings(site).discard()
    if not module.check_mode:
        note_failure(module, site, held or {})
    module.exit_json(changed=False, id=owner, recovered="", served=served)


def note_failure(module: AnsibleModule, site: Site, held: dict) -> None:
    """Notes what failed, unless that was noted already, or its end is yet to be seen, or somebody else is at work."""
    records, params = Records(site), module.params
    if not params["problem"] or records.has_session(params["owner"]["id"]):
        return
    if Journal(site).read() is None and Lock(site).holder() is None:
        seconds = {"build": round(time.time() - held["since"], 1)} if held else {}
        about = dict(by=params["owner"]["owner"], session=params["owner"]["id"], step=params["step"], seconds=seconds)
        records.add_failure(params["release"], params["problem"], **about)


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            SITE,
            **RECORDS,
            **lock_options("a deployment"),
            state=dict(type="str", choices=["begun", "ended"], default="begun"),
            disk_free=dict(type="int", default=500),
            release=dict(type="str", default=""),
            problem=dict(type="str", default=""),
            step=dict(type="str", default=""),
        ),
        supports_check_mode=True,
    )
    site = Site(module.params["name"], module.params["root"], module.params["log"])
    if not is_set_up(module, site):
        module.exit_json(changed=False, id=module.params["owner"]["id"], recovered="")
    if module.params["state"] == "ended":
        end(module, site)
    recovered = begin(module, site, module.params["disk_free"])
    module.exit_json(changed=bool(recovered), id=module.params["owner"]["id"], recovered=recovered)


if __name__ == "__main__":
    main()
