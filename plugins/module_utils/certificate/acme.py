# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates by ACME: certbot's part, and whether the names lead here at all."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import secrets
import shlex
import socket
import ssl
import subprocess
import time
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from ansible_collections.selfhost.flask.plugins.module_utils.certificate.certificate import (
    CertificateError,
    Facts,
    Pair,
    belongs,
    has_names,
    plain,
    uncovered,
)
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import make_folders, write_file

LETSENCRYPT = "/etc/letsencrypt"
CHALLENGES = ".well-known/acme-challenge"
BUSY = "Another instance of Certbot is already running"
PAUSES = (0, 0.1, 0.5)  # a connection may be cut by chance, or by a firewall that is reloaded
PATIENCE = 120  # seconds to wait for another certbot
LAST_LINES = 20
LOG = "/var/log/letsencrypt/letsencrypt.log"
HIDDEN = "can't set attribute"  # how certbot 2.1 says on Python 3.11 that the server has refused
REFUSAL = re.compile(r"^acme\.messages\.Error: (.+(?:\n(?!During|Traceback|\d{4}-).+)*)", re.M)
NOISE = re.compile(
    r"^(Saving debug log to|Ask for help or search|See the logfile|Some challenges have failed|Account registered|"
    r"Requesting a certificate|Renewing an existing certificate|- - - )"
)
MISLED = (
    "%(problems)s. No certificate was asked for, since it would be refused. Set the names' A and AAAA records to this "
    "host (%(own)s), and open port 80 for everybody. Where they are right, and this host can't reach itself by "
    "them, set tls_reachability_check_enabled to false."
)


class Acme(NamedTuple):
    """What a certificate is asked of, and how."""

    server: str
    email: str = ""
    ca: str = ""  # path of the CA certificate of a server that is not public
    webroot: str = ""
    asked: str = ""  # path of the names that were last asked for
    hook: str = ""  # the command that answers DNS challenges; without one, they are HTTP's
    check: bool = True
    folder: str = LETSENCRYPT
    log: str = LOG


class Lineage:
    """The certificates of an application, as certbot keeps them."""

    def __init__(self, app: str, acme: Acme) -> None:
        self.name = "selfhost-" + app
        self.acme = acme
        self.path = os.path.join(acme.folder, "live", self.name)
        self.conf = os.path.join(acme.folder, "renewal", self.name + ".conf")

    def read(self) -> Pair | None:
        """The newest pair; None where there is none that is whole."""
        try:
            pair = Pair(*(_read(os.path.join(self.path, name)) for name in ("fullchain.pem", "privkey.pem")))
            return pair if belongs(pair) else None
        except (OSError, IndexError, CertificateError):
            return None

    def server(self) -> str:
        """Who issued it."""
        found = re.search(r"^server = (.*)$", self._settings(), re.M)
        return found.group(1).strip() if found else ""

    def suits(self, names: list, now: float) -> bool:
        """Whether nothing has to be asked for."""
        pair = self.read()
        if pair is None or self.server() != self.acme.server:
            return False
        facts = pair.facts()
        return self._is_for(facts, names) and not facts.is_due(now)

    def _is_for(self, facts: Facts, names: list) -> bool:
        """Whether a certificate is what one for these names would be: a server may add names of its own."""
        asked = self._asked()
        if asked is None:
            return has_names(facts, names)
        return asked == {plain(name) for name in names} and not uncovered(facts, names)

    def _asked(self) -> set | None:
        with contextlib.suppress(OSError, ValueError):
            return set(json.loads(_read(self.acme.asked)))
        return None

    def ask(self, names: list) -> None:
        """Asks for a new certificate; CertificateError with what the server said."""
        environment = dict(os.environ, LC_ALL="C.UTF-8")
        if self.acme.ca:
            environment["REQUESTS_CA_BUNDLE"] = self.acme.ca
        end = time.monotonic() + PATIENCE
        while True:
            done = self._certbot(names, environment)
            if BUSY not in done.stdout or time.monotonic() > end:
                break
            time.sleep(2)
        if done.returncode:
            raise CertificateError("%s gave no certificate for %s. %s" % (
                self.acme.server, ", ".join(names), self._refusal(done) or "certbot ended with %d." % done.returncode
            ))
        if self.acme.asked:
            write_file(self.acme.asked, json.dumps([plain(name) for name in names]).encode() + b"\n", 0o644)

    def _refusal(self, done: subprocess.CompletedProcess) -> str:
        """Why there is no certificate, in the words of the server."""
        if HIDDEN in done.stdout:
            with contextlib.suppress(OSError):
                found = REFUSAL.findall(_read(self.acme.log))
                return found[-1].strip() if found else spoken(done.stdout)
        return spoken(done.stdout)

    def _certbot(self, names: list, environment: dict) -> subprocess.CompletedProcess:
        try:
            return subprocess.run(
                self.command(names), env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, encoding="utf-8", errors="replace", check=False,
            )
        except OSError as error:
            raise CertificateError("certbot can't be run: %s. Run `selfhost.flask.site`." % error.strerror) from error

    def command(self, names: list) -> list:
        """The same for a first certificate, a renewal, other names and another server."""
        email = ["--email", self.acme.email] if self.acme.email else ["--register-unsafely-without-email"]
        command = [
            "certbot", "certonly", "--non-interactive", "--agree-tos", "--no-eff-email", *email,
            "--config-dir", self.acme.folder, "--server", self.acme.server, "--cert-name", self.name,
            "--key-type", "ecdsa", "--elliptic-curve", "secp256r1", "--force-renewal", "--renew-with-new-domains",
            "--break-my-certs", *self._challenge(),
        ]
        return command + [word for name in names for word in ("--domain", name)]

    def _challenge(self) -> list:
        if not self.acme.hook:
            return ["--webroot", "--webroot-path", self.acme.webroot]
        return [
            "--manual", "--preferred-challenges", "dns",
            "--manual-auth-hook", self.acme.hook + " add", "--manual-cleanup-hook", self.acme.hook + " remove",
        ]

    def configure(self, renewed: bool = True) -> bool:
        """Tells the distribution's own timer when it may renew; whether it was told otherwise before.

        It comes second, when half of the time for a renewal has gone by: by certbot's fixed number of
        days, a certificate that lives six days would be renewed at every look.
        """
        before, pair = self._settings(), self.read()
        if not before or pair is None:
            return False
        hours = max(1, int(pair.facts().reserve / 2 / 3600))
        lines = [line for line in before.splitlines() if not re.match(r"#? ?(renew_before_expiry|autorenew) ?=", line)]
        lines.insert(0, "renew_before_expiry = %d hours" % hours)
        if not renewed:
            lines.insert(lines.index("[renewalparams]") + 1, "autorenew = False")
        after = "\n".join(lines) + "\n"
        if after != before:
            write_file(self.conf, after.encode(), 0o644)
        return after != before

    def _settings(self) -> str:
        with contextlib.suppress(FileNotFoundError):
            return _read(self.conf)
        return ""


