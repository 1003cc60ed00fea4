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
  - Whatever a dead deployment has begun on the host is completed or taken back first.
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

import os
import shutil
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.common.arguments import RECORDS, SITE, lock_options
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.database.data import database_of
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import DatabaseError, members_of
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.journal import Journal
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.slots import Slots
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.transaction import recover
from ansible_collections.selfhost.flask.plugins.module_utils.process.manager import ProcessError
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import Busy, Lock, step
from ansible_collections.selfhost.flask.plugins.module_utils.site.module_lock import take_lock
from ansible_collections.selfhost.flask.plugins.module_utils.site.records import Records
from ansible_collections.selfhost.flask.plugins.module_utils.site.settings import Settings
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

MEGABYTE = 1 << 20
INODES = 20000  # an application with its environment has about half of that
BACKUPS = "/var/backups"


class NotReady(Exception):
    """What the host lacks."""


def check_disk(path: str, megabytes: int, inodes: int) -> None:
    """NotReady where a file system has no room."""
    status, free = os.statvfs(path), shutil.disk_usage(path).free // MEGABYTE
    if free < megabytes:
        raise NotReady("The disk of %s has %d MB free, and %d MB are needed. Make room" % (path, free, megabytes))
    if status.f_files and status.f_favail < inodes:
        raise NotReady("The file system of %s has only %d inodes left. Remove files" % (path, status.f_favail))


def check_host(site: Site, disk_free: int) -> None:
    """NotReady where a deployment would fail later."""
    needed = {site.root: 0, BACKUPS: 0}
    for database in members_of(database_of(site)):
        try:
            size = database.size() // MEGABYTE
        except CommandError as error:
            raise NotReady("The database %s does not answer. Start it. %s" % (database.name, error)) from error
        for folder in [BACKUPS, *filter(os.path.isdir, database.folders())]:
            needed[folder] = needed.get(folder, 0) + size
    for folder, megabytes in needed.items():
        check_disk(folder, disk_free + megabytes, INODES if folder == site.root else 0)


def begin(module: AnsibleModule, site: Site) -> None:
    """Takes the lock, ends what was left behind, and sees that the host is ready; ends the module."""
    owner, recovered = module.params["owner"]["id"], ""
    if not module.check_mode:
        take_lock(module, site, id=owner, recovered="")
    try:
        if not module.check_mode:
            with step(site.root):
                recovered = recover(site)
                Settings(site).discard()  # of a run that did not come to take them
        check_host(site, module.params["disk_free"])
    except (NotReady, Busy, DatabaseError, CommandError, OSError, ProcessError) as error:
        if not module.check_mode:
            Lock(site).release(owner)
        module.fail_json(msg="%s. Nothing was changed." % str(error).rstrip("."))
    module.exit_json(changed=bool(recovered), id=owner, recovered=recovered)


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
    if not os.path.isdir(site.path("deployment")) or not os.path.isdir(site.log):  # check mode on a bare host
        if not module.check_mode:
            module.fail_json(msg="%s is not set up on this host. Run site.yml." % site.name)
        module.exit_json(changed=False, id=module.params["owner"]["id"], recovered="")
    begin(module, site) if module.params["state"] == "begun" else end(module, site)


if __name__ == "__main__":
    main()
