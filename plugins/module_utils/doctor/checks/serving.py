# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor's way of a request: proxy, link, slot, application. The first that is broken is the cause."""

from __future__ import annotations

import fcntl
import http.client
import os
import time
from typing import Iterator

from ansible_collections.selfhost.flask.plugins.module_utils.deployment.gate import Gate
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.health import Health
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.journal import Journal
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.slots import SLOTS, Slots
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks import logs
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks.workers import OFTEN
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.findings import Finding, ask, clipped
from ansible_collections.selfhost.flask.plugins.module_utils.process.manager import (
    RUNNING,
    STOPPED,
    STOPPING,
    UNKNOWN,
    ProcessError,
    Program,
)
from ansible_collections.selfhost.flask.plugins.module_utils.process.managers import manager_of
from ansible_collections.selfhost.flask.plugins.module_utils.proxy.proxies import proxy_of
from ansible_collections.selfhost.flask.plugins.module_utils.proxy.proxy import Refusal
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import LEASE, Lock
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import lost_python, read_link
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

LATELY = 30  # seconds; gunicorn's socket also takes connections while its workers end at their start
CLOSED_HOURS = 4  # after which maintenance was rather forgotten
HERE = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}  # where the host itself is reached that listens at all addresses
PATIENCE = 5  # seconds that the application has to answer


def state_of(unit: str) -> str:
    """active, inactive, failed …"""
    return ask("systemctl", "is-active", unit).out.strip() or "unknown"


