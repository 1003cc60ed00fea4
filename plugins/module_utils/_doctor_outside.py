# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor from outside: what a visitor, and a stranger, gets from the host."""

from __future__ import annotations

import concurrent.futures
import email.utils
import http.client
import re
import shlex
import socket
import ssl
import time
from typing import Callable, Iterator, NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils import _doctor_tls
from ansible_collections.selfhost.flask.plugins.module_utils._doctor import OUTSIDE, Finding, ask, clipped
from ansible_collections.selfhost.flask.plugins.module_utils._doctor_inside import looked

USUAL = (21, 23, 25, 3306, 5000, 5432, 6379, 8000, 8080, 9001, 11211, 27017)
TIMEOUT = 8  # seconds for an answer
SCAN = 1.0  # seconds for each port, all at once
WORKERS = 24
CLOCK = 60
METHODS = re.compile(r"Permission denied \(([^)]*)\)")
BY_NGINX = re.compile(r'(?:W/)?"[0-9a-f]+-[0-9a-f]+"')
VERSION = re.compile(r"/\d")


class Target(NamedTuple):
    """What is looked at; the action plugin documents it."""

    address: str
    domain: str
    aliases: tuple = ()
    tls: str = "self_signed"
    profile: str = "intermediate"
    health_url: str = "/"
    health_text: str = ""
    headers: tuple = ()
    ports: tuple = (80, 443)
    seconds: float = 2
    ssh_port: int = 22
    ssh_user: str = "root"
    ssh_args: str = ""


class Reply(NamedTuple):
    """An answer, and how long it took."""

    status: int
    headers: http.client.HTTPMessage
    text: str
    seconds: float


