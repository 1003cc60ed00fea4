# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Supervisor's programs, through the socket that supervisorctl uses."""

from __future__ import annotations

import time
import xmlrpc.client

from ansible_collections.selfhost.flask.plugins.module_utils._unix_http import UnixTransport

SOCKET = "/run/supervisor.sock"
NO_SUCH_PROCESS = 10
NOT_RUNNING = 70
ALREADY_STARTED = 60


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

    def running(self, name: str) -> bool:
        return self.info(name)["statename"] in ("RUNNING", "STARTING")

    def names(self, prefix: str) -> list:
        """The programs whose names begin so."""
        return [info["name"] for info in self.rpc.getAllProcessInfo() if info["name"].startswith(prefix)]

    def stop(self, *names: str) -> None:
        """Lets programs end, also those that are about to, and waits for all of them."""
        for name in names:
            if self.running(name):
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

    def start(self, name: str) -> None:
        """Starts a stopped program by its configuration as it is on disk now."""
        added, changed, removed = self.rpc.reloadConfig()[0]
        if name in changed + removed:
            self.rpc.removeProcessGroup(name)
        if name in changed + added:
            self.rpc.addProcessGroup(name)
        try:
            self.rpc.startProcess(name)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != ALREADY_STARTED:
                raise
