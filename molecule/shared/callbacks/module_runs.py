# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts the modules that a playbook runs, each of which costs a host and its controller about the same."""

from __future__ import annotations

DOCUMENTATION = r"""
name: module_runs
type: notification
short_description: Notes which modules each host has run
description: The last run of a playbook that was none of check mode is in C(module-runs.json) of the scenario's folder.
"""

import json
import os
from pathlib import Path

from ansible import context
from ansible.plugins.action import ActionBase
from ansible.plugins.callback import CallbackBase

FOLDER = Path(os.environ.get("MOLECULE_EPHEMERAL_DIRECTORY", "."))
LOG, RESULT = FOLDER / "module-runs.log", FOLDER / "module-runs.json"


class CallbackModule(CallbackBase):
    """The workers are forks of this process, so that what is noted here is noted in each."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "module_runs"

    def v2_playbook_on_start(self, playbook: object) -> None:
        LOG.write_text("")
        execute = ActionBase._execute_module

        def note_and_execute(action: ActionBase, module_name: str | None = None, *args: object, **kwargs: object) -> dict:
            host = (kwargs.get("task_vars") or {}).get("inventory_hostname", "")
            with open(LOG, "a", encoding="utf-8") as log:
                log.write("%s %s\n" % (host, module_name or action._task.action))
            return execute(action, module_name, *args, **kwargs)

        ActionBase._execute_module = note_and_execute

    def v2_playbook_on_stats(self, stats: object) -> None:
        runs: dict[str, list[str]] = {host: [] for host in stats.processed}
        for line in LOG.read_text().splitlines():
            host, dummy, module = line.partition(" ")
            runs.setdefault(host, []).append(module)
        if not context.CLIARGS.get("check"):
            RESULT.write_text(json.dumps(runs, indent=2))
