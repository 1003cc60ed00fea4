# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of an application that was loaded: which databases it has, and how its secret key is.

Part of what is sent to the application's own interpreter; see _flask_probe.
"""

from __future__ import annotations


def facts_of(app: object | None, engines: list) -> dict:
    """Without any password; of one that could not be loaded, what its engines say that it has made until then."""
    return {"databases": [], "secret_key": ""}
