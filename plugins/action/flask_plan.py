# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends the source from a folder of this machine; documented with the module of this name."""

from __future__ import annotations

from ansible_collections.selfhost.flask.plugins.plugin_utils._source_action import SourceAction


class ActionModule(SourceAction):
    """A plan of a version that only this machine has."""

    def run(self, tmp: str | None = None, task_vars: dict | None = None) -> dict:
        result = super().run(tmp, task_vars)
        del tmp
        return dict(result, **self.execute_with_source(dict(self._task.args), task_vars))
