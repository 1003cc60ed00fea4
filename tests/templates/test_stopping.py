# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A slot without a proxy that buffers does not wait for idle connections when it stops, whichever gunicorn an application pins."""

from __future__ import annotations

import contextlib
import http.client
import socket

import pytest
from live_slot import environment_with, live_slot

APPLICATION = '''
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    return [b"heron"]
'''
GRACE = 30  # seconds, the role's default
PATIENCE = 10


@pytest.fixture(params=["20.1.0", "23.0.0", "24.1.1", "26.2.0", "27.0.1"])
def version(request):
    """One of each way in which gunicorn's threads have stopped."""
    return request.param


@pytest.fixture
def server(version, tmp_path, kept, render):
    """A slot's gunicorn."""
    given = {"flask_web_server": "none", "gunicorn_graceful_timeout": GRACE}
    settings = render("gunicorn", "gunicorn.conf.py.j2", __flask_root=str(tmp_path), **given)
    with live_slot(tmp_path, environment_with(version, kept), APPLICATION, settings) as process:
        yield process


@pytest.fixture
def connection(server, tmp_path):
    """The proxy's, which stays open between requests."""
    with contextlib.closing(http.client.HTTPConnection("localhost")) as connection:
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(PATIENCE)
        connection.sock.connect(str(tmp_path / "blue.sock"))
        yield connection


def test_it_ends_soon_though_a_connection_is_idle(server, connection, tmp_path):
    for dummy in range(2):
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"heron", (tmp_path / "log").read_text()
    server.terminate()
    assert server.wait(PATIENCE) == 0
