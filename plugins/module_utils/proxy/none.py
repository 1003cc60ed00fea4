# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No proxy: systemd listens at a port, for each application at one of its own."""

from __future__ import annotations

from ansible_collections.selfhost.flask.plugins.module_utils.proxy.proxy import Proxy


class NoProxy(Proxy):
    """It has no configuration but its units, no names and no logs; systemd refuses a wrong unit by itself."""

    test = ("true",)

    def __init__(self, app: str = "") -> None:
        super().__init__(app)
        self.name = self.unit = "flask-%s-listen.socket" % app
        self.show = "systemctl cat " + self.unit

    def is_own(self, path: str, app: str) -> bool:
        return False

    def sites_with(self, host: str) -> list:
        return []

    def configuration(self, app: str) -> str:
        return ""

    def error_log(self, app: str) -> str:
        return ""
