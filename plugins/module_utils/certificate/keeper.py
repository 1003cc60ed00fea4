# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a site's certificate good: the module's work, and what the timer runs on the host.

There is a certificate at the final path before the proxy is set up, whatever its origin; it is replaced
only by another one that is good. So a site never is without one.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.certificate.acme import (
    LETSENCRYPT,
    LOG,
    Acme,
    Lineage,
    check_names,
    hook_command,
    own_addresses,
)
from ansible_collections.selfhost.flask.plugins.module_utils.certificate.certificate import (
    CertificateError,
    Pair,
    check,
    has_names,
    is_self_signed,
    moment,
    self_signed,
    without_redundant,
)
from ansible_collections.selfhost.flask.plugins.module_utils.certificate.store import (
    CERTIFICATE,
    FOLDER,
    KEY,
    Proxy,
    Store,
    read_report,
    write_report,
)
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import make_folders
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError, run
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import Busy, locked

MAIN = "from %s import main\n\nmain()\n" % __name__
PROGRAM, SETTINGS, SECRETS, CA = "certificate.pyz", "certificate.json", "dns-hook.json", "acme-ca.pem"
HOOKS = {"add": "dns-hook", "remove": "dns-cleanup-hook"}
STATE = "/var/lib/selfhost"
UNIT = "flask-%s-certificate.service"
BY_UNIT = "%s\nIt was asked for by %s, which runs the hook at each renewal, too: without $HOME, and with read-only folders."
PATIENCE = 600  # seconds to wait for another look at the same certificate
SELF_SIGNED, PROVIDED, LETSENCRYPT_ORIGIN = "self_signed", "provided", "letsencrypt"
NOT_YOURS = "It can't be renewed here: set tls_certificate and tls_key to a new one, and run `selfhost.flask.site`."


class Places(NamedTuple):
    """Where things are on the host."""

    certificates: str = FOLDER
    letsencrypt: str = LETSENCRYPT
    state: str = STATE


