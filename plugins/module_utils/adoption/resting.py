# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scheduled jobs of the new application, while the old one works."""

from __future__ import annotations

import glob
import os

from ansible_collections.selfhost.flask.plugins.module_utils.common.process import run
from ansible_collections.selfhost.flask.plugins.module_utils.host.systemd import UNITS


def enabled_timers(name: str) -> list:
    """Those that a boot starts. No application has a dot in its name."""
    return sorted(map(os.path.basename, glob.glob("%stimers.target.wants/flask-%s.*.timer" % (UNITS, name))))


def stop_jobs(name: str) -> None:
    """Ends the timers, so that no boot starts them, and the jobs that run: one that waits at the gate would fail in the end."""
    timers = enabled_timers(name)
    if timers:
        run(["systemctl", "disable", "--quiet", "--now", *timers])
    for path in sorted(glob.glob("%sflask-%s.*.timer" % (UNITS, name))):
        service = os.path.basename(path)[: -len("timer")] + "service"
        if state_of(service) == "activating":
            run(["systemctl", "stop", service])
            if state_of(service) == "failed":  # it has not failed, it was ended
                run(["systemctl", "reset-failed", service])


def state_of(unit: str) -> str:
    return run(["systemctl", "show", "--property=ActiveState", "--value", unit]).decode().strip()
