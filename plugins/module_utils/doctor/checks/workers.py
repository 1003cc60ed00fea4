# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The background processes that do not run, keep ending, or should not be there."""

from __future__ import annotations

from typing import Iterator

from ansible_collections.selfhost.flask.plugins.module_utils.common.words import count_of
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.slots import Slots
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks import logs
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.findings import Finding, clipped
from ansible_collections.selfhost.flask.plugins.module_utils.process.manager import FAILED, RETRIED, ProcessError

OFTEN = 3  # ends of a program by itself in an hour


def workers(slots: Slots) -> Iterator[Finding]:
    """What is wrong with those of an application; nothing where the process manager does not answer, which is said already."""
    try:
        known = {name: slots.processes.look(slots.worker(name)) for name in slots.site.workers}
        ends, strays = slots.ends(), slots.strays()
    except ProcessError:
        return
    for name, program in known.items():
        ended = ends[slots.worker(name)]
        if program.phase in (RETRIED, FAILED) or ended >= OFTEN:
            yield crashing(slots, name, ended)
        elif not program.is_up:
            yield Finding(
                "worker-stopped",
                "The worker %s is %s%s." % (name, program.word.lower(), last_said(slots.log(name))),
                "`%s`; its log is %s." % (slots.processes.command("start", slots.worker(name)), slots.log(name)),
                subject=name,
            )
    for stray in strays:
        yield Finding(
            "worker-left",
            "%s is a worker that is no longer in flask_workers; it still runs the code that it was started with." % stray,
            "Run `selfhost.flask.update`, which ends it.",
            subject=stray,
        )


def crashing(slots: Slots, name: str, ended: int) -> Finding:
    """A worker that has to be started again and again."""
    return Finding(
        "worker-crashing",
        "The worker %s does not stay up: it ended by itself %s in the last hour%s."
        % (name, count_of(ended, "time"), last_said(slots.log(name))),
        "Read `sudo tail -n 50 %s`; mend its command in flask_workers, or what it lacks, and run `selfhost.flask.update`."
        % slots.log(name),
        subject=name,
    )


def last_said(log: str) -> str:
    """What a worker said last, as a part of a sentence."""
    lines = [line.text for line in logs.lines_of(log, 64 << 10)]
    said = (logs.tracebacks(lines) or [line for line in lines if line.strip()])[-1:]
    return "; its log says last: " + clipped(said[0]).rstrip(".") if said else ""
