# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A site that runs: nginx and gunicorn with the roles' own configuration, and clients of it."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path

from deployments import ROLES
from nginx_site import NginxSite

HANDSHAKE = (
    "GET %s HTTP/1.1\r\nHost: blog.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Origin: https://blog.example.com\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def wait_for(condition: object, what: str, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "no %s within %d s" % (what, seconds)
        time.sleep(0.02)


class WebSocket:
    """A client that sends and reads short texts."""

    def __init__(self, raw: socket.socket, path: str) -> None:
        self.raw = raw
        raw.sendall((HANDSHAKE % path).encode())
        self.file = raw.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = http.client.parse_headers(self.file)

    def send(self, text: str) -> None:
        self.raw.sendall(bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text.encode())

    def read(self) -> tuple:
        """The kind of the next frame and what is in it; nothing where the connection has ended."""
        head = self.file.read(2)
        if len(head) < 2:
            return None, b""
        size = int.from_bytes(self.file.read(2), "big") if head[1] == 126 else head[1]
        return head[0] & 15, self.file.read(size)


class LiveSite:
    """Both servers, until the end of the test."""

    def __init__(self, site: NginxSite, venv: Path) -> None:
        self.site, self.venv = site, venv
        self.srv = site.root / "srv"
        self.processes = []
        for folder in ("run", "gate", "app", "blue.settings"):
            (self.srv / folder).mkdir(parents=True)
        shutil.copy(ROLES / "deployment/files/gate.py", self.srv / "gate")

    def start(self, application: str, settings: str) -> None:
        """The application behind gunicorn, behind nginx."""
        (self.srv / "app/wsgi.py").write_text(application)
        (self.srv / "blue.settings/gunicorn.conf.py").write_text(settings)
        self.server = self.run(
            [self.venv / "bin/gunicorn", "--config", self.srv / "blue.settings/gunicorn.conf.py",
             "--bind", "unix:%s" % (self.srv / "run/blue.sock"), "--umask", "0", "wsgi:app"], "gunicorn",
        )
        wait_for((self.srv / "run/blue.sock").exists, "socket")
        (self.srv / "run/live.sock").symlink_to("blue.sock")
        folder = self.site.root / "etc/nginx"
        self.run([self.site.program, "-p", folder, "-c", folder / "nginx.conf", "-g", "daemon off;"], "nginx")
        wait_for(self.is_up, "answer; gunicorn says:\n" + self.log("gunicorn"))

    def run(self, argv: list, name: str) -> subprocess.Popen:
        environment = {**os.environ, "FLASK_SLOT": "blue", "FLASK_RELEASE": "v1"}
        with (self.site.root / name).open("w") as log:
            process = subprocess.Popen(argv, cwd=self.srv / "app", env=environment, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def log(self, name: str) -> str:
        return (self.site.root / name).read_text()

    def error_log(self) -> str:
        return (self.site.root / ("var/log/nginx/%s.error.log" % self.site.app)).read_text()

    def access_log(self) -> str:
        return (self.site.root / ("var/log/nginx/%s.access.log" % self.site.app)).read_text()

    def is_up(self) -> bool:
        try:
            return self.get("/whoami").status != 502
        except OSError:
            return False

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()

    def tls(self) -> ssl.SSLSocket:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        raw = socket.create_connection(("127.0.0.1", int(self.site.ports["443"])), timeout=10)
        return context.wrap_socket(raw, server_hostname="blog.example.com")

    def get(self, path: str, method: str = "GET", body: object = None, **headers: str) -> http.client.HTTPResponse:
        """The beginning of an answer."""
        connection = http.client.HTTPConnection("blog.example.com", timeout=10)
        connection.sock = self.tls()
        connection.request(method, path, body, headers)
        return connection.getresponse()

    def websocket(self, path: str = "/echo") -> WebSocket:
        return WebSocket(self.tls(), path)
