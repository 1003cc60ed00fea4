# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""gunicorn loads an application once for all workers, and in each of them where it can't be shared."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys

import pytest
from deployments import ROLES
from live_site import wait_for

PACKAGES = ["gunicorn>=27,<28", "python-dotenv==1.2.1", "SQLAlchemy==2.0.58"]
INSTALL = ["FOLDER/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES]

APPLICATION = '''
import json, os, signal, socket, sqlite3, threading, time

LOADED = os.getpid()
print("loading")
more = dict
%s

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"loaded": LOADED, "worker": os.getpid(), "main": os.getppid(), **more()}).encode()]
'''

ENGINE = '''
import sqlalchemy
from sqlalchemy.pool import QueuePool, StaticPool
options = {"check_same_thread": False}
engine = sqlalchemy.create_engine("sqlite:///%s", poolclass=%s, connect_args=options)
with engine.begin() as connection:
    connection.execute(sqlalchemy.text("CREATE TABLE IF NOT EXISTS seen (heron TEXT)"))
'''

ROWS = '''
def more():
    with engine.connect() as connection:
        return {"rows": connection.execute(sqlalchemy.text("SELECT * FROM seen")).all()}
'''

POOL = ENGINE % ("birds.db", "QueuePool")
IN_MEMORY = ENGINE % ("", "StaticPool")
THREAD = "threading.Thread(target=time.sleep, args=(60,), daemon=True).start(); time.sleep(1)"


class Server:
    """A slot's gunicorn, and the only visitor of it."""

    def __init__(self, folder, argv):
        self.folder, self.socket, self.log = folder, str(folder / "blue.sock"), folder / "log"
        environment = {**os.environ, "FLASK_SLOT": "blue", "FLASK_RELEASE": "v1"}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*argv, "--bind", "unix:" + self.socket, "wsgi:app"], cwd=folder, env=environment, stdout=log, stderr=log
            )

    def ask(self):
        """Comes as soon as there is a socket, and waits there."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(20)
            wait_for(lambda: connection.connect_ex(self.socket) == 0, "socket")
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            head, _, body = b"".join(iter(lambda: connection.recv(4096), b"")).partition(b"\r\n\r\n")
        assert head, self.log.read_text()
        return json.loads(body)

    def loads(self):
        return self.log.read_text().splitlines().count("loading")

    def stop(self):
        self.process.terminate()
        return self.process.wait(20)


@pytest.fixture(scope="session")
def venv(kept):
    return kept(" ".join(PACKAGES), [sys.executable, "-m", "venv", "FOLDER"], INSTALL)


@pytest.fixture
def serve(tmp_path, venv, render):
    servers = []

    def serve(when_loaded, **given):
        (tmp_path / "gate").mkdir()
        shutil.copy(ROLES / "deployment/files/gate.py", tmp_path / "gate")
        (tmp_path / "wsgi.py").write_text(APPLICATION % when_loaded)
        given = {"gunicorn_workers": 3, **given}
        settings = render("gunicorn", "gunicorn.conf.py.j2", __flask_root=str(tmp_path), **given)
        (tmp_path / "gunicorn.conf.py").write_text(settings)
        servers.append(Server(tmp_path, [venv / "bin/gunicorn", "--config", tmp_path / "gunicorn.conf.py"]))
        return servers[-1]

    yield serve
    for server in servers:
        server.process.kill()
        server.process.wait()


@pytest.mark.parametrize("when_loaded, given", [
    ("", {}),
    (POOL, {}),  # is closed, and opened again by the worker
    ("import subprocess; subprocess.run(['true'], check=True)", {}),
    (THREAD, {"gunicorn_preload": "always"}),
])
def test_workers_are_forked_from_the_process_that_has_loaded_it(when_loaded, given, serve):
    server = serve(when_loaded, **given)
    answer = server.ask()
    assert answer["loaded"] == answer["main"] == server.process.pid != answer["worker"]
    assert server.loads() == 1
    assert server.stop() == 0


def test_no_connection_of_a_pool_is_shared(serve):
    server = serve(POOL)
    assert not any(name.endswith("birds.db") for name in files_of(server.ask()["worker"]))


def files_of(process):
    folder = "/proc/%d/fd" % process
    return [os.readlink(os.path.join(folder, name)) for name in os.listdir(folder)]


@pytest.mark.parametrize("when_loaded, given", [
    (THREAD, {}),
    ("connection = socket.socketpair()", {}),
    ("database = sqlite3.connect('birds.db'); database.executescript('CREATE TABLE IF NOT EXISTS seen (heron TEXT)')", {}),
    ("signal.signal(signal.SIGUSR2, signal.SIG_IGN)", {}),
    (POOL + "kept = engine.connect()", {}),
    ("", {"gunicorn_preload": "never"}),
    ("", {"gunicorn_workers": 1}),
])
def test_each_worker_loads_what_can_not_be_shared(when_loaded, given, serve):
    """Who came before it was found out is answered."""
    server = serve(when_loaded, **given)
    answer = server.ask()
    assert answer["loaded"] == answer["worker"] != server.process.pid == answer["main"]
    assert server.stop() == 0
    assert "Traceback" not in server.log.read_text()


def test_a_database_in_memory_is_kept(serve):
    assert serve(IN_MEMORY + ROWS).ask()["rows"] == []


def test_an_application_that_can_not_be_loaded_says_so_once(serve):
    server = serve("raise RuntimeError('no heron')")
    assert server.process.wait(20) == 3
    assert server.log.read_text().count("RuntimeError: no heron") == 1
