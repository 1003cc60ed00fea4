# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor on the host: all that is looked at there, and what it hands to the one outside."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import ssl
from typing import Callable, Iterator, NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.common.dotenv import read as read_dotenv
from ansible_collections.selfhost.flask.plugins.module_utils.common.pages import PAGE
from ansible_collections.selfhost.flask.plugins.module_utils.common.secrets import pattern_of, secrets_of
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.health import Health
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks import access, data, sshd
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks import host as doctor_host
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks import jobs as doctor_jobs
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks import logs as doctor_logs
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks import workers as doctor_workers
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks.serving import PATIENCE, Way
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.findings import Finding, ask, clipped
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.S)
ADDED_HEADER = re.compile(r"^\s*add_header\s+[\"']?(Strict-Transport-Security|X-Content-Type-Options)\b", re.M | re.I)


class Settings(NamedTuple):
    """What the doctor is told; the module documents it."""

    name: str
    root: str
    log: str
    certificate: str = ""
    key: str = ""
    static_url: str = "/static"
    health_url: str = "/"
    health_text: str = ""
    health_status: tuple = ()
    health_redirect: bool = True
    host: str = "localhost"
    migrations: str = "migrations"
    workers: tuple = ()
    jobs: tuple = ()
    services: tuple = ()
    required: list | None = None
    jails: tuple = ("sshd",)
    ports: tuple = (80, 443)
    disk_free: int = 500
    memory_free: int = 50
    backup_hours: int = 36
    drill_days: int = 10
    brief: bool = False
    listen: str = ""


