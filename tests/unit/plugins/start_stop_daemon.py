# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process manager for tests alone: dpkg's start-stop-daemon, with a file for each program and one for its pid."""

from __future__ import annotations

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
    """Programs are executable files of their names in a folder."""

    name = "start-stop-daemon"
    folder = ""

    def __init__(self, timeout: float = 180) -> None:
        self.timeout = timeout

    def _path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def _run(self, *options: str) -> int:
        return subprocess.run(["start-stop-daemon", "--quiet", *options], timeout=self.timeout, check=False).returncode

    def _pid(self, name: str) -> int:
        """That of the process that was started; 0 where it has ended."""
        if not os.path.exists(self._path(name) + ".pid"):
            return 0
        with open(self._path(name) + ".pid", encoding="ascii") as file:
            pid = int(file.read())
        return pid if self._run("--status", "--pidfile", self._path(name) + ".pid") == 0 else 0

    def look(self, name: str) -> Program:
        pid, known = self._pid(name), os.path.exists(self._path(name))
        phase = RUNNING if pid else STOPPED if known else UNKNOWN
        return Program(phase, "pid %d" % pid if pid else "down", pid)

    def names(self, prefix: str) -> list:
        return sorted(name for name in os.listdir(self.folder) if name.startswith(prefix) and not name.endswith(".pid"))

    def start(self, name: str) -> None:
        if self.look(name).phase == UNKNOWN:
            raise ProcessError(self.name, "there is no program %s" % name)
        path = self._path(name)
        self._run("--start", "--background", "--make-pidfile", "--pidfile", path + ".pid", "--startas", path)

    def stop(self, *names: str) -> None:
        for name in names:
            if self._pid(name):
                self._run("--stop", "--retry", "TERM/5/KILL/5", "--pidfile", self._path(name) + ".pid", "--remove-pidfile")

    def forget(self, name: str) -> None:
        """There is nothing to forget: the program's file is all that is known of it."""

    def ends(self, since: float) -> Counter:
        """It does not start a program again, so none has ended by itself and goes on."""
        return Counter()

    def command(self, action: str, name: str) -> str:
        return "sudo start-stop-daemon --%s --pidfile %s.pid" % (action, self._path(name))
