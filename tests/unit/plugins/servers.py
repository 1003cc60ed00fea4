# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers on unix sockets: one that answers HTTP as an application does, and a supervisor."""

from __future__ import annotations

import os
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from xmlrpc.client import Fault
from xmlrpc.server import SimpleXMLRPCDispatcher, SimpleXMLRPCRequestHandler


class UnixServer(socketserver.ThreadingUnixStreamServer):
    """A server in a thread of its own."""

    daemon_threads = True

    def __init__(self, path: str, handler: type) -> None:
        super().__init__(path, handler)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()
        os.unlink(self.server_address)


class Application(UnixServer):
    """Answers every request with the same status and text, but for some pages, and keeps the requests."""

    def __init__(self, path: str, status: int = 200, text: str = "well", release: str = "", **pages: dict) -> None:
        super().__init__(path, Answer)
        self.headers = pages.pop("headers", {})
        self.pages = pages  # path without its slash -> status and headers
        self.status = status
        self.text = text
        self.release = release
        self.requests = []


class Answer(BaseHTTPRequestHandler):
    """One answer of an application."""

    def do_GET(self) -> None:
        self.server.requests.append((self.path, dict(self.headers)))
        page = self.server.pages.get(self.path.strip("/"), {})
        self.send_response(page.get("status", self.server.status))
        self.send_header("X-Release", self.server.release)
        for header in {**self.server.headers, **page.get("headers", {})}.items():
            self.send_header(*header)
        self.end_headers()
        self.wfile.write(self.server.text.encode())

    def log_message(self, *ignored: object) -> None:
        """Logs nothing."""


class Calls(SimpleXMLRPCRequestHandler):
    """XML-RPC on a socket that is no TCP socket."""

    disable_nagle_algorithm = False


class Supervisor(UnixServer, SimpleXMLRPCDispatcher):
    """As much of supervisord as a slot needs; groups of one program each."""

    logRequests = False

    def __init__(self, path: str) -> None:
        SimpleXMLRPCDispatcher.__init__(self, allow_none=True)
        self.register_function(self.call)
        self._dispatch = self.call
        self.files = {}  # what is on disk: name -> configuration
        self.groups = {}  # what supervisor has read of it
        self.states = {}
        self.started = {}  # the states that programs get when they are started, where it is not RUNNING
        self.pids = {}
        self.errors = {}
        self.calls = []
        self.log = ""
        self.on_start = self.on_stop = lambda name: None
        super().__init__(path, Calls)

    def call(self, method: str, parameters: tuple) -> object:
        name = method.partition(".")[2]
        if name not in ("getProcessInfo", "getAllProcessInfo", "reloadConfig", "readLog"):
            self.calls.append((name, *parameters))
        return getattr(self, name)(*parameters)

    def _known(self, name: str) -> None:
        if name not in self.groups:
            raise Fault(10, "BAD_NAME: " + name)

    def getProcessInfo(self, name: str) -> dict:
        self._known(name)
        state = self.states[name]
        if state == "STOPPING":  # it takes until somebody looks
            self.states[name] = "STOPPED"
        return {"statename": state, "pid": self.pids.get(name, 0), "spawnerr": self.errors.get(name, "")}

    def getAllProcessInfo(self) -> list:
        return [{"name": name, "statename": state} for name, state in self.states.items()]

    def readLog(self, offset: int, length: int) -> str:
        return self.log[offset:]

    def reloadConfig(self) -> list:
        added = [name for name in self.files if name not in self.groups]
        removed = [name for name in self.groups if name not in self.files]
        changed = [name for name in self.files if name in self.groups and self.files[name] != self.groups[name]]
        return [[added, changed, removed]]

    def addProcessGroup(self, name: str) -> bool:
        self.groups[name] = self.files[name]
        self.states[name] = "STOPPED"
        return True

    def removeProcessGroup(self, name: str) -> bool:
        self._known(name)
        if self.states[name] == "RUNNING":
            raise Fault(91, "STILL_RUNNING: " + name)
        self.groups.pop(name)
        self.states.pop(name)
        return True

    def startProcess(self, name: str, wait: bool = True) -> bool:
        self._known(name)
        if self.states[name] == "RUNNING":
            raise Fault(60, "ALREADY_STARTED: " + name)
        self.states[name] = self.started.get(name, "RUNNING")
        self.on_start(name)
        return True

    def stopProcess(self, name: str, wait: bool = True) -> bool:
        self._known(name)
        if self.states[name] == "STOPPED":
            raise Fault(70, "NOT_RUNNING: " + name)
        self.states[name] = "STOPPED" if wait else "STOPPING"
        self.on_stop(name)
        return True
