# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which drivers speak to the parts of the stack that an application has, as the playbooks wrote it down."""

from __future__ import annotations

from ansible_collections.selfhost.flask.plugins.module_utils.common.files import read_json
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

FILE = "deployment/drivers.json"


def driver_of(site: Site, kind: str, default: str) -> str:
    """The driver of a kind of part; the default on a host that was set up before there was a choice."""
    return (read_json(site.path(FILE)) or {}).get(kind, default)