class Inside:
    """One look at one application's host."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.site = Site(settings.name, settings.root, settings.log, tuple(settings.workers))
        health = Health(
            settings.health_url, settings.host, settings.health_text, PATIENCE,
            tuple(settings.health_status), settings.health_redirect,
        )
        self.way = Way(self.site, health)

    def checks(self) -> list:
        """(title, what looks) in the order of the report."""
        s, site = self.settings, self.site
        checks = [
            ("The way of a request: proxy, live slot, application", self.way.look),
            ("The application's port", lambda: self.way.port(s.listen)),
            ("Host name of the site: nobody else has it", self.namesakes),
            ("Background workers", lambda: doctor_workers.workers(self.way.slots)),
            ("Scheduled jobs", lambda: doctor_jobs.jobs(site, s.jobs)),
            ("The application's own scheduler", lambda: data.scheduler(site)),
            ("Services beside the application", lambda: doctor_host.services(s.services)),
            ("Deployments: nothing left behind, one version everywhere", self.way.deployments),
            ("Database and its revision", lambda: data.database(site, s.migrations)),
            ("The application's secret key", lambda: data.secret_key(site)),
            ("Settings in .env", lambda: data.settings(site, s.required)),
            ("Who can read the secrets", self.secrets),
            ("Backups and their trials", self.backups),
            ("Renewal of the certificate", lambda: data.renewal("/var/lib/selfhost/tls/%s.json" % s.name)),
            ("Disks", self.disks),
            ("Memory and swap", lambda: doctor_host.memory(data.text_of("/proc/meminfo"), s.memory_free)),
            ("Services of systemd", self.units),
            ("Reboot", self.reboot),
            ("Clock", doctor_host.clock),
            ("ssh server's configuration", sshd.ssh_server),
            ("Firewall", self.firewall),
            ("fail2ban", lambda: access.jails(s.jails)),
            ("Application's log", self.application_log),
            ("The proxy's error log", self.proxy_log),
            ("System's journal", doctor_logs.journal_errors),
        ]
        return checks if s.brief else checks + [("Security updates", doctor_host.updates)]

    def examine(self) -> dict:
        """The findings, the titles of the checks, and the facts for the one outside."""
        if not os.path.isdir(self.site.path("deployment")):
            nothing = Finding("nothing-served", "The host has no %s yet." % self.site.root, "Run `selfhost.flask.site`.")
            return dict(findings=[nothing.described()], checks=[], facts={})
        mask, findings, titles = self.mask(), [], []
        for title, look in self.checks():
            found = looked(title, look)
            findings += [finding._replace(what=mask(finding.what)) for finding in found]
            titles.append(dict(title=title, where="inside", found=[finding.id for finding in found]))
        return dict(findings=[finding.described() for finding in findings], checks=titles, facts=self.facts())

    def mask(self) -> Callable:
        """Takes the secrets of .env, and of the slots' copies of it, out of a text."""
        values = {}
        for number, path in enumerate([self.site.path("shared", ".env")] + self.copies()):
            values.update(("%s %d" % (key, number), value) for key, value in read_dotenv(data.text_of(path)).items())
        pattern = pattern_of(secrets_of(values, (self.site.root, self.site.name)))
        return lambda text: pattern.sub("********", text)

    def copies(self) -> list:
        return sorted(glob.glob(glob.escape(self.site.path("slots")) + "/*.settings/.env"))

    def namesakes(self) -> Iterator[Finding]:
        """As after a change of flask_app, when the old application is still there."""
        sites = self.way.server.sites_with(self.settings.host)
        if len(sites) > 1:
            yield Finding(
                "site-name-taken",
                "%s is the name of %s, and %s serves the first of them."
                % (self.settings.host, " and ".join(sites), self.way.server.name),
                "Remove the other application (%s), or give it another flask_domain and run `selfhost.flask.site` for it."
                % (PAGE % "remove"),
            )

    def secrets(self) -> Iterator[Finding]:
        yield from access.env_file(self.site.path("shared", ".env"), self.site.name)
        yield from access.private(self.settings.key, "key-exposed")
        yield from access.private(os.path.join("/var/backups", self.site.name), "backups-exposed")

    def backups(self) -> Iterator[Finding]:
        yield from data.backups(self.site, self.settings.backup_hours, self.settings.drill_days)
        if os.path.exists("/etc/systemd/system/flask-%s-backup.timer" % self.site.name):
            yield from doctor_host.timers(self.site.name, ["backup", "drill"])

    def units(self) -> Iterator[Finding]:
        jobs = [doctor_jobs.unit_of(self.site, name, "service") for name in self.settings.jobs]
        yield from doctor_host.units(self.site.name, [*self.settings.services, *jobs, self.way.server.unit])

    def disks(self) -> Iterator[Finding]:
        own = (self.site.path("shared"), self.site.log, os.path.join("/var/backups", self.site.name))
        yield from doctor_host.disks(doctor_host.FOLDERS + own, self.settings.disk_free)

    def reboot(self) -> Iterator[Finding]:
        boot = "" if doctor_host.is_container() else "/boot"
        yield from doctor_host.reboot(doctor_host.REBOOT, boot, os.uname().release)

    def firewall(self) -> Iterator[Finding]:
        said = ask("ufw", "status", "verbose")
        yield from access.firewall(said.code, said.out)
        yield from access.foreign_rules()
        yield from access.containers([port for port in access.published() if port not in self.settings.ports])

    def application_log(self) -> Iterator[Finding]:
        live = self.way.slots.live()
        names = ([live] if live else []) + list(self.settings.workers)
        logs = {os.path.join(self.site.log, name + ".log"): self.way.launched() for name in names}
        yield from doctor_logs.application_errors(logs)

    def proxy_log(self) -> Iterator[Finding]:
        yield from doctor_logs.proxy_errors(self.way.server.error_log(self.site.name), self.way.reachable())

    def facts(self) -> dict:
        """What is compared with the view from outside."""
        ports = list(self.settings.ports) + sshd.ssh_ports()
        live = self.way.slots.live()
        return dict(
            release=self.site.release_name(self.way.slots.release(live)) if live else "",
            slot=live,
            addresses=ask("hostname", "-I").out.split(),
            fingerprint=fingerprint(self.settings.certificate),
            static=self.static(),
            headers=sorted(set(ADDED_HEADER.findall(self.way.server.configuration(self.site.name)))),
            guessable=sshd.with_password(),
            listeners=doctor_host.listeners(ask("ss", "-Htlnup").out, ports + access.published()),
            lock=self.way.lock(),
            lock_path=self.site.path("deployment", "lock.json"),
        )

    def static(self) -> str:
        """The URL of a file that the proxy should serve by itself."""
        public = self.site.path("current", ".public")
        top = os.path.join(public, self.settings.static_url.strip("/"))
        for folder, folders, files in os.walk(top):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                if re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", name):
                    return "/" + os.path.relpath(os.path.join(folder, name), public)
        return ""


def fingerprint(path: str) -> str:
    """The digest of a certificate file's first certificate."""
    found = PEM.search(data.text_of(path)) if path else None
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(found.group(0))).hexdigest() if found else ""


def looked(title: str, look: Callable) -> list:
    """A check's findings; a check that fails is one itself, and none that ends the others."""
    try:
        return list(look())
    except Exception as error:  # whatever it is, the rest of the report is needed all the more
        said = clipped("%s: %s" % (type(error).__name__, error))
        return [Finding("check-failed", "'%s' could not be looked at (%s)." % (title, said), "Report it.", subject=title)]
