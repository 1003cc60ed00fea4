# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Supervisor's programs, through the socket that supervisorctl uses."""

from __future__ import annotations

import http.client
import re
import time
import xmlrpc.client
from collections import Counter

from ansible_collections.selfhost.flask.plugins.module_utils.common.unix_http import UnixTransport
from ansible_collections.selfhost.flask.plugins.module_utils.process.manager import (
    FAILED,
    RETRIED,
    RUNNING,
    STARTING,
    STOPPED,
    STOPPING,
    UNKNOWN,
    ProcessError,
    ProcessManager,
    Program,
)

SOCKET = "/run/supervisor.sock"
NO_SUCH_PROCESS = 10
NOT_RUNNING = 70
ALREADY_STARTED = 60
NO_FILE, UNREADABLE = 20, 30  # its log
PHASES = dict(STARTING=STARTING, RUNNING=RUNNING, BACKOFF=RETRIED, STOPPING=STOPPING, STOPPED=STOPPED, UNKNOWN=UNKNOWN)
LOG_BYTES = 1 << 20
ENDED = re.compile(r"^(\S+ [\d:]+),\d+ \w+ exited: (\S+) \((?!exit status 77; expected)", re.M)  # 77: nothing to serve


class Supervisor(ProcessManager):
    """The few calls that a slot needs; a slot is a group of one program with the same name."""

    name = "supervisor"
    unit = "supervisor.service"

    def __init__(self, path: str = SOCKET, timeout: float = 180) -> None:
        transport = UnixTransport(path, timeout)
        self.rpc = xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=transport).supervisor

    def _call(self, method: str, *arguments: object, foreseen: tuple = ()) -> object:
        """What supervisor answers; None where it refuses with a foreseen code."""
        try:
            return getattr(self.rpc, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode in foreseen:
                return None
            raise ProcessError(self.name, fault) from fault
        except (xmlrpc.client.Error, http.client.HTTPException, OSError) as error:
            raise ProcessError(self.name, error) from error

    def look(self, name: str) -> Program:
        """How a program is; it is unknown until supervisor has read its configuration."""
        info = self._call("getProcessInfo", name, foreseen=(NO_SUCH_PROCESS,)) or {"statename": "UNKNOWN"}
        word = info["statename"]
        return Program(
            PHASES.get(word, FAILED), word, info.get("pid", 0), info.get("start", 0), info.get("spawnerr") or ""
        )

    def names(self, prefix: str) -> list:
        return [info["name"] for info in self._call("getAllProcessInfo") if info["name"].startswith(prefix)]

    def stop(self, *names: str) -> None:
        for name in names:
            if self.look(name).phase in (STARTING, RUNNING, RETRIED):
                self._call("stopProcess", name, False, foreseen=(NOT_RUNNING,))
        for name in names:
            while self.look(name).phase == STOPPING:
                time.sleep(0.02)  # supervisor itself kills what does not end in time

    def forget(self, name: str) -> None:
        try:
            self._call("removeProcessGroup", name)
        except ProcessError as error:
            if not isinstance(error.__cause__, xmlrpc.client.Fault):  # it is gone, or runs
                raise

    def ends(self, since: float) -> Counter:
        """By supervisor's own log."""
        begin = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(since))
        log = self._call("readLog", -LOG_BYTES, 0, foreseen=(NO_FILE, UNREADABLE)) or ""
        return Counter(name for moment, name in ENDED.findall(log) if moment >= begin)

    def start(self, name: str) -> None:
        added, changed, removed = self._call("reloadConfig")[0]
        if name in changed + removed:
            self._call("removeProcessGroup", name)
        if name in changed + added:
            self._call("addProcessGroup", name)
        self._call("startProcess", name, False, foreseen=(ALREADY_STARTED,))

    def command(self, action: str, name: str) -> str:
        return "sudo supervisorctl %s %s" % (action, name)