def spoken(output: str) -> str:
    """What matters of what certbot said."""
    lines = [line.strip() for line in output.splitlines()]
    return "\n".join([line for line in lines if line and not NOISE.match(line)][-LAST_LINES:])


def hook_command(*words: str) -> str:
    """A command as certbot takes it, for a shell."""
    return " ".join(shlex.quote(word) for word in words)


def check_names(names: list, webroot: str, port: int = 80) -> None:
    """CertificateError with the names whose challenge would not be answered by this host.

    A host may be behind another address than its own, so it is not the addresses that are compared: a
    visitor of each has to find what was put here a moment ago.
    """
    token = secrets.token_urlsafe(24)
    folder = os.path.join(webroot, CHALLENGES)
    path = os.path.join(folder, "selfhost-" + token)
    make_folders(folder)
    write_file(path, token.encode(), 0o644)
    try:
        problems = [text for text in (unreached(name, token, port) for name in names) if text]
    finally:
        os.unlink(path)
    if problems:
        raise CertificateError(MISLED % dict(problems=". ".join(problems), own=", ".join(own_addresses())))


def unreached(name: str, token: str, port: int = 80) -> str:
    """Why a challenge for a name would fail; nothing where it would not."""
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return "%s does not resolve (%s)" % (name, error.strerror)
    own, failed = own_addresses(), []
    addresses = list(dict.fromkeys(entry[4][0] for entry in found))
    for address in addresses:
        problem = asked(address, name, token, port)
        if problem:
            here = "this host itself" if address in own else "no address of this host"
            failed.append("%s resolves to %s, which is %s: %s" % (name, address, here, problem))
    return "; ".join(failed)


def asked(address: str, name: str, token: str, port: int = 80) -> str:
    """What is wrong with the answer of an address to a challenge for a name."""
    url = "http://%s/%s/selfhost-%s" % (name, CHALLENGES, token)
    for pause in PAUSES:
        time.sleep(pause)
        problem = found(http.client.HTTPConnection(address, port, timeout=10), url, token)
        if not problem:
            break
    return problem


def found(connection: http.client.HTTPConnection, url: str, token: str, hops: int = 3) -> str:
    """What is wrong with the page at a URL, as an ACME server gets it; nothing where it is the token."""
    parts = urlsplit(url)
    try:
        connection.request("GET", parts.path or "/", headers={"Host": parts.netloc})
        answer = connection.getresponse()
        said = answer.read(1000).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return "port %d does not answer (%s)" % (connection.port, error)
    finally:
        connection.close()
    if answer.status in (301, 302, 303, 307, 308) and hops:
        return redirected(urljoin(url, answer.getheader("Location", "")), token, hops - 1)
    if answer.status != 200:
        return "port %d answers %d" % (connection.port, answer.status)
    return "" if said == token else "another server answers"


def redirected(url: str, token: str, hops: int) -> str:
    """The same where an address sends to another place, whose certificate an ACME server does not look at."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=10, context=context)
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    problem = found(connection, url, token, hops)
    return "it redirects to %s: %s" % (url, problem) if problem else ""


def own_addresses() -> list:
    """The addresses of this host's interfaces."""
    try:
        done = subprocess.run(["hostname", "-I"], capture_output=True, encoding="utf-8", check=False)
    except OSError:
        return []
    return done.stdout.split()


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()
