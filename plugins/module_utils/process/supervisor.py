# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Supervisor's programs, through the socket that supervisorctl uses."""

from __future__ import annotations

import contextlib
import re
import time
import xmlrpc.client
from collections import Counter

from ansible_collections.selfhost.flask.plugins.module_utils.common.http import UnixTransport

SOCKET = "/run/supervisor.sock"
NO_SUCH_PROCESS = 10
NOT_RUNNING = 70
ALREADY_STARTED = 60
NO_FILE, FAILED = 20, 30  # its log can't be read
UP = ("RUNNING", "STARTING")
LOG_BYTES = 1 << 20
ENDED = re.compile(r"^(\S+ [\d:]+),\d+ \w+ exited: (\S+) \((?!exit status 77; expected)", re.M)  # 77: nothing to serve


class Supervisor:
    """The few calls that a slot needs; a slot is a group of one program with the same name."""

    def __init__(self, path: str = SOCKET, timeout: float = 180) -> None:
        transport = UnixTransport(path, timeout)
        self.rpc = xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=transport).supervisor

    def info(self, name: str) -> dict:
        """statename, pid, spawnerr …; statename is UNKNOWN for a program it has not read yet."""
        try:
            return self.rpc.getProcessInfo(name)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != NO_SUCH_PROCESS:
                raise
            return {"statename": "UNKNOWN", "pid": 0}

    def is_up(self, name: str) -> bool:
        return self.info(name)["statename"] in UP

    def names(self, prefix: str) -> list:
        """The programs whose names begin so."""
        return [info["name"] for info in self.rpc.getAllProcessInfo() if info["name"].startswith(prefix)]

    def stop(self, *names: str) -> None:
        """Lets programs end, also those that are about to, and waits for all of them."""
        for name in names:
            if self.info(name)["statename"] in (*UP, "BACKOFF"):  # which would be started again
                self._ask_to_stop(name)
        for name in names:
            while self.info(name)["statename"] == "STOPPING":
                time.sleep(0.02)  # supervisor itself kills what does not end in time

    def _ask_to_stop(self, name: str) -> None:
        try:
            self.rpc.stopProcess(name, False)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != NOT_RUNNING:
                raise

    def forget(self, name: str) -> None:
        """Drops a stopped program that has no configuration any more."""
        with contextlib.suppress(xmlrpc.client.Fault):
            self.rpc.removeProcessGroup(name)

    def ends(self, since: float) -> Counter:
        """How often each program has ended by itself since a time, by supervisor's own log."""
        begin = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(since))
        try:
            log = self.rpc.readLog(-LOG_BYTES, 0)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode not in (NO_FILE, FAILED):
                raise
            return Counter()
        return Counter(name for moment, name in ENDED.findall(log) if moment >= begin)

    def start(self, name: str) -> None:
        """Starts a stopped program by its configuration as it is on disk now; does not wait until it is up."""
        added, changed, removed = self.rpc.reloadConfig()[0]
        if name in changed + removed:
            self.rpc.removeProcessGroup(name)
        if name in changed + added:
            self.rpc.addProcessGroup(name)
        try:
            self.rpc.startProcess(name, False)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != ALREADY_STARTED:
                raise
