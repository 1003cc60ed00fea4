# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the doctor can find, how bad each of it is, and which finding explains another one."""

from __future__ import annotations

import os
import subprocess
from typing import Iterable, NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.database.drivers import DRIVERS
from ansible_collections.selfhost.flask.plugins.module_utils.process.managers import MANAGERS
from ansible_collections.selfhost.flask.plugins.module_utils.proxy.proxies import PROXIES

SEVERITIES = ("critical", "warning", "notice")
INSIDE, OUTSIDE = "inside", "outside"
TIMEOUT = 20  # seconds for a program that only looks

CATALOGUE = {
    # Can the host be reached?
    "host-unreachable": "critical",
    "ssh-unreachable": "critical",
    "name-unresolved": "critical",
    "name-elsewhere": "warning",
    "outside-unseen": "warning",
    # What visitors get.
    "https-unreachable": "critical",
    "http-unreachable": "warning",
    "http-not-redirected": "warning",
    "health-error": "critical",
    "health-text": "critical",
    "health-slow": "warning",
    "static-refused": "critical",
    "static-not-by-proxy": "notice",
    "header-missing": "warning",
    "server-version-shown": "notice",
    # The certificate and TLS.
    "certificate-expired": "critical",
    "certificate-expires-soon": "warning",
    "certificate-not-yet-valid": "critical",
    "certificate-names": "critical",
    "certificate-self-signed": "critical",
    "certificate-untrusted": "critical",
    "certificate-not-loaded": "warning",
    "certificate-missing": "critical",
    "renewal-failed": "warning",
    "tls-old-version": "warning",
    "tls-profile": "warning",
    # The way of a request on the host.
    "proxy-stopped": "critical",
    "proxy-config-invalid": "critical",
    "site-name-taken": "critical",
    "process-manager-stopped": "critical",
    "nothing-served": "critical",
    "live-link-broken": "critical",
    "slot-stopped": "critical",
    "slot-crashing": "critical",
    "slot-silent": "critical",
    "python-missing": "critical",
    "module-missing": "critical",
    "out-of-memory": "critical",
    "application-error": "critical",
    "slot-restarted": "warning",
    "worker-stopped": "warning",
    "worker-crashing": "warning",
    "worker-left": "warning",
    "job-failed": "warning",
    "job-stopped": "warning",
    "job-never-due": "warning",
    "scheduler-repeated": "warning",
    "service-stopped": "critical",
    # Releases and deployments.
    "current-mismatch": "warning",
    "site-closed": "warning",
    "site-left-closed": "critical",
    "writes-refused": "warning",
    "deployment-interrupted": "warning",
    "deployment-lock-left": "warning",
    "deployment-running": "notice",
    # Data and settings.
    "database-stopped": "critical",
    "database-unreachable": "critical",
    "database-behind": "critical",
    "database-not-copied": "warning",
    "database-differs": "notice",
    "secret-key-weak": "critical",
    "secret-key-foreign": "critical",
    "settings-missing": "critical",
    "settings-pending": "notice",
    "env-exposed": "critical",
    "env-mode": "warning",
    "key-exposed": "critical",
    "backups-exposed": "critical",
    "backup-missing": "warning",
    "backup-old": "warning",
    "backup-failed": "warning",
    "backup-timer-stopped": "warning",
    "drill-failed": "warning",
    "drill-old": "warning",
    # The machine.
    "disk-full": "critical",
    "disk-filling": "warning",
    "inodes-low": "critical",
    "filesystem-readonly": "critical",
    "disk-errors": "critical",
    "memory-low": "warning",
    "swap-full": "warning",
    "unit-failed": "warning",
    "reboot-required": "warning",
    "updates-pending": "notice",
    "updates-stale": "warning",
    "clock-not-synchronised": "warning",
    "clock-wrong": "warning",
    # Who gets in.
    "ssh-password-login": "critical",
    "ssh-root-login": "warning",
    "sshd-config-invalid": "critical",
    "firewall-off": "critical",
    "firewall-default": "critical",
    "firewall-foreign": "critical",
    "port-open": "warning",
    "port-listening": "notice",
    "fail2ban-stopped": "warning",
    "jail-missing": "warning",
    # What the logs say.
    "application-errors": "warning",
    "proxy-errors": "warning",
    "journal-errors": "notice",
    # The doctor itself.
    "check-failed": "notice",
}


def _failed(units: Iterable[str]) -> tuple:
    """The findings that say of units that they have failed."""
    return tuple("unit-failed:" + unit for unit in units)


_ANSWERS = ("health-error", "health-text", "health-slow", "proxy-errors", "application-errors", "header-missing")
_PROXY = _ANSWERS + (
    "https-unreachable", "http-unreachable", "http-not-redirected", "journal-errors",
    "certificate-not-loaded", "static-refused", "server-version-shown", "tls-profile",
    *_failed(proxy.unit for proxy in PROXIES.values() if proxy.unit),
)
_SLOT = _ANSWERS + ("journal-errors", "slot-crashing", "slot-restarted", "application-error")

