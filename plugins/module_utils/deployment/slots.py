# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two slots of an application, of which one is live, and its workers."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
import time
from collections import Counter

from ansible_collections.selfhost.flask.plugins.module_utils.common.files import read_json, sync_folder, write_file, write_json
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.health import Health, Patience, Unhealthy
from ansible_collections.selfhost.flask.plugins.module_utils.process.manager import RETRIED, STARTING, ProcessError
from ansible_collections.selfhost.flask.plugins.module_utils.process.managers import manager_of
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import read_link, replace_link
from ansible_collections.selfhost.flask.plugins.module_utils.site.settings import copy
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

SLOTS = ("blue", "green")
SETTINGS = ".settings"
LAUNCH = ".launch"  # with which files, and what was asked for the health
LOG_LINES = 50
WORKER_LINES = 10
LATELY = 3600  # seconds in which programs' ends are counted
QUEUE = 10  # seconds in which a server lets in who waits at its socket, also on a very busy host
WATCHED = 2  # seconds in which a worker that can't work has mostly ended
DEAD = (
    "The worker %(name)s does not run: it is %(state)s in %(manager)s%(why)s. Fix its command in flask_workers, or what it "
    "lacks, and run `selfhost.flask.update`. The last lines of %(log)s:\n%(lines)s"
)
TRIED_AGAIN = ", and tried again after ever longer pauses"


