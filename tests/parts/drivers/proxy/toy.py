# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy for tests alone, a program in Python: one file of lines, `HOST APPLICATION`."""

from __future__ import annotations

from ansible_collections.selfhost.flask.plugins.module_utils.common.files import text_of
from ansible_collections.selfhost.flask.plugins.module_utils.proxy.proxy import Proxy, Refusal


class Toy(Proxy):
    """It serves by itself nothing but what the applications answer."""

    name = "toy-proxy"
    unit = "toy-proxy.service"
    sites = "/etc/toy-proxy/sites"
    show = "cat " + sites

    @property
    def test(self) -> tuple:
        return "sh", "-c", '! grep -vnE "^[^ ]+ [^ ]+$" "$0" >&2', self.sites

    def refusal(self, said: str) -> Refusal:
        return Refusal("line %s is refused" % said.partition(":")[0], self.sites)

    def is_own(self, path: str, app: str) -> bool:
        return path == self.sites

    def sites_with(self, host: str) -> list:
        return [app for name, app in map(str.split, text_of(self.sites).splitlines()) if name == host]

    def configuration(self, app: str) -> str:
        return text_of(self.sites)

    def error_log(self, app: str) -> str:
        return "/var/log/toy-proxy/errors.log"
