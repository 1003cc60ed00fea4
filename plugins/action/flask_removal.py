# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says to the host who removes an application; documented with the module of this name."""

from __future__ import annotations

from ansible_collections.selfhost.flask.plugins.action.flask_session import ActionModule as Session


class ActionModule(Session):
    """A removal consists of one module, which takes the application's lock itself."""
