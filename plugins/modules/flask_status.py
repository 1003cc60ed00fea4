#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flask_status
short_description: Says what a Flask application serves, and what was deployed when
version_added: 0.1.0
description:
  - Reads what the deployments recorded, the slots, the workers, the lock and the database's revision.
extends_documentation_fragment:
  - selfhost.flask.site
  - selfhost.flask.site.records
  - selfhost.flask.reading
options:
  entries:
    description: How many deployments to list, the newest first.
    type: int
    default: 15
"""

EXAMPLES = r"""
- name: Ask what is served
  selfhost.flask.flask_status:
    name: blog
    root: /srv/blog
    log: /var/log/blog
  register: status
"""

RETURN = r"""
release:
  description: Name of the release that is served; empty where none is.
  type: str
  returned: always
slot:
  description: The live slot.
  type: str
  returned: always
programs:
  description: The state of each slot and worker, in the words of the process manager.
  type: dict
  returned: always
ends:
  description: How often a slot or worker ended by itself in the last hour, since the release was launched.
  type: dict
  returned: always
revision:
  description: The database's revision.
  type: list
  elements: str
  returned: always
databases:
  description: The databases of this host that the application keeps its data in; a SQLite file by its path.
  type: list
  elements: str
  returned: always
not_copied:
  description: Its other databases, in words, which neither backups nor updates copy.
  type: list
  elements: str
  returned: always
notes:
  description: What has to be said of its databases.
  type: list
  elements: str
  returned: always
closed:
  description: What maintenance has closed, V(all), V(writes) or V(nothing).
  type: str
  returned: always
lock:
  description: Who deploys at the moment.
  type: dict
  returned: always
interrupted:
  description: Name of the release whose deployment was interrupted and is not ended yet.
  type: str
  returned: always
deployments:
  description: What was deployed, the newest first, as in C(releases.json).
  type: list
  elements: dict
  returned: always
table:
  description: All of this as lines of text.
  type: list
  elements: str
  returned: always
"""


from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.common.arguments import RECORDS, SITE
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.database.data import Data, data_of
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import DatabaseError, members_of
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.gate import Gate
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.journal import Journal
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.slots import SLOTS, Slots
from ansible_collections.selfhost.flask.plugins.module_utils.process.manager import ProcessError
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import Lock
from ansible_collections.selfhost.flask.plugins.module_utils.site.records import Records, reason
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

COLUMNS = ("TIME", "RELEASE", "OUTCOME", "DATABASE", "SECONDS", "BY")


def programs(slots: Slots) -> tuple[dict, dict]:
    """Each slot's and worker's state, and how often it ended by itself; the problem where the process manager does not answer."""
    try:
        names = [slots.program(slot) for slot in SLOTS] + slots.known_workers()
        ends = slots.ends()
        states = {name: slots.processes.look(name).word for name in names}
        return states, {name: ends[name] for name in names if ends[name]}
    except ProcessError as error:
        return {error.manager: "does not answer (%s)" % error}, {}


def revision(data: Data) -> list:
    try:
        return data.database.revision() if data.database else []
    except (CommandError, DatabaseError):
        return ["does not answer"]


def status(site: Site, entries: int) -> dict:
    """What the module returns."""
    slots, journal = Slots(site), Journal(site).read() or {}
    live, data = slots.live(), data_of(site)
    states, ends = programs(slots)
    return dict(
        release=site.release_name(slots.release(live)) if live else "",
        slot=live,
        programs=states,
        ends=ends,
        revision=revision(data),
        databases=[one.name for one in members_of(data.database)],
        not_copied=list(data.missing),
        notes=data.notes(),
        closed=Gate(site).closed(),
        lock=Lock(site).holder() or {},
        interrupted=journal.get("entry", {}).get("release", ""),
        deployments=Records(site).entries[::-1][:entries],
    )


def table(found: dict) -> list:
    """The same for a person."""
    serving = "serves %(release)s from the %(slot)s slot" if found["slot"] else "serves nothing yet"
    lines = [serving % found]
    for name, state in found["programs"].items():
        ended = ", ended by itself %d times in the last hour" % found["ends"][name] if name in found["ends"] else ""
        lines.append("%s: %s%s" % (name, state, ended))
    lines.append("database at " + (", ".join(found["revision"]) or "no revision"))
    lines += found["notes"]
    if found["closed"] != "nothing":
        lines.append("MAINTENANCE: closed for %s" % found["closed"])
    if found["lock"]:
        lines.append("locked by %(owner)s for %(reason)s" % found["lock"])
    if found["interrupted"]:
        lines.append("INTERRUPTED: the deployment of %s is not ended yet" % found["interrupted"])
    lines += aligned([COLUMNS] + [row(entry) for entry in found["deployments"]])
    last = next(iter(found["deployments"]), {})
    return lines + (["the last one failed: " + reason(last)] if last.get("problem") else [])


def row(entry: dict) -> tuple:
    seconds = sum(entry.get("seconds", {}).values())
    at = ", ".join(entry.get("revision", []))
    return entry["time"], entry["release"], entry["outcome"], at, "%.1f" % seconds, entry.get("by", "")


def aligned(rows: list) -> list:
    """Rows whose columns begin below each other."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip() for cells in rows]


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            SITE,
            **RECORDS,
            entries=dict(type="int", default=15),
        ),
        supports_check_mode=True,
    )
    found = status(Site(module.params["name"], module.params["root"], module.params["log"]), module.params["entries"])
    module.exit_json(changed=False, table=table(found), **found)


if __name__ == "__main__":
    main()
