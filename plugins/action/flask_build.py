# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says to the host whose deployment it is, and sends the source from a folder of this machine; documented with the module."""

from __future__ import annotations

from ansible_collections.selfhost.flask.plugins.action.flask_session import ActionModule as Session
from ansible_collections.selfhost.flask.plugins.plugin_utils._source_action import SourceAction


class ActionModule(Session, SourceAction):
    """A deployment that begins with its release takes the lock with that."""

    def _ask(self, owner: dict, gone: list, task_vars: dict) -> dict:
        return self.execute_with_source(dict(self._task.args, owner=owner, gone=gone), task_vars)
