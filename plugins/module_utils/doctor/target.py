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
    ssh_host: str = ""  # as ssh knows it
    ssh_port: int = 22
    ssh_user: str = "root"
    ssh_args: str = ""
    ssh_jumps: bool = False  # whether ssh's configuration has a way that is not direct
    is_itself: bool = False  # whether the doctor looks from the host itself
    is_unseen: bool = False  # whether this computer can't come to where visitors come
    proxy: str = "nginx"
    app: str = ""
    http_port: int = 0  # with `tls` none, where visitors come by themselves; 0 where they can't

    @property
    def server(self) -> Proxy:
        """What visitors come to."""
        return PROXIES[self.proxy](self.app)

    @property
    def secure(self) -> bool:
        """Whether the host serves HTTPS."""
        return self.tls != "none"

    @property
    def url(self) -> str:
        """Where the pages are."""
        return "https://" + self.domain if self.secure else "http://%s:%d" % (self.domain, self.http_port)


def seen(name: str, what: str, remedy: str, subject: str = "") -> Finding:
    """What was found from outside."""
    return Finding(name, what, remedy, OUTSIDE, subject)
