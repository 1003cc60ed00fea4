# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows what a deployment does while it runs; documented with the module of this name."""

from __future__ import annotations

from ansible.plugins.action import ActionBase
from ansible_collections.selfhost.flask.plugins.plugin_utils._progress import progress_of


class ActionModule(ActionBase):
    """Runs the module, and looks at what it says meanwhile."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict | None = None) -> dict:
        result = super().run(tmp, task_vars)
        del tmp
        with progress_of(self, task_vars):
            result.update(self._execute_module(task_vars=task_vars))
        return result