class Way:
    """The stations of a request to an application."""

    def __init__(self, site: Site, health: Health) -> None:
        self.site = site
        self.slots = Slots(site)
        self.server = proxy_of(site)
        self.slots.processes = manager_of(site, timeout=PATIENCE)
        self.health = health
        self.env = site.path("shared", ".env")

    def look(self) -> Iterator[Finding]:
        """What is broken first on either side of the link."""
        yield from self.proxy()
        yield from self.application()

    def proxy(self) -> Iterator[Finding]:
        server = self.server
        test, state = ask(*server.test), state_of(server.unit)
        if test.code:
            yield self.refused(state, server.refusal(test.err))
        elif state != "active":
            what = "%s is %s, so nobody is served." % (server.name, state)
            yield Finding("proxy-stopped", what, "`sudo systemctl start %s`" % server.name)

    def refused(self, state: str, refusal: Refusal) -> Finding:
        """The proxy goes on with what it has loaded: whatever is done, it must not be stopped now."""
        name, path = self.server.name, refusal.path
        what = "%s is %s, and its configuration is refused: %s" % (name, state, clipped(refusal.said))
        if refusal.gone:
            return Finding("certificate-missing", what, "Run `selfhost.flask.site`, which writes %s again." % refusal.gone)
        remedy = "Do not restart %s. " % name
        if not path or self.server.is_own(path, self.site.name):
            return Finding("proxy-config-invalid", what, remedy + "Run `selfhost.flask.site`, which writes its files again.")
        remedy += "%s is not a file of this collection: correct it, or move it away with `sudo mv %s /root/`. " % (path, path)
        remedy += "Then `sudo %s && sudo systemctl reload-or-restart %s`." % (" ".join(self.server.test), name)
        return Finding("proxy-config-invalid", what, remedy)

    def application(self) -> Iterator[Finding]:
        live = self.slots.live()
        try:
            states = {name: self.slots.processes.look(self.slots.program(name)) for name in SLOTS}
        except ProcessError as error:
            yield self.unmanaged(error)
            return
        if not live or not self.slots.release(live):
            yield self.nothing(live, states)
        else:
            yield from self.slot(live, states[live])

    def port(self, listen: str) -> Iterator[Finding]:
        """Whether the application is reached at an address of the host, for one that has no proxy."""
        if not listen:
            return
        address, dummy, port = listen.rpartition(":")
        address = HERE.get(address, address.strip("[]"))
        connection = http.client.HTTPConnection(address, int(port), timeout=PATIENCE)
        try:
            connection.request("GET", self.health.url, headers={"Host": self.health.host})
            connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            yield Finding(
                "health-error", "http://%s%s gives no answer on the host itself (%s)." % (listen, self.health.url, error),
                "See `systemctl status %s`, and run `selfhost.flask.site`." % self.server.name,
            )
        finally:
            connection.close()

    def unmanaged(self, error: ProcessError) -> Finding:
        manager = self.slots.processes
        return Finding(
            "process-manager-stopped",
            "%s is %s and does not answer (%s); it runs the application." % (manager.name, state_of(manager.unit), error),
            "`sudo systemctl restart %s`" % manager.unit.partition(".")[0],
        )

    def nothing(self, live: str, states: dict) -> Finding:
        link = self.site.path("run", "live.sock")
        target = read_link(link)
        running = [name for name in SLOTS if self.slots.release(name) and states[name].phase == RUNNING]
        if not running and not target:
            return Finding("nothing-served", "No version was deployed yet.", "Run `selfhost.flask.update`.")
        said = "leads to %s, which is no slot with a release" % target if target else "is missing"
        remedy = "Run `selfhost.flask.update`."
        if running:
            remedy = "`sudo ln -sfn %s.sock %s`: the slot %s runs." % (running[0], link, running[0])
        return Finding("live-link-broken", "%s %s, so no request comes to the application." % (link, said), remedy)

    def slot(self, live: str, state: Program) -> Iterator[Finding]:
        program = self.slots.program(live)
        if state.phase in (STOPPED, STOPPING, UNKNOWN):
            start = "`%s`" % self.slots.processes.command("start", program)
            yield Finding(
                "slot-stopped",
                "The live slot %s is %s in %s." % (program, state.word.lower(), self.slots.processes.name),
                start if state.phase != UNKNOWN else "Run `selfhost.flask.site`.",
            )
            return
        python = lost_python(os.path.join(self.slots.release(live), ".venv"))
        if python:
            yield Finding(
                "python-missing",
                "%s, which the application was deployed with, has gone from the host, as after an upgrade of the distribution."
                % python,
                "Run `selfhost.flask.site`, which builds the version with the host's Python.",
            )
        ended = self.slots.ends()[program]
        if ended >= OFTEN:
            yield Finding(
                "slot-restarted",
                "The live slot %s ended by itself %d times in the last hour, and was started again." % (program, ended),
                "Read `sudo tail -n 200 %s`." % self.slots.log(live),
            )
        try:
            yield from self.answer(live)
        except (OSError, http.client.HTTPException) as error:
            yield self.silent(live, state, error)

    def answer(self, live: str) -> Iterator[Finding]:
        """What the application says on its own socket, without the proxy."""
        release = self.site.release_name(self.slots.release(live))
        visit = self.health.visit(self.site.path("run", live + ".sock"), release, self.health.deadline)
        answer, log = visit.answer, self.slots.log(live)
        if visit.is_error():
            raised = logs.tracebacks(logs.recent(log, since=self.launched()))
            because = "; its log says last: %s" % clipped(raised[-1]) if raised else ": " + clipped(answer.text)
            yield Finding(
                "application-error",
                "The application answers %s with %d%s" % (visit.url, answer.status, because),
                "Read `sudo tail -n 50 %s`; run `selfhost.flask.rollback` if the last update did it." % log,
            )
        elif self.health.text not in visit.text:
            yield Finding(
                "health-text",
                "The application answers %s with %d, but without the text '%s'."
                % (self.health.url, answer.status, self.health.text),
                "Read `sudo tail -n 50 %s`, or set flask_health_text to what it should say." % log,
            )

    def silent(self, live: str, state: Program, error: Exception) -> Finding:
        """The slot should run, and nobody answers on its socket."""
        killed = logs.out_of_memory()
        if killed:
            return Finding(
                "out-of-memory",
                "The slot %s does not answer, and the kernel ended %s, because the memory ran out." % (live, killed),
                "Lower gunicorn_workers, or give the host more memory, and run `selfhost.flask.update`.",
            )
        log = self.slots.log(live)
        hangs = isinstance(error, TimeoutError) or "timed out" in str(error)
        why = logs.reason(log, self.env, LATELY if hangs else 0, self.launched())
        return why or Finding(
            "slot-silent",
            "The live slot %s is %s and does not answer on its socket (%s)." % (live, state.word.lower(), error),
            "Read `sudo tail -n 50 %s`; `%s` restarts it."
            % (log, self.slots.processes.command("restart", self.slots.program(live))),
        )

    def launched(self) -> float:
        """When the live release was put into its slot: what its logs have from before is another one's."""
        try:
            return os.stat(self.site.path("slots", self.slots.live() + ".fingerprint")).st_mtime
        except OSError:
            return 0

    def reachable(self) -> float:
        """Since when the proxy has reached the live slot's process through its link; 0 where none runs."""
        try:
            state = self.slots.processes.look(self.slots.program(self.slots.live()))
            linked = os.lstat(self.site.path("run", "live.sock")).st_mtime
        except (OSError, ProcessError):
            return 0
        return max(state.started, linked) if state.phase == RUNNING else 0

    def deployments(self) -> Iterator[Finding]:
        """What a deployment or maintenance has left behind."""
        gate, journal, at_work = Gate(self.site), Journal(self.site).read(), self.at_work()
        if gate.closed() != "nothing":
            yield self.closed(gate.closed() == "all")
        left = [name for name in (*SLOTS, "workers") if gate.refused(name)]
        if left and not at_work:
            yield Finding(
                "writes-refused",
                "Writes are refused by what a deployment has left: %s." % ", ".join(self.gate_path(one) for one in left),
                "`sudo rm %s`" % " ".join(self.gate_path(one) for one in left),
            )
        if journal and not at_work:
            yield Finding(
                "deployment-interrupted",
                "The deployment of %s was interrupted and is not ended yet."
                % (journal.get("entry", {}).get("release") or "a release"),
                "`sudo systemctl start flask-%s-recover` ends it; see `journalctl -u flask-%s-recover`."
                % (self.site.name, self.site.name),
            )
        yield from self.link()

    def closed(self, all_requests: bool) -> Finding:
        """Nobody means every visitor to get 503 for half a day; a site that only takes no writes may be meant so."""
        begin = os.stat(self.gate_path("site" if all_requests else "writes")).st_mtime
        forgotten = all_requests and time.time() - begin > CLOSED_HOURS * 3600
        since = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(begin))
        return Finding(
            "site-left-closed" if forgotten else "site-closed",
            "Maintenance has closed the site for %s since %s%s."
            % ("everybody" if all_requests else "writes", since, ": every visitor gets 503" if all_requests else ""),
            "Run `selfhost.flask.maintenance -e flask_maintenance=nothing` when it is over.",
        )

    def gate_path(self, name: str) -> str:
        return self.site.path("gate", name + ".closed")

    def link(self) -> Iterator[Finding]:
        live = self.slots.live()
        serving = self.slots.release(live) if live else ""
        current = os.path.normpath(self.site.path(read_link(self.site.path("current"))))
        if serving and os.path.realpath(current) != os.path.realpath(serving):
            yield Finding(
                "current-mismatch",
                "%s leads to %s, and the visitors are served by %s: the static files are another version's."
                % (self.site.path("current"), self.site.release_name(current), self.site.release_name(serving)),
                "`sudo ln -sfn %s %s`" % (os.path.relpath(serving, self.site.root), self.site.path("current")),
            )

    def at_work(self) -> bool:
        """Whether a process changes the application at this moment."""
        try:
            descriptor = os.open(self.site.path("deployment", "step"), os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def lock(self) -> dict:
        """Who deploys."""
        return Lock(self.site).holder() or {}


def lock_finding(holder: dict, ended: bool, path: str) -> Finding:
    """Somebody deploys, or did; whether he has ended is known where he ran."""
    about = "%s has the lock for %s, and did nothing for %d s" % (
        holder.get("owner", "somebody"), holder.get("reason", "a deployment"), holder.get("idle", 0)
    )
    if ended or holder.get("idle", 0) > LEASE:
        return Finding(
            "deployment-lock-left", about + ": the run has ended without giving it back.",
            "The next `selfhost.flask.update` takes it over; until then `sudo rm %s` does no harm." % path,
        )
    return Finding("deployment-running", about + ".", "Wait until it has ended.")
