#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flask_removal
short_description: Takes a Flask application off a host, with all that is its own
version_added: 0.1.0
description:
  - Ends the application's programs, units and timers, and removes its files, its database, its user, its rules of the firewall,
    and what it gave to administrators. What other applications of the host need as well stays theirs.
  - Each part of the stack says itself what it leaves for an application, in O(remains) and O(databases).
  - A run that was cut off is ended by the next one.
extends_documentation_fragment:
  - selfhost.flask.site
  - selfhost.flask.site.records
  - selfhost.flask.lock
attributes:
  check_mode:
    description: Says what there is of the application.
    support: full
  diff_mode:
    description: Shows what goes.
    support: full
  idempotent:
    description: A second run finds nothing.
    support: full
options:
  remains:
    description: What each part has left, in the order in which it is removed.
    type: list
    elements: dict
    default: []
    suboptions:
      units:
        description: Units of systemd's in C(/etc/systemd/system), or patterns of their names.
        type: list
        elements: str
      paths:
        description: Files and folders, or patterns of their paths. Each has the application's name in it.
        type: list
        elements: path
      look:
        description: Lines for a shell that print what else there is of C($app). They change nothing.
        type: str
        default: ""
      take:
        description: Lines for a shell that remove what O(remains[].look) has printed.
        type: str
        default: ""
      reload:
        description: The command, for a shell, by which whoever reads the files learns that they are gone.
        type: str
        default: ""
  databases:
    description: What was made for the application on this host's database server.
    type: list
    elements: dict
    default: []
    suboptions:
      kind: &kind
        description: Of the driver that speaks to the server.
        type: str
        required: true
      name: &name
        description: The database.
        type: str
        required: true
      account: &account
        description: What the application logs in with.
        type: str
        default: ""
  former:
    description: The same, of parts that the application does not use any more. What there is of it stays, and is said.
    type: list
    elements: dict
    default: []
    suboptions: {kind: *kind, name: *name, account: *account}
  reason:
    default: the removal
"""

EXAMPLES = r"""
- name: Remove the application
  selfhost.flask.flask_removal:
    name: blog
    root: /srv/blog
    log: /var/log/blog
    remains: >-
      {{ query("selfhost.flask.parts", "remains", kind=["proxy", "process", "always"],
               known=true) }}
    databases: "{{ query('selfhost.flask.parts', 'databases') }}"
"""

RETURN = r"""
holder:
  description: Who has the lock.
  type: dict
  returned: when somebody else has it
found:
  description: What there was of the application, in words.
  type: list
  elements: str
  returned: always
  sample: [unit flask-blog-backup.timer, folder /srv/blog, user blog]
stays:
  description: What is not removed although it has the application's name, in words.
  type: list
  elements: str
  returned: always
begun:
  description: Whether an earlier run has begun to remove it, and was cut off.
  type: bool
  returned: always
set_up:
  description: Whether it has what a backup is made with.
  type: bool
  returned: always
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.access.admins import Refused
from ansible_collections.selfhost.flask.plugins.module_utils.common.arguments import RECORDS, SITE, lock_options
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.common.results import diff_result
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import DatabaseError
from ansible_collections.selfhost.flask.plugins.module_utils.database.drivers import DRIVERS
from ansible_collections.selfhost.flask.plugins.module_utils.database.url import Address
from ansible_collections.selfhost.flask.plugins.module_utils.process.manager import ProcessError
from ansible_collections.selfhost.flask.plugins.module_utils.removal.remains import RemovalError
from ansible_collections.selfhost.flask.plugins.module_utils.removal.removal import Removal
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import Busy, Lock, step
from ansible_collections.selfhost.flask.plugins.module_utils.site.module_lock import take_lock
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

PROBLEMS = (RemovalError, Refused, Busy, CommandError, DatabaseError, ProcessError, OSError)
UNFINISHED = "%s is removed in part only: %s. Put that right, and run `selfhost.flask.remove` again: it goes on from there."
REFUSED = "%s can't be removed: %s. Put that right, and run `selfhost.flask.remove` again. Nothing was changed."
UNUSED = "%s, which the application does not use any more, and which no backup has"


def former_of(module: AnsibleModule) -> list:
    """The databases that stay, in words."""
    name, found = module.params["name"], []
    for one in module.params["former"]:
        if one["kind"] in DRIVERS and DRIVERS[one["kind"]](one["name"], name).is_there():
            found.append(UNUSED % Address(one["kind"], one["name"]).in_words())
    return found


def carry_out(module: AnsibleModule, site: Site, removal: Removal) -> None:
    """Removes it, as the only one who changes the application."""
    identity = ""
    try:
        if not os.path.isdir(site.path("deployment")):
            return removal.run()
        identity = take_lock(module, site) if module.params["owner"] else ""
        with step(site.root):
            removal.run()
    except PROBLEMS as error:
        if identity and os.path.isdir(site.path("deployment")):
            Lock(site).release(identity)
        module.fail_json(msg=UNFINISHED % (site.name, str(error).rstrip(".")))


def main() -> None:
    database = dict(
        kind=dict(type="str", required=True), name=dict(type="str", required=True), account=dict(type="str", default="")
    )
    remains = dict(
        units=dict(type="list", elements="str"),
        paths=dict(type="list", elements="path"),
        **{name: dict(type="str", default="") for name in ("look", "take", "reload")},
    )
    module = AnsibleModule(
        argument_spec=dict(
            SITE,
            **RECORDS,
            **lock_options("the removal"),
            remains=dict(type="list", elements="dict", default=[], options=remains),
            databases=dict(type="list", elements="dict", default=[], options=database),
            former=dict(type="list", elements="dict", default=[], options=database),
        ),
        supports_check_mode=True,
    )
    params = module.params
    module.run_command_environ_update = {"LC_ALL": "C", "LANGUAGE": "C"}
    site = Site(params["name"], params["root"], params["log"])
    try:
        removal = Removal(module, site, params["remains"], params["databases"])
        removal.check()
        stays = former_of(module) + removal.parting.stays
        result = dict(found=removal.found(), stays=stays, begun=removal.is_begun)
    except PROBLEMS as error:
        module.fail_json(msg=REFUSED % (site.name, str(error).rstrip(".")))
    result["set_up"] = os.path.isfile(site.path("deployment", "backup.json"))
    if removal.steps and not module.check_mode:
        carry_out(module, site, removal)
        for note in removal.parting.notes:
            module.warn(note)
    diff = dict(before="".join(words + "\n" for words in result["found"]), after="")
    module.exit_json(changed=bool(removal.steps), **result, **diff_result(module, diff))


if __name__ == "__main__":
    main()
