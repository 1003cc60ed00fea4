# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor's look at a site as its visitors get it: over HTTPS, HTTP, and from the folder of static files."""

from __future__ import annotations

import base64
import email.utils
import http.client
import re
import socket
import ssl
import time
from typing import Iterator, NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks import tls as doctor_tls
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.findings import Finding, clipped
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.target import Target, seen

TIMEOUT = 8  # seconds for an answer
CLOCK = 60
AGENT = "selfhost.flask doctor"
VERSION = re.compile(r"/\d")
LOOK_AT = "See on the host `systemctl status %s` and `sudo ufw status`, and the application's log."


class Reply(NamedTuple):
    """An answer, and how long it took."""

    status: int
    headers: http.client.HTTPMessage
    text: str
    seconds: float


class Web:
    """One visit; what it has got stays, to be compared with what the host says of itself."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.certificate = None
        self.reply = None  # to the health request, where that was good

    def https(self) -> Iterator[Finding]:
        target = self.target
        try:
            with doctor_tls.handshake(target.address, target.domain) as connection:
                self.certificate = doctor_tls.read_certificate(connection.getpeercert(True))
        except OSError as error:
            yield seen(
                "https-unreachable", "Nobody answers HTTPS at %s (%s)." % (target.address, explained(error)),
                "See on the host `systemctl status %s` and `sudo ufw status`; at a provider, its own firewall, too."
                % target.server.name,
            )
            return
        names = [target.domain, *target.aliases]
        if target.tls == "self_signed":
            names = [name for name in names if not name.startswith("*.")]
        yield from doctor_tls.certificate(self.certificate, target.tls, names, time.time())
        if target.tls != "self_signed":
            yield from doctor_tls.trust(target.address, target.domain)
        yield from self.health()

    def health(self) -> Iterator[Finding]:
        target = self.target
        try:
            reply = self.get(target.health_url)
        except (OSError, http.client.HTTPException) as error:
            yield seen(
                "health-error",
                "%s%s gives no answer (%s)." % (target.url, target.health_url, explained(error)),
                "Look at the application's and the proxy's logs on the host." if target.secure else LOOK_AT % target.server.name,
            )
            return
        yield from self.judged(reply)
        yield from self.headers(reply)

    def judged(self, reply: Reply) -> Iterator[Finding]:
        """The health URL's answer."""
        url = self.target.url + self.target.health_url
        if not self.is_well(reply):
            yield seen(
                "health-error",
                "%s answers %d: %s" % (url, reply.status, clipped(re.sub(r"<[^>]*>", " ", reply.text), 120)),
                "Look at the application's and the proxy's logs on the host.",
            )
        elif self.target.health_text not in reply.text:
            yield seen(
                "health-text",
                "%s answers %d, but without the text '%s'." % (url, reply.status, self.target.health_text),
                "Look at the application's log on the host, or mend flask_health_text.",
            )
        elif reply.seconds > self.target.seconds:
            yield seen(
                "health-slow", "%s took %.1f s to answer." % (url, reply.seconds),
                "See on the host what is busy: `top`, and the application's log; doctor_seconds is the limit.",
            )

    def is_well(self, reply: Reply) -> bool:
        """Where a redirect leads to is looked at on the host."""
        return reply.status < 400 or reply.status in self.target.health_status

    def headers(self, reply: Reply) -> Iterator[Finding]:
        server = reply.headers.get("Server", "")
        if VERSION.search(server):
            yield seen(
                "server-version-shown", "The answers say which version serves: %s." % server,
                "Run `selfhost.flask.site`: `server_tokens off`.",
            )
        if self.is_well(reply):
            self.reply = reply
            yield from self.clock(reply.headers.get("Date"), time.time())
            yield from self.missing(reply, self.target.headers)

    def missing(self, reply: Reply, names: tuple) -> Iterator[Finding]:
        for name in names:
            if name not in reply.headers:
                yield seen(
                    "header-missing", "The answers have no header %s." % name,
                    "Run `selfhost.flask.site`. Configuration of your own that adds headers has to repeat this one.", name,
                )

    def clock(self, said: str | None, now: float) -> Iterator[Finding]:
        parsed = email.utils.parsedate_tz(said or "")
        difference = email.utils.mktime_tz(parsed) - now if parsed else 0
        if abs(difference) > CLOCK:
            yield seen(
                "clock-wrong", "The host's clock differs from this computer's by %d s." % difference,
                "See on the host `timedatectl`; here, too.",
            )

    def http(self) -> Iterator[Finding]:
        domain = self.target.domain
        try:
            reply = self.get("/", secure=False)
        except (OSError, http.client.HTTPException) as error:
            yield seen(
                "http-unreachable", "Nobody answers HTTP at %s (%s)." % (self.target.address, explained(error)),
                "See on the host `systemctl status %s` and `sudo ufw status`." % self.target.server.name,
            )
            return
        location = reply.headers.get("Location", "")
        if reply.status not in (301, 302, 307, 308) or not location.startswith("https://"):
            leads = " to %s" % location if location else ""
            yield seen(
                "http-not-redirected",
                "http://%s/ answers %d%s, instead of leading to https." % (domain, reply.status, leads),
                "Run `selfhost.flask.site`; look with `%s` for another server on port 80." % self.target.server.show,
            )

    def tls(self) -> Iterator[Finding]:
        spoken = doctor_tls.accepted(self.target.address, self.target.domain)
        if any(spoken.values()):
            yield from doctor_tls.versions(spoken, self.target.profile, self.target.server.show)

    def static(self, path: str) -> Iterator[Finding]:
        """A file that the proxy has to find, read and serve itself."""
        if not path or self.reply is None:
            return
        reply = self.get(path)
        if reply.status != 200:
            yield seen(
                "static-refused", "The static file %s answers %d." % (path, reply.status),
                "See on the host whether www-data can read it: `sudo -u www-data namei -l` and its path in "
                "current/.public.",
            )
        elif not self.target.server.etag.fullmatch(reply.headers.get("ETag", "")):
            yield seen(
                "static-not-by-proxy", "The static file %s comes from the application, which is slower." % path,
                "Set flask_static_url to the application's static URL, and run `selfhost.flask.site`.",
            )

    def login(self, secure: bool) -> dict:
        """What lets one in where visitors need a password."""
        if not (secure and self.target.basic_auth):
            return {}
        return {"Authorization": "Basic " + base64.b64encode(":".join(self.target.basic_auth).encode()).decode()}

    def get(self, path: str, secure: bool | None = None) -> Reply:
        """Asks the host, whatever its name leads to; as its visitors do where nothing else is said."""
        target, begin = self.target, time.monotonic()
        secure = target.secure if secure is None else secure
        connection = http.client.HTTPConnection(target.domain, timeout=TIMEOUT)
        if secure:
            connection.sock = doctor_tls.handshake(target.address, target.domain, timeout=TIMEOUT)
        else:
            connection.sock = socket.create_connection((target.address, target.http_port or 80), TIMEOUT)
        try:
            connection.request("GET", path, headers={"Host": target.domain, "User-Agent": AGENT, **self.login(secure)})
            answer = connection.getresponse()
            text = answer.read(1 << 16).decode("utf-8", "replace")
            return Reply(answer.status, answer.headers, text, time.monotonic() - begin)
        finally:
            connection.close()


def explained(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return "TLS: %s" % (error.reason or error)
    return str(getattr(error, "strerror", "") or error or type(error).__name__)
