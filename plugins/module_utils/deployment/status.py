# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an application serves, and what was deployed when, for programs and for people."""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.common.words import count_of
from ansible_collections.selfhost.flask.plugins.module_utils.database.data import Data, data_of
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import DatabaseError, members_of
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.gate import Gate
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.journal import Journal
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.slots import SLOTS, Slots
from ansible_collections.selfhost.flask.plugins.module_utils.process.manager import STARTING, ProcessError
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import Lock
from ansible_collections.selfhost.flask.plugins.module_utils.site.records import Records, reason
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

COLUMNS = ("TIME", "RELEASE", "OUTCOME", "DATABASE", "SECONDS", "BY")


class Programs(NamedTuple):
    """How the slots and workers are, each by its name."""

    states: dict  # in the process manager's words; the problem, by its own name, if it does not answer
    ends: dict  # how often a program ended by itself in the last hour
    starting: list  # those that were started a moment ago


def programs(slots: Slots) -> Programs:
    """Asks the process manager."""
    try:
        names = [slots.program(slot) for slot in SLOTS] + slots.known_workers()
        ends = slots.ends()
        found = {name: slots.processes.look(name) for name in names}
        starting = [name for name, program in found.items() if program.phase == STARTING]
        states = {name: program.word for name, program in found.items()}
        return Programs(states, {name: ends[name] for name in names if ends[name]}, starting)
    except ProcessError as error:
        return Programs({error.manager: "does not answer (%s)" % error}, {}, [])


def revision(data: Data) -> list:
    try:
        return data.database.revision() if data.database else []
    except (CommandError, DatabaseError):
        return ["does not answer"]


def status(site: Site, entries: int) -> dict:
    """What the module returns."""
    slots, journal = Slots(site), Journal(site).read() or {}
    live, data = slots.live(), data_of(site)
    running = programs(slots)
    return dict(
        release=site.release_name(slots.release(live)) if live else "",
        slot=live,
        programs=running.states,
        ends=running.ends,
        starting=running.starting,
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
        begun = ", started a moment ago" if name in found["starting"] else ""
        ends = found["ends"].get(name)
        ended = ", ended by itself %s in the last hour" % count_of(ends, "time") if ends else ""
        lines.append("%s: %s%s%s" % (name, state, begun, ended))
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