class Outside:
    """One look at one host; the checks run beside each other."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.certificate = None
        self.open = set()  # ports that should not be
        self.reply = None  # to the health request, where that was good

    def checks(self) -> list:
        return [
            ("Names", self.names),
            ("HTTPS: certificate, health, headers", self.https),
            ("HTTP leads to HTTPS", self.http),
            ("Versions of TLS", self.tls),
            ("Password login is refused", self.ssh),
            ("Open ports", lambda: self.ports(USUAL)),
        ]

    def begin(self, pool: concurrent.futures.Executor) -> list:
        """Starts them; (title, future) each."""
        return [(title, pool.submit(looked, title, look)) for title, look in self.checks()]

    def after(self, facts: dict) -> list:
        """(title, what looks), once it is known what the host says of itself."""
        listening = [one["port"] for one in facts.get("listeners", []) if one["protocol"] == "tcp"]
        more = [port for port in listening if port not in USUAL]
        return [
            ("Static files", lambda: self.static(facts.get("static", ""))),
            ("Ports that something listens at", lambda: self.ports(more)),
            ("What was seen from both sides", lambda: self.compared(facts)),
        ]

    # names

    def names(self) -> Iterator[Finding]:
        """Names without a dot are the inventory's alone, and addresses are none."""
        for name in self.asked():
            if not resolved(name):
                yield self.said(
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
                yield self.said(
                    "name-elsewhere", "The name %s leads to %s, and not to this host." % (name, ", ".join(found)),
                    "Change its DNS record to %s; if a proxy of yours is in between, add name-elsewhere to doctor_ignored."
                    % (self.address() or "the host's address"), name,
                )

    def is_ours(self, name: str, facts: dict) -> bool:
        try:
            with _doctor_tls.handshake(name, name) as connection:
                digest = _doctor_tls.read_certificate(connection.getpeercert(True)).fingerprint
        except (OSError, ValueError):
            return False
        return digest == facts.get("fingerprint")

    # the proxy

    def https(self) -> Iterator[Finding]:
        target = self.target
        try:
            with _doctor_tls.handshake(target.address, target.domain) as connection:
                self.certificate = _doctor_tls.read_certificate(connection.getpeercert(True))
        except OSError as error:
            yield self.said(
                "https-unreachable", "Nobody answers HTTPS at %s (%s)." % (target.address, explained(error)),
                "See on the host `systemctl status nginx` and `sudo ufw status`; at a provider, its own firewall, too.",
            )
            return
        names = [name for name in (target.domain, *target.aliases) if not name.startswith("*.") or target.tls != "self_signed"]
        yield from _doctor_tls.certificate(self.certificate, target.tls, names, time.time())
        if target.tls != "self_signed" and not self.certificate.self_signed:
            yield from _doctor_tls.trust(target.address, target.domain)
        yield from self.health()

    def health(self) -> Iterator[Finding]:
        target = self.target
        try:
            reply = self.get(target.health_url)
        except (OSError, http.client.HTTPException) as error:
            yield self.said(
                "health-error", "https://%s%s gives no answer (%s)." % (target.domain, target.health_url, explained(error)),
                "Look at the application's and nginx's logs on the host.",
            )
            return
        yield from self.judged(reply)
        yield from self.headers(reply)

    def judged(self, reply: Reply) -> Iterator[Finding]:
        """The health URL's answer."""
        url = "https://%s%s" % (self.target.domain, self.target.health_url)
        if reply.status >= 400:
            yield self.said(
                "health-error", "%s answers %d: %s" % (url, reply.status, clipped(re.sub(r"<[^>]*>", " ", reply.text), 120)),
                "Look at the application's and nginx's logs on the host.",
            )
        elif self.target.health_text not in reply.text:
            yield self.said(
                "health-text", "%s answers %d, but without the text '%s'." % (url, reply.status, self.target.health_text),
                "Look at the application's log on the host, or mend flask_health_text.",
            )
        elif reply.seconds > self.target.seconds:
            yield self.said(
                "health-slow", "%s took %.1f s to answer." % (url, reply.seconds),
                "See on the host what is busy: `top`, and the application's log; doctor_seconds is the limit.",
            )

    def headers(self, reply: Reply) -> Iterator[Finding]:
        server = reply.headers.get("Server", "")
        if VERSION.search(server):
            yield self.said("server-version-shown", "The answers say which version serves: %s." % server, "Run site.yml: `server_tokens off`.")
        if reply.status < 400:
            self.reply = reply
            yield from self.clock(reply.headers.get("Date"), time.time())
            yield from self.missing(reply, self.target.headers)

    def missing(self, reply: Reply, names: tuple) -> Iterator[Finding]:
        for name in names:
            if name not in reply.headers:
                yield self.said(
                    "header-missing", "The answers have no header %s." % name,
                    "Run site.yml; a location of your own in nginx with an add_header has to repeat it.", name,
                )

    def clock(self, said: str | None, now: float) -> Iterator[Finding]:
        parsed = email.utils.parsedate_tz(said or "")
        difference = email.utils.mktime_tz(parsed) - now if parsed else 0
        if abs(difference) > CLOCK:
            yield self.said(
                "clock-wrong", "The host's clock differs from this computer's by %d s." % difference,
                "See on the host `timedatectl`; here, too.",
            )

    def http(self) -> Iterator[Finding]:
        domain = self.target.domain
        try:
            reply = self.get("/", secure=False)
        except (OSError, http.client.HTTPException) as error:
            yield self.said(
                "http-unreachable", "Nobody answers HTTP at %s (%s)." % (self.target.address, explained(error)),
                "See on the host `systemctl status nginx` and `sudo ufw status`.",
            )
            return
        location = reply.headers.get("Location", "")
        if reply.status not in (301, 302, 307, 308) or not location.startswith("https://"):
            leads = " to %s" % location if location else ""
            yield self.said(
                "http-not-redirected", "http://%s/ answers %d%s, instead of leading to https." % (domain, reply.status, leads),
                "Run site.yml; look with `sudo nginx -T` for another server on port 80.",
            )

    def tls(self) -> Iterator[Finding]:
        spoken = _doctor_tls.accepted(self.target.address, self.target.domain)
        if any(spoken.values()):
            yield from _doctor_tls.versions(spoken, self.target.profile)

    def static(self, path: str) -> Iterator[Finding]:
        """A file that the proxy has to find, read and serve itself."""
        if not path or self.reply is None:
            return
        reply = self.get(path)
        if reply.status != 200:
            yield self.said(
                "static-refused", "The static file %s answers %d." % (path, reply.status),
                "See on the host whether www-data can read it: `sudo -u www-data namei -l` and its path in current/.public.",
            )
        elif not BY_NGINX.fullmatch(reply.headers.get("ETag", "")):
            yield self.said(
                "static-not-by-proxy", "The static file %s comes from the application, which is slower." % path,
                "Set nginx_static_url and app_static_url to the application's static URL, and run site.yml.",
            )

    def get(self, path: str, secure: bool = True) -> Reply:
        """Asks the host, whatever its name leads to."""
        target, begin = self.target, time.monotonic()
        connection = http.client.HTTPConnection(target.domain, timeout=TIMEOUT)
        if secure:
            connection.sock = _doctor_tls.handshake(target.address, target.domain, timeout=TIMEOUT)
        else:
            connection.sock = socket.create_connection((target.address, 80), TIMEOUT)
        try:
            connection.request("GET", path, headers={"Host": target.domain, "User-Agent": "selfhost.flask doctor"})
            answer = connection.getresponse()
            text = answer.read(1 << 16).decode("utf-8", "replace")
            return Reply(answer.status, answer.headers, text, time.monotonic() - begin)
        finally:
            connection.close()

    # a stranger

    def ssh(self) -> Iterator[Finding]:
        """Asks for the methods that a user could log in by; nothing is tried."""
        target = self.target
        options = "-F none -o BatchMode=yes -o PreferredAuthentications=none -o ControlPath=none -o LogLevel=ERROR"
        options += " -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=5"
        jump = jump_of(shlex.split(target.ssh_args))
        said = ask("ssh", *options.split(), *jump, "-p", str(target.ssh_port), "%s@%s" % (target.ssh_user, target.address), "true")
        found = METHODS.search(said.err)
        bad = {"password", "keyboard-interactive"} & set(found.group(1).split(",")) if found else set()
        if said.code == 0:
            yield self.said("ssh-password-login", "sshd lets %s in without any proof." % target.ssh_user, "Run site.yml.")
        elif bad:
            yield self.said(
                "ssh-password-login", "sshd takes passwords: it offers %s." % ", ".join(sorted(bad)),
                "Look for what sets it with `sudo sshd -T | grep authentication`, and run site.yml.",
            )

    def ports(self, ports: tuple) -> Iterator[Finding]:
        asked = [port for port in dict.fromkeys(ports) if port not in (*self.target.ports, self.target.ssh_port)]
        if not asked:
            return
        with concurrent.futures.ThreadPoolExecutor(min(WORKERS, len(asked))) as pool:
            found = list(pool.map(self.is_open, asked))
        for port, is_open in zip(asked, found):
            if is_open:
                self.open.add(port)
                yield self.said(
                    "port-open", "Anybody can connect to port %d." % port,
                    "Close it with `sudo ufw delete allow %d`, or add it to doctor_ports if it is meant to be." % port, str(port),
                )

    def is_open(self, port: int) -> bool:
        try:
            socket.create_connection((self.target.address, port), SCAN).close()
            return True
        except OSError:
            return False

    # both sides

    def compared(self, facts: dict) -> Iterator[Finding]:
        on_disk = facts.get("fingerprint")
        if on_disk and self.certificate and self.certificate.fingerprint != on_disk:
            yield self.said(
                "certificate-not-loaded", "The proxy serves another certificate than the one on the disk.",
                "`sudo systemctl reload nginx`",
            )
        if self.reply is not None:
            given = [name for name in facts.get("headers", []) if name not in self.target.headers]
            yield from self.missing(self.reply, tuple(given))
        for one in facts.get("listeners", []):
            if one["protocol"] == "tcp" and one["port"] in self.open:
                continue
            yield self.said(
                "port-listening",
                "%s listens at %s port %d for others than this host, and only the firewall keeps them away."
                % (one["program"], one["protocol"], one["port"]),
                "Bind it to 127.0.0.1, or add the port to doctor_ports if it is meant to be.", str(one["port"]),
            )._replace(where="inside")
        yield from self.elsewhere(facts)

    @staticmethod
    def said(name: str, what: str, remedy: str, subject: str = "") -> Finding:
        return Finding(name, what, remedy, OUTSIDE, subject)


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


def explained(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return "TLS: %s" % (error.reason or error)
    return str(getattr(error, "strerror", "") or error or type(error).__name__)


def jump_of(words: list) -> list:
    """Of ssh's arguments in the inventory, those that say by which way the host is reached."""
    found = []
    for position, word in enumerate(words):
        if word in ("-J", "-o") and position + 1 < len(words):
            value = words[position + 1]
            if word == "-J" or value.lower().startswith(("proxyjump", "proxycommand")):
                found += [word, value]
        elif word.lower().startswith(("-oproxyjump", "-oproxycommand")):
            found.append(word)
    return found


def together(outside: Outside, examine: Callable) -> tuple:
    """Both sides beside each other; the findings, the titles of the checks, and the facts.

    `examine` looks at the inside, and returns what _doctor_inside.Inside.examine does.
    """
    with concurrent.futures.ThreadPoolExecutor(len(outside.checks())) as pool:
        begun = outside.begin(pool)
        inside = examine()
        done = [(title, future.result()) for title, future in begun]
    done += [(title, looked(title, look)) for title, look in outside.after(inside["facts"])]
    findings = [finding for dummy, found in done for finding in found]
    titles = [dict(title=title, where=OUTSIDE, found=[one.id for one in found]) for title, found in done]
    return findings, titles, inside
