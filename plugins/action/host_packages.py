# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows what dpkg does while packages are installed; documented with the module of this name."""

from __future__ import annotations

from ansible.plugins.action import ActionBase
from ansible_collections.selfhost.flask.plugins.plugin_utils._progress import shown_progress


class ActionModule(ActionBase):
    """Runs the module, and looks at dpkg's log meanwhile."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict | None = None) -> dict:
        result = super().run(tmp, task_vars)
        del tmp
        with shown_progress(self, task_vars["inventory_hostname"], "/var/log/dpkg.log", words_of):
            result.update(self._execute_module(task_vars=task_vars))
        return result


def words_of(line: str) -> str:
    """Of a line of dpkg's log, `2026-01-31 12:00:00 status installed git:amd64 1:2.39.5`, what is done to which package."""
    words = line.split()[2:]
    return " ".join(words[words[:1] == ["status"]:][:2]) or "Fetch the packages"
