# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows that an installation is moved while its data are copied; documented with the module of this name."""

from __future__ import annotations

from ansible_collections.selfhost.flask.plugins.action.flask_deployment import ActionModule as Shown


class ActionModule(Shown):
    """A large database takes minutes."""
