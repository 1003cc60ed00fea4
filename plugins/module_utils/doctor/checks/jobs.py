# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scheduled jobs whose last run failed, or that never run."""

from __future__ import annotations

import os
from typing import Iterator

from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks.workers import last_said
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.findings import Finding, ask
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

SHOWN = ("ActiveState", "NextElapseUSecRealtime", "Result", "ExecMainStatus", "InactiveEnterTimestamp")


def jobs(site: Site, names: tuple) -> Iterator[Finding]:
    """What is wrong with those of an application."""
    for name in names:
        timer, service = (show(unit_of(site, name, kind)) for kind in ("timer", "service"))
        yield from ended(site, name, service)
        if timer["ActiveState"] != "active":
            yield Finding(
                "job-stopped", "The timer of the job %s is %s, so the job does not run." % (name, timer["ActiveState"]),
                "`sudo systemctl enable --now %s`; if there is none, run `selfhost.flask.site`." % unit_of(site, name, "timer"),
                subject=name,
            )
        elif not timer["NextElapseUSecRealtime"] and service["ActiveState"] != "activating":
            yield Finding(
                "job-never-due", "The schedule of the job %s has no time that is to come." % name,
                "Set another schedule in flask_jobs, or remove the job, and run `selfhost.flask.site`.", subject=name,
            )


def ended(site: Site, name: str, service: dict) -> Iterator[Finding]:
    """How the last run ended; systemd knows until the next boot."""
    if service["Result"] in ("", "success"):
        return
    unit, log = unit_of(site, name, "service"), os.path.join(site.log, name + ".log")
    failed = "failed (%s, status %s)" % (service["Result"], service["ExecMainStatus"])
    how = "took longer than its timeout, and ended" if service["Result"] == "timeout" else failed
    yield Finding(
        "job-failed",
        "The last run of the job %s %s at %s%s." % (name, how, service["InactiveEnterTimestamp"], last_said(log)),
        "Read `sudo tail -n 50 %s`; `sudo systemctl start %s` tries it again." % (log, unit),
        subject=name,
    )


def unit_of(site: Site, name: str, kind: str) -> str:
    """No application has a dot in its name."""
    return "flask-%s.%s.%s" % (site.name, name, kind)


def show(unit: str) -> dict:
    """What systemd says of a unit."""
    said = ask("systemctl", "show", "--property=" + ",".join(SHOWN), unit).out
    return {**dict.fromkeys(SHOWN, ""), **dict(line.split("=", 1) for line in said.splitlines() if "=" in line)}
