# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says to the host whose deployment it is; documented with the module of this name."""

from __future__ import annotations

import getpass
import os
import platform
import subprocess
import uuid

from ansible.plugins.action import ActionBase
from ansible_collections.selfhost.flask.plugins.plugin_utils._progress import progress_of

TAKEN = (
    "%(host)s: %(owner)s is at work on %(name)s: %(reason)s, for %(since)d s. Nothing was changed. Wait until that "
    "has ended. If it crashed, its lock expires %(lease)d s after its last activity, which was %(idle)d s ago."
)


class ActionModule(ActionBase):
    """Adds who runs the playbook, and looks after an owner who ran on this machine."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict | None = None) -> dict:
        result = super().run(tmp, task_vars)
        del tmp
        owner = owner_of(os.getppid())
        with progress_of(self, task_vars):
            result.update(self._ask(owner, [], task_vars))
            holder = result.get("holder")
            if holder and has_ended(holder):
                result = self._ask(owner, [holder["id"]], task_vars)
                holder = result.get("holder")
        if holder:
            about = dict(holder, host=task_vars["inventory_hostname"], name=self._task.args.get("name"))
            result.update(failed=True, msg=TAKEN % about)
        return result

    def _ask(self, owner: dict, gone: list, task_vars: dict) -> dict:
        arguments = dict(self._task.args, owner=owner, gone=gone)
        return self._execute_module(module_args=arguments, task_vars=task_vars)


def owner_of(process: int) -> dict:
    """The ansible-playbook that runs, as no other process of any machine is called."""
    machine, started = machine_id(), start_of(process)
    return dict(
        id="%s-%d-%s" % (machine, process, "".join(started.split())),
        owner="%s@%s" % (user(), platform.node()),
        machine=machine,
        process=process,
        started=started,
    )


def user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "uid %d" % os.getuid()


def machine_id() -> str:
    """What tells this machine from others."""
    try:
        with open("/etc/machine-id", encoding="ascii") as file:
            return file.read().strip() or "%012x" % uuid.getnode()
    except OSError:
        return "%012x" % uuid.getnode()


def start_of(process: int) -> str:
    """When a process began; empty where there is none of that number.

    By the kernel's own ticks where it has them, which no change of the clock moves.
    """
    if os.path.exists("/proc/self/stat"):
        try:
            with open("/proc/%d/stat" % process, encoding="utf-8", errors="replace") as stat:
                with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as boot:
                    return "%s-%s" % (stat.read().rpartition(")")[2].split()[19], boot.read().strip())
        except OSError:
            return ""
    done = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(process)],
        env=dict(os.environ, LC_ALL="C", TZ="UTC"), capture_output=True, text=True, check=False,
    )
    return done.stdout.strip()


def has_ended(holder: dict) -> bool:
    """Whether an owner is known to have died: he ran on this machine, and does not any more."""
    return holder["machine"] == owner_of(os.getpid())["machine"] and start_of(holder["process"]) != holder["started"]
