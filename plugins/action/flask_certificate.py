# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows that a certificate is asked for while an authority answers; documented with the module of this name."""

from __future__ import annotations

from ansible_collections.selfhost.flask.plugins.action.flask_deployment import ActionModule as Shown


class ActionModule(Shown):
    """An authority and its checks may take a minute."""
