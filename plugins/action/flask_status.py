# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows what the module of this name has found, as a table; documented with it."""

from __future__ import annotations

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display


class ActionModule(ActionBase):
    """Prints the lines as they are, which no format of results does."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict | None = None) -> dict:
        super().run(tmp, task_vars)
        found = self._execute_module(task_vars=task_vars)
        if "table" in found:
            title = "%s (%s)" % (task_vars["inventory_hostname"], self._task.args.get("name"))
            Display().display("\n" + "\n".join([title, *("  " + line for line in found["table"])]))
        return found
