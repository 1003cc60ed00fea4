# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP and XML-RPC to a server that listens on a unix socket."""

from __future__ import annotations

import http.client
import socket
import xmlrpc.client
from typing import NamedTuple


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection to a socket's path instead of a host and a port."""

    def __init__(self, path: str, timeout: float = 10) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(self.path)
        except OSError as error:  # which does not say where
            raise OSError(error.errno, error.strerror, self.path) from error


class Answer(NamedTuple):
    """What an HTTP server answered."""

    status: int
    text: str
    headers: http.client.HTTPMessage


def get(path: str, url: str, headers: dict, timeout: float) -> Answer:
    """The answer to a GET request; OSError or http.client.HTTPException where there is none."""
    connection = UnixConnection(path, timeout)
    try:
        connection.request("GET", url, headers=headers)
        response = connection.getresponse()
        return Answer(response.status, response.read(65536).decode("utf-8", "replace"), response.headers)
    finally:
        connection.close()


class UnixTransport(xmlrpc.client.Transport):
    """The way of XML-RPC's calls through a socket's path."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__()
        self.path = path
        self.timeout = timeout

    def make_connection(self, host: str) -> UnixConnection:
        return UnixConnection(self.path, self.timeout)
