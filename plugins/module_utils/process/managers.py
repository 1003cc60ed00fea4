# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process managers that there are drivers for, and which one an application has."""

from __future__ import annotations

from ansible_collections.selfhost.flask.plugins.module_utils.process.manager import ProcessManager
from ansible_collections.selfhost.flask.plugins.module_utils.process.supervisor import Supervisor
from ansible_collections.selfhost.flask.plugins.module_utils.site.drivers import driver_of
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

MANAGERS = {"supervisor": Supervisor}


def manager_of(site: Site, timeout: float = 180) -> ProcessManager:
    """The one that runs an application's programs."""
    return MANAGERS[driver_of(site, "process", "supervisor")](timeout=timeout)
