#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flask_adoption
short_description: Finds, moves and removes a Flask application that was installed by hand
version_added: 1.0.0
description:
  - Finds an application that somebody has installed as the tutorials have it, by the programs of supervisor, the units of
    systemd and the processes that answer requests, and says what of it can be moved to an application of this collection.
  - Its data is archived in the form of a backup, so that M(selfhost.flask.flask_backup) restores it into the new one.
  - The old installation is left whole. It is stopped so that no boot starts it again, until it is started again or removed.
author: The selfhost.flask developers (@selfhost)
attributes:
  check_mode:
    description: Says what there is, and changes nothing.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  idempotent:
    description: A second run with the same O(state) finds nothing to do, or does it again with the same result.
    support: full
options:
  state:
    description:
      - V(found) looks, and changes nothing.
      - V(roomy) fails where the new application's host has no room for what is moved.
      - V(read) returns the settings and the certificate that are taken over, which are secrets.
      - V(moved) stops the old installation and archives its data.
      - V(settled) notes that visitors have the new application, so that the data is not moved another time.
      - V(returned) starts the old installation again as it was. What others have changed since the move stays. A second time
        changes nothing.
      - V(resting) stops the new application's workers and scheduled jobs, on its host, until data is moved to it again.
      - V(equal) compares what the new application has with the archive, on the new one's host.
      - V(served) asks the new application as a visitor of its host does.
      - V(packed) makes one file of all that V(absent) removes.
      - V(absent) removes what was moved, with its database and its database user.
    type: str
    choices: [found, roomy, read, moved, settled, returned, resting, equal, served, packed, absent]
    default: found
  name:
    description: Name of the new application.
    type: str
    required: true
  program:
    description: Which program is meant, if there are several applications.
    type: str
    default: ""
  wishes:
    description: What the inventory says of the new application, as far as the old one has to suit it.
    type: dict
    default: {}
    suboptions:
      database:
        description: Kind of the new application's database, or V(none) or V(external).
        type: str
        default: ""
      shared:
        description: The folders of the new application that are moved, relative to its own.
        type: list
        elements: str
        default: []
      left_out:
        description:
          - Paths, relative to the old installation's folder, that are not moved, and names of what works beside it that the new
            application does without.
        type: list
        elements: str
        default: []
      given:
        description: Names of the settings that the user gives the new application.
        type: list
        elements: str
        default: []
      own:
        description: Names of the settings that this collection gives it.
        type: list
        elements: str
        default: []
      databases:
        description: The URLs of databases in the settings of the new application, which may have passwords.
        type: list
        elements: str
        default: []
      entrances:
        description: What the part of the new application's database declares of how others get in.
        type: dict
        default: {}
      workers:
        description: The new application's workers, each with its C(name) and C(command).
        type: list
        elements: dict
        default: []
      jobs:
        description: The new application's scheduled jobs, likewise.
        type: list
        elements: dict
        default: []
      displaced:
        description: The units that the new application's parts stop, each with the variable that keeps it.
        type: dict
        default: {}
      names:
        description:
          - The host names that the new application will ask a certificate for. One of the old installation that is good for them
            is taken over for the time until then. Empty for none.
        type: list
        elements: str
        default: []
      same_host:
        description: Whether the new application is on the old one's host, whose configuration changes then.
        type: bool
        default: false
  archive:
    description: The folder of the archive, with V(equal), or the one that it comes to, with V(roomy).
    type: path
  size:
    description: How many bytes are moved, with V(roomy).
    type: int
    default: 0
  root:
    description: The new application's folder, with V(equal), V(roomy) and V(resting).
    type: path
    default: /
  domain:
    description: The new application's host name, with V(served).
    type: str
    default: localhost
  url:
    description: The path that is asked for, with V(served).
    type: str
    default: /
  accepted:
    description: The statuses that are healthy, with V(served). Without any, those below 400.
    type: list
    elements: int
    default: []
"""

EXAMPLES = r"""
- name: Look for the old installation
  selfhost.flask.flask_adoption:
    name: blog
    wishes:
      database: mysql
      shared: [instance]
"""

RETURN = r"""
lines:
  description: What was found and would be moved, or what remains, in words.
  type: list
  elements: str
  returned: with O(state=found), O(state=packed) and O(state=absent)
obstacles:
  description: What stands in the way, each with what to do.
  type: list
  elements: str
  returned: with O(state=found)
notes:
  description: What is not moved, and what to do instead.
  type: list
  elements: str
  returned: with O(state=found)
stage:
  description: How far an adoption has come; empty, V(begun), V(moved), V(served) or V(returned).
  type: str
  returned: with O(state=found), and if it fails
managers:
  description: What runs its programs.
  type: list
  elements: str
  returned: with O(state=found)
files:
  description: The files that describe its programs and sites.
  type: list
  elements: str
  returned: with O(state=found)
databases:
  description: The names of its databases on this host's server.
  type: list
  elements: str
  returned: with O(state=found)
