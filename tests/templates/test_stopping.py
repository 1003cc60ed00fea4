# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A slot that stops does not wait for the proxy's idle connections, whichever gunicorn an application pins."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import shutil
import socket
import subprocess
import sys

import pytest
from deployments import ROLES
from live_site import wait_for

APPLICATION = '''
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    return [b"heron"]
'''
KEPT = "worker_connections, keepalive = 1000, 75\n"  # as behind a proxy that does not buffer
GRACE = 30  # seconds, the role's default
PATIENCE = 10


@pytest.fixture(params=["20.1.0", "23.0.0", "24.1.1", "26.2.0", "27.0.1"])
def version(request):
    """One of each way in which gunicorn's threads have stopped."""
    return request.param


@pytest.fixture
def venv(version, kept):
    packages = ["gunicorn==" + version, "python-dotenv==1.2.1", "setuptools<81"]
    install = ["FOLDER/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
    return kept(" ".join(packages), [sys.executable, "-m", "venv", "FOLDER"], install)


@pytest.fixture
def server(tmp_path, venv, render):
    """A slot's gunicorn."""
    (tmp_path / "gate").mkdir()
    shutil.copy(ROLES / "deployment/files/gate.py", tmp_path / "gate")
    (tmp_path / "wsgi.py").write_text(APPLICATION)
    settings = render("gunicorn", "gunicorn.conf.py.j2", __flask_root=str(tmp_path), gunicorn_graceful_timeout=GRACE)
    (tmp_path / "gunicorn.conf.py").write_text(settings + KEPT)
    argv = [venv / "bin/gunicorn", "--config", tmp_path / "gunicorn.conf.py", "--bind", "unix:%s" % (tmp_path / "blue.sock"), "wsgi:app"]
    with (tmp_path / "log").open("w") as log:
        environment = {**os.environ, "FLASK_SLOT": "blue", "FLASK_RELEASE": "v1"}
        process = subprocess.Popen(argv, cwd=tmp_path, env=environment, stdout=log, stderr=log)
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def connection(server, tmp_path):
    """The proxy's, which stays open between requests."""
    with contextlib.closing(http.client.HTTPConnection("localhost")) as connection:
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(PATIENCE)
        wait_for(lambda: connection.sock.connect_ex(str(tmp_path / "blue.sock")) == 0, "socket")
        yield connection


def test_it_ends_soon_though_a_connection_is_idle(server, connection, tmp_path):
    for dummy in range(2):
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"heron", (tmp_path / "log").read_text()
    server.terminate()
    assert server.wait(PATIENCE) == 0


def test_who_waits_is_not_left_behind(version, venv, render, tmp_path):
    (tmp_path / "gate").mkdir()
    shutil.copy(ROLES / "deployment/files/gate.py", tmp_path / "gate")
    (tmp_path / "wsgi.py").write_text(APPLICATION)
    (tmp_path / "gunicorn.conf.py").write_text(render("gunicorn", "gunicorn.conf.py.j2", __flask_root=str(tmp_path)))
    argv = [venv / "bin/gunicorn", "--print-config", "--config", tmp_path / "gunicorn.conf.py", "wsgi:app"]
    shown = subprocess.run(argv, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    settings = dict(re.findall(r"^(\w+) += (.*)$", shown, re.M))
    expected = ("1000", "75") if version < "24" else ("16", "0")
    assert (settings["worker_connections"], settings["keepalive"]) == expected