class Keeper:
    """The certificate of one application, as its settings want it."""

    def __init__(
        self, root: str, settings: dict, places: Places = Places(), now: Callable = time.time
    ) -> None:
        self.settings = settings
        self.names = without_redundant(settings["names"])
        self.origin = settings["origin"]
        self.places = places
        self.now = now
        self.store = Store(settings["name"], places.certificates)
        self.proxy = Proxy(settings["services"], settings["names"])
        self.lineage = Lineage(settings["name"], acme_of(root, settings["acme"], places, self.path(".asked")))

    def path(self, suffix: str) -> str:
        return os.path.join(self.places.state, "tls", self.settings["name"] + suffix)

    @contextlib.contextmanager
    def alone(self):
        """Nobody else renews it meanwhile."""
        for folder in ("acme", "tls"):
            make_folders(os.path.join(self.places.state, folder))
        try:
            with locked(self.path(".lock"), PATIENCE):
                yield
        except Busy as error:
            raise CertificateError(
                "Another run has been renewing the certificate for %d s. Wait until it has ended, and run this again."
                % PATIENCE
            ) from error

    def lacks(self, given: Pair | None = None) -> bool:
        """Whether the proxy would find no certificate, or one that is not of the origin that is asked for."""
        installed = self.store.read()
        if installed is None or self.origin == LETSENCRYPT_ORIGIN:
            return installed is None
        if self.origin == PROVIDED:
            return given is not None and given != installed
        facts = installed.facts()
        return not is_self_signed(facts) or not has_names(facts, self.names) or facts.is_due(self.now())

    def provide(self, given: Pair | None = None) -> bool:
        """Makes sure that the proxy finds a certificate; whether there was none, or another one."""
        lacking = self.lacks(given)
        if given:
            check(given, self.names, self.now())
        if lacking:
            self.store.install(given or self_signed(self.names, own_addresses(), self.settings["days"]))
            self.report("Made." if given is None else "Installed.", renewed=True)
        if self.origin != LETSENCRYPT_ORIGIN:
            lacking |= self.lineage.configure(renewed=False)
        return lacking

    def borrows(self) -> bool:
        """Whether visitors get a placeholder, until an ACME server was asked."""
        if self.origin != LETSENCRYPT_ORIGIN or self.lineage.read() is not None:
            return False
        facts = self.store.facts()
        return facts is None or is_self_signed(facts)

    def borrow(self, pair: Pair) -> bool:
        """Serves it until there is one of its own; whether that is new. CertificateError where it is not good."""
        check(pair, self.names, self.now())
        if not self.borrows():
            return False
        self.store.install(pair)
        self.report("Taken over, until there is one of its own.", renewed=True)
        self.proxy.load(self.store.facts())
        return True

    def asks(self) -> bool:
        """Whether an ACME server is to be asked."""
        return self.origin == LETSENCRYPT_ORIGIN and not self.lineage.suits(self.names, self.now())

    def is_settled(self) -> bool:
        """Whether nobody is to be asked for a certificate, and the proxy serves the one that is installed."""
        facts = self.store.facts()
        return self.origin != LETSENCRYPT_ORIGIN and facts is not None and self.proxy.serves(facts)

    def ask_by_unit(self) -> None:
        """Lets the timer's unit ask: a hook that can't work in it fails now, and not at the first renewal."""
        unit, before = UNIT % self.settings["name"], read_report(self.path(".json"))
        try:
            run(["systemctl", "start", unit])
        except CommandError as error:
            after = read_report(self.path(".json"))
            said = after["message"] if after != before else "%s. See `journalctl -u %s`." % (error, unit)
            raise CertificateError(BY_UNIT % (said, unit)) from error

    def keep(self, careful: bool = False) -> bool:
        """Renews the certificate where it is time, and sees that it is served; whether something was done.

        Whatever fails, the one that is there goes on being served.
        """
        try:
            renewed = self._renew(careful)
        except CertificateError as error:
            self.report(str(error), failed=True)
            raise
        try:
            loaded = self.proxy.load(self.store.facts())
        except CertificateError as error:
            self.report(str(error), failed=True, renewed=renewed)
            raise
        self.report("Renewed." if renewed else "Nothing to do.", renewed=renewed)
        return renewed or loaded

    def _renew(self, careful: bool) -> bool:
        if self.origin == PROVIDED:
            self._expect()
            return False
        if self.origin != LETSENCRYPT_ORIGIN:
            return self.lacks() and self.provide()
        asked = self.asks()
        if asked:
            if careful and self.lineage.acme.check and not self.lineage.acme.hook:
                check_names(self.names, self.lineage.acme.webroot)
            self.lineage.ask(self.names)
        told = self.lineage.configure()
        return self._take() or asked or told

    def _expect(self) -> None:
        """A provided certificate can't be made here, and the proxy may go on with the good one that it has loaded."""
        certificate, key = (self.store.links[name] for name in (CERTIFICATE, KEY))
        if self.store.read() is None:
            said = "%s is not the key of %s, or one of them is damaged." % (key, certificate)
            if not (os.path.exists(certificate) and os.path.exists(key)):
                said = "There is no certificate at %s with its key at %s." % (certificate, key)
            raise CertificateError("%s Run `selfhost.flask.site`, which installs them again, before the proxy restarts." % said)

    def _take(self) -> bool:
        """Installs what certbot has; whether that was another one."""
        pair = self.lineage.read()
        if pair is None:
            raise CertificateError(
                "%s has no certificate with its key. See %s, and run `selfhost.flask.site`." % (self.lineage.path, LOG)
            )
        if pair == self.store.read():
            return False
        check(pair, self.names, self.now())
        self.store.install(pair)
        return True

    def late(self) -> str:
        """What somebody has to do about a certificate that can't be renewed here."""
        facts = self.store.facts()
        if self.origin == PROVIDED and facts and facts.is_late(self.now()):
            return "The certificate of %s ends on %s. %s" % (self.settings["name"], facts.ends(), NOT_YOURS)
        return ""

    def report(self, text: str, failed: bool = False, renewed: bool = False) -> None:
        """Leaves a note of the last look, which says no more than visitors can see."""
        path, facts = self.path(".json"), self.store.facts()
        before = read_report(path)
        write_report(path, {
            "app": self.settings["name"],
            "origin": self.origin,
            "names": list(self.names),
            "placeholder": self.origin == LETSENCRYPT_ORIGIN and self.lineage.read() != self.store.read(),
            "not_after": facts.ends() if facts else None,
            "fingerprint": facts.fingerprint if facts else None,
            "renewed_at": moment(self.now()) if renewed else before.get("renewed_at"),
            "checked_at": moment(self.now()),
            "outcome": "failed" if failed else "ok",
            "message": text,
        })


def acme_of(root: str, about: dict, places: Places, asked: str) -> Acme:
    """The settings with the paths that follow from them."""
    program = hook_command("/usr/bin/python3", "-I", own(root, PROGRAM), root)
    return Acme(
        server=about["server"],
        email=about["email"],
        ca=own(root, CA) if about["ca"] else "",
        webroot=os.path.join(places.state, "acme"),
        asked=asked,
        hook=program if about["dns"] else "",
        check=about["check"],
        folder=places.letsencrypt,
    )


def own(root: str, name: str) -> str:
    """A path in the folder that is root's alone."""
    return os.path.join(root, "deployment", name)


def read_settings(root: str) -> dict:
    """CertificateError where the host was told nothing yet."""
    try:
        with open(own(root, SETTINGS), encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError as error:
        raise CertificateError("There is no %s. Run `selfhost.flask.site`." % error.filename) from error


def run_hook(root: str, action: str) -> None:
    """Becomes the user's script, which finds its secrets in the environment."""
    path, environment = own(root, HOOKS[action]), dict(os.environ)
    if not os.path.exists(path):
        return
    with contextlib.suppress(FileNotFoundError), open(own(root, SECRETS), encoding="utf-8") as file:
        environment.update(json.load(file))
    os.execve(path, [path], environment)


def main() -> None:
    """What the timer and certbot run: ROOT renew, ROOT add, ROOT remove."""
    root, action = sys.argv[1:3]
    if action in HOOKS:
        return run_hook(root, action)
    try:
        keeper = Keeper(root, read_settings(root))
        with keeper.alone():
            done, problem = keeper.keep(), keeper.late()
            if problem:
                keeper.report(problem, failed=True)
                raise CertificateError(problem)
    except (CertificateError, OSError) as error:
        raise SystemExit(str(error)) from error
    sys.stdout.write("%s until %s\n" % ("renewed" if done else "good", keeper.store.facts().ends()))