size:
  description: About how many bytes are moved; 0 where something stands in the way.
  type: int
  returned: with O(state=found)
revision:
  description: The revision of its database.
  type: list
  elements: str
  returned: with O(state=found)
settings:
  description: The settings that are taken over. They are secrets.
  type: dict
  returned: with O(state=read)
certificate:
  description: The certificate that is good for O(wishes.names), with its chain, in PEM format.
  type: str
  returned: with O(state=read), if there is one
key:
  description: Its private key. It is a secret.
  type: str
  returned: with O(state=read), if there is one
backup:
  description: Name of the archive.
  type: str
  returned: with O(state=moved)
path:
  description: The archive's folder, or the file with all that is removed.
  type: str
  returned: with O(state=moved) and O(state=packed)
stopped:
  description: When it was stopped, in seconds since 1970.
  type: float
  returned: with O(state=moved)
rows:
  description: How many rows the new application's database has.
  type: int
  returned: with O(state=equal)
count:
  description: How many files the new application has in the folders that were moved.
  type: int
  returned: with O(state=equal)
seconds:
  description: How long ago the old installation was stopped. Until the first O(state=settled), nobody had an answer.
  type: float
  returned: with O(state=settled)
stays:
  description: What is not removed, or not as it was before the move, in words.
  type: list
  elements: str
  returned: with O(state=absent) and O(state=returned)
"""

import os
import platform
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.ending import Ending
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.handover import (
    check_rooms,
    down,
    give_back,
    hand_over,
)
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.handover import settle as note_visitors
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.installation import (
    AdoptionError,
    choose,
    find_installations,
)
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.obstacles import Wishes
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.plan import Plan, make_plan
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.resting import enabled_timers, stop_jobs
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.served import ask, compare_all
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.store import BEGUN, MOVED, RETURNED, SERVED, Store
from ansible_collections.selfhost.flask.plugins.module_utils.backup.store import PROBLEMS
from ansible_collections.selfhost.flask.plugins.module_utils.database.url import read_url
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.gate import Gate
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.slots import Slots
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.transaction import RETRY_AFTER, WORKERS
from ansible_collections.selfhost.flask.plugins.module_utils.process.manager import ProcessError
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

INTERRUPTED = (
    "An earlier run was interrupted while it moved the old installation of %s. Start that again by -e flask_adopt=back, and then "
    "move it by -e flask_adopt=start."
)
GONE = "The old installation of %s is stopped: its data was moved by an earlier run. Run -e flask_adopt=back or finish."
NOTHING_LEFT = (
    "There is nothing to remove: the old installation of %s was not moved from this host, or an earlier run with "
    "-e flask_adopt=finish has removed it."
)
NOT_AGAIN = (
    "The old installation of %s was started again by an earlier run, and %s does not run any more. Its files are where they "
    "were. Start it as you did before you had this collection, or move it again by -e flask_adopt=start."
)
NOTHING = "There is nothing to start again: no old installation of %s was stopped on this host."


def wishes_of(module: AnsibleModule) -> Wishes:
    about = {key: tuple(value) if isinstance(value, list) else value for key, value in module.params["wishes"].items()}
    return Wishes(**dict(about, databases=tuple(filter(None, map(read_url, about["databases"])))))


def plan_of(module: AnsibleModule, store: Store) -> Plan:
    """AdoptionError where nothing is found, or more than one, or only a part of it since a run was interrupted."""
    if store.state.get("stage") in (BEGUN, MOVED):
        raise AdoptionError(INTERRUPTED % module.params["name"])
    found = choose(find_installations(), module.params["program"], platform.node())
    return make_plan(found, wishes_of(module))


def look(module: AnsibleModule, store: Store) -> dict:
    """What there is; of one that was moved already, what remains."""
    if store.state.get("stage") == SERVED:
        lines = [GONE % module.params["name"], *Ending(store, module.params["name"]).found()]
        return dict(stage=SERVED, lines=lines, obstacles=[], notes=[], managers=[], files=[], databases=[], revision=[], size=0)
    plan = plan_of(module, store)
    found, database = plan.installation, None if plan.obstacles else plan.database
    return dict(
        stage=store.state.get("stage", ""), lines=plan.lines, obstacles=plan.obstacles, notes=plan.notes,
        managers=sorted({one.manager for one in found.programs}),
        files=[one.file for one in found.programs] + [path for proxy, site in found.sites for path in proxy().files(site)],
        size=0 if plan.obstacles else plan.size(),
        databases=[plan.address.name] if plan.address else [], revision=database.revision() if database else [],
    )


def find_room(module: AnsibleModule, store: Store) -> dict:
    check_rooms(*(module.params[key] for key in ("archive", "root", "size")), module.params["wishes"]["same_host"])
    return {}


def read(module: AnsibleModule, store: Store) -> dict:
    plan = plan_of(module, store)
    pair = plan.legacy.pair
    return dict(settings=plan.taken(wishes_of(module)), **(pair._asdict() if pair else {}))


def move(module: AnsibleModule, store: Store) -> dict:
    """Stops and archives. What was moved is not moved again: it would take the place of what came since."""
    name, wishes = module.params["name"], wishes_of(module)
    if store.state.get("stage") == SERVED:
        raise AdoptionError(GONE % name)
    plan = plan_of(module, store)
    if plan.obstacles:
        raise AdoptionError(" ".join(plan.obstacles))
    if not module.check_mode:
        hand_over(plan, store, name, plan.taken(wishes), wishes.same_host)
    return dict(changed=True, backup=store.state.get("backup", ""), path=store.archive(), stopped=store.state.get("stopped", 0))


def settle(module: AnsibleModule, store: Store) -> dict:
    """From here on, visitors write to the new one. It is this host's clock that has noted the stop."""
    if store.state.get("stage") not in (MOVED, SERVED):
        raise AdoptionError(NOTHING % module.params["name"])
    changed, seconds = store.state["stage"] != SERVED, round(time.time() - store.state.get("stopped", time.time()), 1)
    if changed and not module.check_mode:
        note_visitors(store)
    return dict(changed=changed, seconds=seconds)


