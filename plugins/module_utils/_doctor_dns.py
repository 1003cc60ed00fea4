# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor's look at the names of a site: whether they lead to the host."""

from __future__ import annotations

import socket
from typing import Iterator

from ansible_collections.selfhost.flask.plugins.module_utils import _doctor_tls
from ansible_collections.selfhost.flask.plugins.module_utils._doctor import Finding
from ansible_collections.selfhost.flask.plugins.module_utils._doctor_target import Target, seen


class Names:
    """The names that visitors use. Those without a dot are the inventory's alone, and addresses are none."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def unresolved(self) -> Iterator[Finding]:
        for name in self.asked():
            if not resolved(name):
                yield seen(
                    "name-unresolved", "The name %s leads nowhere." % name,
                    "Add a DNS record A with %s for it." % (self.address() or "the host's address"), name,
                )

    def asked(self) -> list:
        names = [self.target.domain, *self.target.aliases]
        return [name for name in names if "." in name and not name.startswith("*.") and not is_address(name)]

    def address(self) -> str:
        return (resolved(self.target.address) or [""])[0]

    def elsewhere(self, facts: dict) -> Iterator[Finding]:
        """A name may lead to another address of the same host, as behind a router."""
        own = set(resolved(self.target.address)) | set(facts.get("addresses", []))
        for name in self.asked():
            found = resolved(name)
            if found and not own & set(found) and not self.is_ours(name, facts):
                yield seen(
                    "name-elsewhere", "The name %s leads to %s, and not to this host." % (name, ", ".join(found)),
                    "Change its DNS record to %s; if a proxy of yours is in between, add name-elsewhere to "
                    "doctor_ignored." % (self.address() or "the host's address"), name,
                )

    def is_ours(self, name: str, facts: dict) -> bool:
        try:
            with _doctor_tls.handshake(name, name) as connection:
                digest = _doctor_tls.read_certificate(connection.getpeercert(True)).fingerprint
        except (OSError, ValueError):
            return False
        return digest == facts.get("fingerprint")


def resolved(name: str) -> list:
    """The addresses of a name; none where it has none."""
    try:
        return list(dict.fromkeys(found[4][0] for found in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)))
    except (OSError, UnicodeError):
        return []


def is_address(name: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, name.strip("[]"))
            return True
        except OSError:
            pass
    return False
