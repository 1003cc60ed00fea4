# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host as the doctor knows it from outside: where it is, and what it should be."""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.doctor.findings import OUTSIDE, Finding
from ansible_collections.selfhost.flask.plugins.module_utils.proxy.proxies import PROXIES
from ansible_collections.selfhost.flask.plugins.module_utils.proxy.proxy import Proxy


class Target(NamedTuple):
    """What is looked at; the action plugin documents it."""

    address: str
    domain: str
    aliases: tuple = ()
    tls: str = "self_signed"
    profile: str = "intermediate"
    health_url: str = "/"
    health_text: str = ""
    health_status: tuple = ()
    basic_auth: tuple = ()  # name and password
    headers: tuple = ()
    ports: tuple = (80, 443)
    seconds: float = 2
    ssh_port: int = 22
    ssh_user: str = "root"
    ssh_args: str = ""
    proxy: str = "nginx"

    @property
    def server(self) -> Proxy:
        """What visitors come to."""
        return PROXIES[self.proxy]()


def seen(name: str, what: str, remedy: str, subject: str = "") -> Finding:
    """What was found from outside."""
    return Finding(name, what, remedy, OUTSIDE, subject)