def return_(module: AnsibleModule, store: Store) -> dict:
    if not store.state.get("programs"):
        raise AdoptionError(NOTHING % module.params["name"])
    if store.state["stage"] == RETURNED:  # the host's configuration has been others' since
        if down(store):
            raise AdoptionError(NOT_AGAIN % (module.params["name"], ", ".join(down(store))))
        return dict(stays=[])
    return dict(changed=True, stays=[] if module.check_mode else give_back(store))


def rest(module: AnsibleModule, store: Store) -> dict:
    """Nothing happens twice, once by the old application's workers and once by the new one's. Those that a boot starts wait."""
    site = Site(module.params["name"], module.params["root"], "")
    works = not Gate(site).refused(WORKERS) or bool(enabled_timers(site.name))
    changed = os.path.isdir(site.path("deployment")) and works
    if changed and not module.check_mode:
        Gate(site).refuse(WORKERS, RETRY_AFTER)
        stop_jobs(site.name)
        Slots(site).stop_workers()
    return dict(changed=changed)


def compare(module: AnsibleModule, store: Store) -> dict:
    params = module.params
    found = compare_all(Site(params["name"], params["root"], ""), params["archive"])
    return dict(rows=found["rows"], count=found["files"])


def serve(module: AnsibleModule, store: Store) -> dict:
    params = module.params
    ask(params["domain"], params["url"], params["accepted"])
    return {}


def ending_of(module: AnsibleModule, store: Store) -> Ending:
    if not store.state:
        raise AdoptionError(NOTHING_LEFT % module.params["name"])
    return Ending(store, module.params["name"])


def pack(module: AnsibleModule, store: Store) -> dict:
    ending = ending_of(module, store)
    return dict(lines=ending.found(), path="" if module.check_mode else ending.pack())


def remove(module: AnsibleModule, store: Store) -> dict:
    ending = ending_of(module, store)
    lines = ending.found()
    return dict(changed=bool(lines), lines=lines, stays=[] if module.check_mode else ending.remove())


STATES = dict(
    found=look, roomy=find_room, read=read, moved=move, settled=settle, returned=return_, resting=rest, equal=compare,
    served=serve, packed=pack, absent=remove,
)


def main() -> None:
    texts = {name: dict(type="list", elements="str", default=[]) for name in ("shared", "left_out", "given", "own", "names")}
    wishes = dict(
        database=dict(type="str", default=""),
        databases=dict(type="list", elements="str", default=[], no_log=True),
        entrances=dict(type="dict", default={}),
        displaced=dict(type="dict", default={}),
        workers=dict(type="list", elements="dict", default=[]),
        jobs=dict(type="list", elements="dict", default=[]),
        same_host=dict(type="bool", default=False),
        **texts,
    )
    module = AnsibleModule(
        argument_spec=dict(
            state=dict(type="str", choices=list(STATES), default="found"),
            name=dict(type="str", required=True),
            program=dict(type="str", default=""),
            wishes=dict(type="dict", default={}, apply_defaults=True, options=wishes),
            archive=dict(type="path"),
            size=dict(type="int", default=0),
            root=dict(type="path", default="/"),
            domain=dict(type="str", default="localhost"),
            url=dict(type="str", default="/"),
            accepted=dict(type="list", elements="int", default=[]),
        ),
        required_if=[("state", "equal", ("archive",)), ("state", "roomy", ("archive",))],
        supports_check_mode=True,
    )
    store = Store(module.params["name"])
    try:
        result = STATES[module.params["state"]](module, store)
    except (AdoptionError, ProcessError, *PROBLEMS) as error:
        module.fail_json(msg=str(error), stage=store.state.get("stage", ""))
    module.exit_json(**dict(dict(changed=False), **result))


if __name__ == "__main__":
    main()
