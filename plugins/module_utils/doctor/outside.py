# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor from outside: what a visitor, and a stranger, gets from the host, beside what it says of itself."""

from __future__ import annotations

import concurrent.futures
from typing import Callable, Iterator

from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks.dns import Names
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks.exposure import USUAL, Exposure
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks.web import Web
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.findings import OUTSIDE, Finding
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.inside import looked
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.target import Target, seen

KEPT_AWAY = "only the firewall keeps them away"
WITHIN = "whether the firewall keeps them away can't be seen from here"


class Outside:
    """One look at one host; the checks run beside each other."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.names = Names(target)
        self.web = Web(target)
        self.exposure = Exposure(target)

    def checks(self) -> list:
        ports = [] if self.is_within else [("Open ports", lambda: self.exposure.ports(USUAL))]
        return [
            ("Names", self.names.unresolved),
            *self.visits(),
            ("Password login is refused", self.exposure.ssh),
            *ports,
        ]

    @property
    def is_within(self) -> bool:
        """Whether it is not seen from here which ports are open for strangers."""
        return self.target.is_itself or self.target.is_unseen

    def visits(self) -> list:
        if self.target.is_unseen:
            return [("What visitors get", self.unseen)]
        return self.secure() if self.target.secure else self.plain()

    def unseen(self) -> Iterator[Finding]:
        yield seen(
            "outside-unseen",
            "This computer reaches the host by ssh through another one, and nobody answers it at %s: what visitors get, and "
            "which ports are open for them, was not looked at." % self.target.address,
            "Set doctor_address to where visitors come, or run this where they come from. To leave it at that, add "
            "outside-unseen to doctor_ignored.",
        )

    def secure(self) -> list:
        return [
            ("HTTPS: certificate, health, headers", self.web.https),
            ("HTTP redirects to HTTPS", self.web.http),
            ("Versions of TLS", self.web.tls),
        ]

    def plain(self) -> list:
        """Without a proxy here; behind one elsewhere, only that can ask."""
        return [("HTTP: health, headers", self.web.health)] if self.target.http_port else []

    def begin(self, pool: concurrent.futures.Executor) -> list:
        """Starts them; (title, future) each."""
        return [(title, pool.submit(looked, title, look)) for title, look in self.checks()]

    def after(self, facts: dict, found: list) -> list:
        """(title, what looks), once it is known what the host says of itself, and what was found there."""
        known = ("ssh-password-login", "") in [(one["id"], one["subject"]) for one in found]
        others = [] if known else facts.get("guessable", [])
        listening = [one["port"] for one in facts.get("listeners", []) if one["protocol"] == "tcp"]
        more = [port for port in listening if port not in USUAL]
        ports = [] if self.is_within else [("Ports that something listens at", lambda: self.exposure.ports(more))]
        return [
            ("Password login of others is refused", lambda: self.exposure.others(others)),
            *([] if self.target.is_unseen else [("Static files", lambda: self.web.static(facts.get("static", "")))]),
            *ports,
            ("What was seen from both sides", lambda: self.compared(facts)),
        ]

    def compared(self, facts: dict) -> Iterator[Finding]:
        on_disk = facts.get("fingerprint")
        if on_disk and self.web.certificate and self.web.certificate.fingerprint != on_disk:
            yield seen(
                "certificate-not-loaded", "The proxy serves another certificate than the one on the disk.",
                "`sudo systemctl reload %s`" % self.target.server.name,
            )
        if self.web.reply is not None:
            given = [name for name in facts.get("headers", []) if name not in self.target.headers]
            yield from self.web.missing(self.web.reply, tuple(given))
        for one in facts.get("listeners", []):
            if one["protocol"] == "tcp" and one["port"] in self.exposure.open:
                continue
            yield Finding(
                "port-listening",
                "%s listens at %s port %d for others than this host, and %s."
                % (one["program"], one["protocol"], one["port"], WITHIN if self.is_within else KEPT_AWAY),
                "Bind it to 127.0.0.1, or add the port to doctor_ports if it is meant to be.", subject=str(one["port"]),
            )
        if self.target.secure or self.target.http_port:  # else the names are those of a proxy that is elsewhere
            yield from self.names.elsewhere(facts, self.web.certificate.fingerprint if self.web.certificate else "")


def together(outside: Outside, examine: Callable) -> tuple:
    """Both sides beside each other; the findings, the titles of the checks, and the facts.

    `examine` looks at the inside, and returns what inside.Inside.examine does.
    """
    with concurrent.futures.ThreadPoolExecutor(len(outside.checks())) as pool:
        begun = outside.begin(pool)
        inside = examine()
        done = [(title, future.result()) for title, future in begun]
    done += [(title, looked(title, look)) for title, look in outside.after(inside["facts"], inside["findings"])]
    findings = [finding for dummy, found in done for finding in found]
    titles = [dict(title=title, where=OUTSIDE, found=[one.id for one in found]) for title, found in done]
    return findings, titles, inside
