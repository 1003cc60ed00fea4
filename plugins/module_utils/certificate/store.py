# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a site's certificate is on the host, and that a proxy serves it.

The paths that a proxy reads are links through one folder, `live`, which is moved in one step: whoever reads
them finds a certificate and its own key, also after the power was cut.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import socket
import ssl
import time

from ansible_collections.selfhost.flask.plugins.module_utils.certificate.certificate import (
    CertificateError,
    Facts,
    Pair,
    belongs,
    is_address,
)
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import make_folders, sync_folder, write_file
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError, run
from ansible_collections.selfhost.flask.plugins.module_utils.proxy.proxies import PROXIES
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import read_link, replace_link

FOLDER = "/etc/ssl/selfhost"
CERTIFICATE, KEY, LIVE = "certificate.pem", "key.pem", "live"
DEADLINE = 30  # seconds in which a proxy has to serve what it was told to load
PAUSES = (0.1, 0.5)  # seconds before a connection that failed is tried again


class Store:
    """The certificate of an application at its final path."""

    def __init__(self, app: str, folder: str = FOLDER) -> None:
        self.app = app
        self.folder = folder
        self.own = os.path.join(folder, app)
        self.live = os.path.join(self.own, LIVE)
        self.links = {CERTIFICATE: os.path.join(folder, app + ".pem"), KEY: os.path.join(folder, app + ".key")}

    def read(self) -> Pair | None:
        """What a proxy would load; None where there is nothing that it could."""
        try:
            pair = Pair(*(_read(self.links[name]) for name in (CERTIFICATE, KEY)))
            return pair if belongs(pair) and pair.facts() else None
        except (OSError, UnicodeDecodeError, IndexError, CertificateError):
            return None

    def facts(self) -> Facts | None:
        pair = self.read()
        return pair.facts() if pair else None

    def install(self, pair: Pair) -> None:
        """Puts a pair into effect for whoever loads it next; the one before it is kept."""
        make_folders(self.own)
        self._adopt()
        self._point_to(self._written(pair))
        self._prune()

    def _adopt(self) -> None:
        """Two plain files become the first pair, so that each link that replaces one changes nothing."""
        before = None if os.path.islink(self.links[CERTIFICATE]) else self.read()
        if before:
            self._point_to(self._written(before))

    def _written(self, pair: Pair) -> str:
        """The name of a new folder with a pair in it."""
        name = time.strftime("%Y%m%dT%H%M%SZ-", time.gmtime()) + pair.facts().fingerprint[:12]
        folder = os.path.join(self.own, name)
        make_folders(folder)
        write_file(os.path.join(folder, KEY), pair.key.encode(), 0o600)
        write_file(os.path.join(folder, CERTIFICATE), pair.certificate.encode(), 0o644)
        sync_folder(folder)
        return name

    def _point_to(self, name: str) -> None:
        replace_link(self.live, name)
        for file, link in self.links.items():
            target = os.path.join(self.app, LIVE, file)
            if read_link(link) != target:
                replace_link(link, target)
        sync_folder(self.own)
        sync_folder(self.folder)

    def _prune(self) -> None:
        """Only the live pair and the one before it stay."""
        live = read_link(self.live)
        names = [name for name in os.listdir(self.own) if name not in (live, LIVE)]
        names.sort(key=lambda name: os.stat(os.path.join(self.own, name)).st_mtime)
        for name in names[:-1]:
            shutil.rmtree(os.path.join(self.own, name))


class Proxy:
    """Who serves the certificate: the units that load it, and where they answer."""

    def __init__(self, services: list, names: list, address: tuple = ("127.0.0.1", 443)) -> None:
        self.services = services
        self.names = [name for name in names if not is_address(name)] or [""]
        self.address = address

    def load(self, facts: Facts, deadline: float = DEADLINE) -> bool:
        """Sees that a certificate is served for its site's names; whether it had to be loaded for that.

        It may have more names, which are other sites'.
        """
        if self.serves(facts):
            return False
        for service in self.services:
            self._reload(service)
        end = time.monotonic() + deadline
        while True:
            others = self._others(facts.fingerprint)
            if not others:
                return True
            if time.monotonic() > end:
                raise CertificateError(
                    "%s was reloaded, and does not serve the new certificate: %s. %s"
                    % (" and ".join(self.services), "; ".join(others), self._remedy())
                )
            time.sleep(0.2)

    def serves(self, facts: Facts) -> bool:
        """Whether its site's visitors get this certificate, or nobody is to serve it."""
        return not self.services or not self._others(facts.fingerprint)

    def _remedy(self) -> str:
        """Another site with the same name is the likeliest reason, and a proxy's journal doesn't say so."""
        for name in self.names:
            sites = [path for one in self.services if one in PROXIES for path in PROXIES[one]().sites_with(name)]
            if len(sites) > 1:
                return "%s are sites for %s: remove all but one." % (" and ".join(sites), name)
        return "See `journalctl -u %s`." % self.services[0]

    @staticmethod
    def _reload(service: str) -> None:
        try:
            run(["systemctl", "reload", service])
        except CommandError as error:
            raise CertificateError(
                "The new certificate is in place, and %s can't load it: %s\nSee `journalctl -u %s`." % (service, error, service)
            ) from error

    def _others(self, fingerprint: str) -> list:
        """What is said for each name for which another certificate is served, or none."""
        found = []
        for name in self.names:
            try:
                served = self.served(name)
            except OSError as error:
                found.append("%s: %s" % (name, error))
                continue
            if served != fingerprint:
                found.append("%s: the certificate %s…" % (name, served[:12]))
        return found

    def served(self, name: str) -> str:
        """The fingerprint of the certificate that a visitor of a name gets."""
        for pause in PAUSES:
            try:
                return self._served(name)
            except OSError:  # cut by chance, or by a firewall that is reloaded
                time.sleep(pause)
        return self._served(name)

    def _served(self, name: str) -> str:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # any certificate: which one it is, is the question
        host = name.replace("*", "any", 1) or None
        with socket.create_connection(self.address, timeout=5) as plain:
            with context.wrap_socket(plain, server_hostname=host) as connection:
                return hashlib.sha256(connection.getpeercert(binary_form=True)).hexdigest()


def write_report(path: str, report: dict) -> None:
    """What became of the last look at the certificate, for everybody to read: it has no secret."""
    write_file(path, json.dumps(report, indent=2, sort_keys=True).encode() + b"\n", 0o644)


def read_report(path: str) -> dict:
    """Empty where there is none."""
    with contextlib.suppress(OSError, ValueError):
        return json.loads(_read(path))
    return {}


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()
