# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an application serves, and what was deployed when, for programs and for people."""

from __future__ import annotations

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