# What follows from a finding by itself and is not said as well. `unit-failed:x` is about x alone.
EXPLAINS = {
    "host-unreachable": ("ssh-unreachable", "https-unreachable", "http-unreachable"),
    "https-unreachable": _ANSWERS,
    "proxy-stopped": _PROXY,
    "proxy-config-invalid": _PROXY + ("proxy-stopped",),
    "site-name-taken": _PROXY,
    "certificate-missing": _PROXY + ("proxy-config-invalid", "proxy-stopped"),
    "process-manager-stopped": _SLOT + (
        "worker-stopped", "worker-crashing", "slot-silent", *_failed(manager.unit for manager in MANAGERS.values()),
    ),
    "nothing-served": _SLOT + ("current-mismatch", "static-refused", "database-behind"),
    "live-link-broken": _SLOT + ("current-mismatch",),
    "slot-stopped": _SLOT,
    "slot-crashing": _ANSWERS + ("slot-restarted",),
    "slot-silent": _ANSWERS,
    "python-missing": _SLOT + ("module-missing",),
    "module-missing": _SLOT,
    "out-of-memory": _SLOT + ("memory-low", "swap-full"),
    "application-error": _ANSWERS,
    "site-closed": _ANSWERS,
    "site-left-closed": _ANSWERS,
    "database-stopped": _SLOT + (
        "slot-silent", "database-unreachable", "database-behind", "worker-stopped", "worker-crashing", "backup-failed",
        *_failed(unit for driver in DRIVERS.values() for unit in driver.units),
    ),
    "service-stopped": _SLOT + ("worker-stopped", "worker-crashing"),
    "database-unreachable": _SLOT + ("database-behind", "backup-failed", "slot-silent"),
    "database-behind": _SLOT,
    "settings-missing": _SLOT + ("settings-pending",),
    "certificate-expired": ("certificate-expires-soon", "certificate-untrusted"),
    "certificate-not-yet-valid": ("certificate-untrusted",),
    "certificate-names": ("certificate-untrusted",),
    "certificate-self-signed": ("certificate-untrusted", "certificate-expires-soon"),
    "env-exposed": ("env-mode",),
    "deployment-interrupted": ("writes-refused", "deployment-lock-left", "deployment-running", "settings-pending"),
    "deployment-running": ("writes-refused", "settings-pending", "worker-stopped", "worker-crashing", "worker-left"),
    "disk-full": ("disk-filling",),
    "disk-errors": ("journal-errors",),
    "backup-failed": ("unit-failed:backup", "backup-old", "backup-missing"),
    "drill-failed": ("unit-failed:drill", "drill-old"),
    "backup-missing": ("backup-old", "drill-old", "backup-timer-stopped"),
    "fail2ban-stopped": ("jail-missing", "unit-failed:fail2ban.service"),
    "firewall-foreign": ("https-unreachable", "http-unreachable"),
    "firewall-off": ("firewall-default", "unit-failed:ufw.service", "port-listening"),
    "sshd-config-invalid": ("ssh-password-login", "ssh-root-login"),
}


ALIVE = "See in the provider's console whether the host runs, has its address, and what its firewall lets in."
DEAD = {"ssh-unreachable", "https-unreachable", "http-unreachable"}  # all of them: it is the host


class Finding(NamedTuple):
    """What is wrong, with the facts, and what to do; the subject tells two of the same kind apart."""

    id: str
    what: str
    remedy: str
    where: str = INSIDE
    subject: str = ""

    @property
    def severity(self) -> str:
        return CATALOGUE[self.id]

    @property
    def names(self) -> set:
        """By what it can be ignored: as all of its kind, or it alone."""
        return {self.id, "%s:%s" % (self.id, self.subject)}

    def described(self) -> dict:
        """The finding for programs."""
        return dict(self._asdict(), severity=self.severity)


def restored(described: dict) -> Finding:
    """A finding that came from the host."""
    return Finding(**{name: described[name] for name in Finding._fields})


def settle(findings: Iterable[Finding], ignored: Iterable[str] = ()) -> list:
    """The causes without what they explain, each once, the worst first."""
    findings, ignored, unique = list(findings), set(ignored), {}
    inside = {one.id for one in findings if one.where == INSIDE and not one.names & ignored}
    for finding in findings:
        if finding.where == INSIDE or finding.subject or finding.id not in inside:  # there it says more
            unique.setdefault((finding.id, finding.subject), finding)
    present = {finding.id for finding in unique.values()}
    if DEAD <= present:
        dead = Finding("host-unreachable", "The host answers at none of its ports.", ALIVE, OUTSIDE)
        unique[(dead.id, "")] = dead
        present.add(dead.id)
    explained = {name for cause in present for name in EXPLAINS.get(cause, ()) if name != cause}
    kept = [
        finding for finding in unique.values()
        if not finding.names & (explained | ignored)
    ]
    return sorted(kept, key=lambda finding: (SEVERITIES.index(finding.severity), finding.id, finding.subject))


def at_least(findings: Iterable[Finding], severity: str) -> list:
    """The findings of a severity and of the worse ones; none for `never`."""
    if severity not in SEVERITIES:
        return []
    return [one for one in findings if SEVERITIES.index(one.severity) <= SEVERITIES.index(severity)]


class Said(NamedTuple):
    """How a program ended, and what it said."""

    code: int
    out: str
    err: str


def ask(*argv: str, timeout: float = TIMEOUT) -> Said:
    """Runs a program that only looks; 127 where there is none, 124 where it takes too long."""
    path = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False,
            env=dict(os.environ, LC_ALL="C", PATH=path),
        )
    except subprocess.TimeoutExpired:
        return Said(124, "", "`%s` did not end within %d s" % (argv[0], timeout))
    except OSError as error:
        return Said(127, "", str(error))
    return Said(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def clipped(text: str, length: int = 240) -> str:
    """A text on one line, and no longer than a person reads."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[:length - 1] + "…"
