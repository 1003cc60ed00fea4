# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor's look at the names of a site: whether they lead to the host."""

from __future__ import annotations

import contextlib
import socket
from typing import Iterator

from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks import tls
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.findings import Finding
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.target import Target, seen


class Names:
    """The names that visitors use. Those without a dot are the inventory's alone, and addresses are none."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.digests = {}  # of the certificates at addresses that were asked

    def unresolved(self) -> Iterator[Finding]:
        for name in self.asked():
            if not resolved(name):
                yield seen(
                    "name-unresolved", "The name %s does not resolve." % name,
                    "Add a DNS record A with %s for it." % (self.address() or "the host's address"), name,
                )

    def asked(self) -> list:
        names = [self.target.domain, *self.target.aliases]
        return [name for name in names if "." in name and not name.startswith("*.") and not is_address(name)]

    def address(self) -> str:
        return (resolved(self.target.address) or [""])[0]

    def elsewhere(self, facts: dict, served: str = "") -> Iterator[Finding]:
        """Each address of a name has to be the host's, or to answer with its certificate, as behind a router."""
        ours = {digest for digest in (facts.get("fingerprint"), served) if digest}
        for name in self.asked():
            found = resolved(name)
            strange = [one for one in self.unknown(found, facts) if self.digest(one, name) not in ours]
            if strange:
                yield self.strange(name, strange, len(strange) < len(found))

    def unknown(self, found: list, facts: dict) -> list:
        """The addresses that are not known to be the host's; where it can't say which it has, it may have more."""
        own = {*resolved(self.target.address), *facts.get("addresses", [])}
        return [] if own & set(found) and not facts.get("addresses") else [one for one in found if one not in own]

    def strange(self, name: str, addresses: list, some: bool) -> Finding:
        kinds = " and ".join(sorted({"AAAA" if ":" in one else "A" for one in addresses}))
        leads = ", ".join(addresses)
        said = "The name %s resolves to %s, and not to this host." % (name, leads)
        remedy = "Change its DNS record %s to %s" % (kinds, self.address() or "the host's address")
        if some:
            said = "The name %s also resolves to %s, which is not this host: some visitors get there." % (name, leads)
            remedy = "Remove that DNS record %s" % kinds
        remedy += "; if a proxy of yours is in between, add name-elsewhere to doctor_ignored."
        return seen("name-elsewhere", said, remedy, name)

    def digest(self, address: str, name: str) -> str:
        """The certificate that is served there."""
        if address not in self.digests:
            self.digests[address] = ""
            with contextlib.suppress(OSError, ValueError), tls.handshake(address, name) as connection:
                self.digests[address] = tls.read_certificate(connection.getpeercert(True)).fingerprint
        return self.digests[address]


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
