# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process manager for tests alone: dpkg's start-stop-daemon, with a file of programs for each application."""

from __future__ import annotations

import getpass
import glob
import os
import subprocess
from collections import Counter

from ansible_collections.selfhost.flask.plugins.module_utils.process.manager import (
    RUNNING,
    STOPPED,
    UNKNOWN,
    ProcessError,
    ProcessManager,
    Program,
)


class StartStopDaemon(ProcessManager):
    """A program is a line of a file in `folder`: its name, its user, its log and its command."""

    name = "start-stop-daemon"
    folder = "/etc/toy-manager"
    pids = "/run"

    def __init__(self, timeout: float = 180) -> None:
        self.timeout = timeout

    def _programs(self) -> dict:
        """The words of each program's line, by its name."""
        found = {}
        for path in sorted(glob.glob(os.path.join(self.folder, "*"))):
            with open(path, encoding="utf-8") as file:
                found.update((line.split()[0], line.split()[1:]) for line in file if line.strip())
        return found

    def _pid_file(self, name: str) -> str:
        return os.path.join(self.pids, name + ".pid")

    def _run(self, *words: str) -> int:
        return subprocess.run(["start-stop-daemon", "--quiet", *words], timeout=self.timeout, check=False).returncode

    def _pid(self, name: str) -> int:
        """That of the process that was started; 0 where it has ended."""
        if self._run("--status", "--pidfile", self._pid_file(name)):
            return 0
        with open(self._pid_file(name), encoding="ascii") as file:
            return int(file.read())

    def look(self, name: str) -> Program:
        pid = self._pid(name)
        phase = RUNNING if pid else STOPPED if name in self._programs() else UNKNOWN
        return Program(phase, "pid %d" % pid if pid else "down", pid)

    def names(self, prefix: str) -> list:
        return [name for name in self._programs() if name.startswith(prefix)]

    def start(self, name: str) -> None:
        if self._pid(name):
            return
        if name not in self._programs():
            raise ProcessError(self.name, "there is no program %s" % name)
        user, log, *command = self._programs()[name]
        other = ["--chuid", "%s:%s" % (user, user)] if user != getpass.getuser() else []
        self._run(
            "--start", "--background", "--make-pidfile", "--pidfile", self._pid_file(name), "--output", log, "--umask", "027",
            *other, "--startas", command[0], "--", *command[1:],
        )

    def stop(self, *names: str) -> None:
        for name in names:
            if self._pid(name):
                self._run("--stop", "--retry", "TERM/30/KILL/5", "--pidfile", self._pid_file(name), "--remove-pidfile")

    def forget(self, name: str) -> None:
        """There is nothing to forget: the programs' file is all that is known of them."""

    def ends(self, since: float) -> Counter:
        """It does not start a program again, so none has ended by itself and goes on."""
        return Counter()

    def command(self, action: str, name: str) -> str:
        return "sudo start-stop-daemon --%s --pidfile %s" % (action, self._pid_file(name))