def let_in(path: str, seconds: float = QUEUE) -> None:
    """Waits until a server has let in all whom the proxy has sent to its socket: who comes now, and wants nothing, is the last."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as last:
        last.settimeout(seconds)
        last.connect(path)
        last.shutdown(socket.SHUT_WR)
        last.recv(1)


class Slots:
    """Which release is started where, and which slot the visitors reach."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.processes = manager_of(site)

    def program(self, slot: str) -> str:
        return "%s-%s" % (self.site.name, slot)

    def log(self, slot: str) -> str:
        return os.path.join(self.site.log, slot + ".log")

    def live(self) -> str:
        """The slot that live.sock points to; empty before the first launch."""
        slot = read_link(self.site.path("run", "live.sock")).partition(".")[0]
        return slot if slot in SLOTS else ""

    def idle(self) -> str:
        return SLOTS[1 - SLOTS.index(self.live() or SLOTS[1])]

    def release(self, slot: str) -> str:
        """The application's folder in the release that a slot has; empty where it has none."""
        return read_link(self.site.path("slots", slot))

    def _file(self, slot: str, suffix: str) -> str:
        """What there is about a slot, beside the link to its release."""
        return self.site.path("slots", slot + suffix)

    def fingerprint(self, release: str, config: list) -> str:
        """Stands for everything that a running application was started from."""
        digest = hashlib.sha256("\n".join([release, os.path.realpath(release + "/.venv")]).encode())
        for path in config:
            with open(path, "rb") as file:
                digest.update(file.read())
        return digest.hexdigest()

    def started_from(self, slot: str) -> str:
        """The fingerprint that a slot was launched with."""
        try:
            with open(self.site.path("slots", slot + ".fingerprint"), encoding="ascii") as file:
                return file.read()
        except OSError:
            return ""

    def check(self, slot: str, health: Health) -> None:
        """Unhealthy where a slot does not serve its release well."""
        health.check(self.site.path("run", slot + ".sock"), self.site.release_name(self.release(slot)))

    def launch(self, slot: str, release: str, config: list, health: Health) -> None:
        """Starts a release in a slot that is not live; returns when it is healthy."""
        self.retire(slot)
        write_json(self._file(slot, LAUNCH), dict(config=config, health=health))
        self._launch(slot, release, config, self.fingerprint(release, config), health)

    def again(self, slot: str, idle: str) -> None:
        """Starts a slot's release in the idle one as well, with its settings as they are now; returns when it is healthy."""
        known = read_json(self._file(slot, LAUNCH))
        if known is None:  # it was launched before that was written down
            return self.renew(slot, idle)
        return self.launch(idle, self.release(slot), known["config"], Health(*known["health"]))

    def renew(self, slot: str, idle: str) -> None:
        """Starts a slot's release in the idle one as well, as it was launched; returns when it answers, whatever it says."""
        folder = self._file(slot, SETTINGS)
        config = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
        known = read_json(self._file(slot, LAUNCH))
        self.retire(idle)
        if known:
            write_json(self._file(idle, LAUNCH), known)
        self._launch(idle, self.release(slot), config, self.started_from(slot), Health(accepted=tuple(range(100, 600))))

    def _launch(self, slot: str, release: str, config: list, fingerprint: str, health: Health) -> None:
        self._keep_settings(slot, config)
        replace_link(self.site.path("slots", slot), release)
        write_file(self.site.path("slots", slot + ".fingerprint"), fingerprint.encode(), 0o600)
        begin = file_size(self.log(slot))
        self.processes.start(self.program(slot))
        try:
            self._await(slot, health)
        except Unhealthy as error:
            lines = last_lines(self.log(slot), begin)
            advice = health.advice(self.site.path("run", slot + ".sock"), self.site.release_name(release), error)
            raise Unhealthy("%s. %sThe last lines of %s:\n%s" % (error, advice, self.log(slot), lines)) from error

    def _keep_settings(self, slot: str, config: list) -> None:
        """Copies the settings to the slot, which starts again as it was launched, whatever they become."""
        folder = self._file(slot, SETTINGS)
        os.mkdir(folder, 0o700)
        for path in config:
            copy(path, os.path.join(folder, os.path.basename(path)))
        os.chmod(folder, 0o755)

    def _await(self, slot: str, health: Health) -> None:
        """Unhealthy where the slot will not become healthy, or not in time."""
        patience = Patience(health.deadline)
        while True:
            try:
                return self.check(slot, health)
            except Unhealthy as error:
                patience.wait(error, self.processes.look(self.program(slot)).pid)

    def switch(self, slot: str) -> None:
        """Moves the traffic; from here on the slot is the live one."""
        replace_link(self.site.path("run", "live.sock"), slot + ".sock")
        sync_folder(self.site.path("run"))
        self.follow(slot)

    def follow(self, slot: str) -> None:
        """Points `current` to a slot's release, for the static files and for people."""
        replace_link(self.site.path("current"), os.path.relpath(self.release(slot), self.site.root))

    def is_followed(self, slot: str) -> bool:
        """Whether `current` points to a slot's release; somebody may have removed it."""
        return read_link(self.site.path("current")) == os.path.relpath(self.release(slot), self.site.root)

    def retire(self, slot: str) -> None:
        """Lets a slot finish its requests and end, and keeps it from starting at the next boot."""
        for name in (slot, slot + ".fingerprint", slot + LAUNCH):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.site.path("slots", name))
        shutil.rmtree(self._file(slot, SETTINGS), ignore_errors=True)
        let_in(self.site.path("run", slot + ".sock"))
        self.processes.stop(self.program(slot))

    def ends(self) -> Counter:
        """How often each program has ended by itself in the last hour, as far as the live release was served by then."""
        since = time.time() - LATELY
        with contextlib.suppress(OSError):
            since = max(since, os.stat(self.site.path("slots", self.live() + ".fingerprint")).st_mtime)
        return self.processes.ends(since)

    def worker(self, name: str) -> str:
        """A worker's program; no application has a dot in its name."""
        return "%s.%s" % (self.site.name, name)

    def known_workers(self) -> list:
        """The programs that the process manager has for workers."""
        return self.processes.names(self.worker(""))

    def strays(self) -> list:
        """The programs of workers that there should not be any more."""
        return sorted(set(self.known_workers()) - set(map(self.worker, self.site.workers)))

    def stop_workers(self) -> None:
        """Lets all workers end at once, each in its own time, also those that there should not be any more."""
        self.processes.stop(*self.known_workers())

    def start_workers(self) -> list:
        """Starts the workers that there should be, from the release that is live; the problems with some.

        All of them are stopped. Those that there should not be any more are forgotten.
        """
        begins = {name: file_size(self.log(name)) for name in self.site.workers}
        for program in self.strays():
            self.processes.forget(program)
        for name in self.site.workers:
            with contextlib.suppress(ProcessError):  # its state says it as well
                self.processes.start(self.worker(name))
        self._watch_workers()
        return self.dead_workers(begins)

    def _watch_workers(self) -> None:
        """Waits until each has ended or stayed up for some time."""
        end, programs = time.monotonic() + WATCHED, list(map(self.worker, self.site.workers))
        while time.monotonic() < end:
            if STARTING not in [self.processes.look(program).phase for program in programs]:
                return
            time.sleep(0.1)

    def dead_workers(self, begins: dict | None = None) -> list:
        """What is to be said of the workers that do not run, with what they have logged since then."""
        found = []
        for name in self.site.workers:
            program, log = self.processes.look(self.worker(name)), self.log(name)
            if not program.is_up:
                lines = last_lines(log, (begins or {}).get(name, 0), WORKER_LINES)
                why = " (%s)" % program.why if program.why else ""
                why += TRIED_AGAIN if program.phase == RETRIED else ""
                about = dict(name=name, state=program.word, manager=self.processes.name, why=why, log=log, lines=lines)
                found.append(DEAD % about)
        return found


def file_size(path: str) -> int:
    return os.path.getsize(path) if os.path.exists(path) else 0


def last_lines(path: str, begin: int, number: int = LOG_LINES) -> str:
    """The end of what was logged since a position, or that there is no log."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            file.seek(begin if begin <= file_size(path) else 0)  # it may have been rotated
            return "".join(file.readlines()[-number:])
    except OSError as error:
        return str(error)
