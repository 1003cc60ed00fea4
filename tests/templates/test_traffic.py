# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams and WebSockets through both servers, as the roles configure them."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import time
from pathlib import Path

import pytest
from live_site import LiveSite
from nginx_site import NginxSite

PACKAGES = ["gunicorn>=27,<28", "Flask-SocketIO==5.7.0", "python-dotenv==1.2.1", "eventlet==0.41.3"]
INSTALL = ["FOLDER/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES]

STREAMS = '''
import time

import simple_websocket
from flask import Flask, Response, request

app = Flask(__name__)


@app.get("/")
def index():
    return "well"


@app.get("/whoami")
def whoami():
    return dict(request.headers)


@app.route("/ticks/<kind>", methods=["GET", "POST"])
def ticks(kind):
    def parts():
        for number in range(100):
            yield "data: %d\\n\\n" % number
            time.sleep(1)
    return Response(parts(), mimetype="text/" + kind)


@app.route("/echo", websocket=True)
def echo():
    connection = simple_websocket.Server(request.environ)
    try:
        while True:
            connection.send(connection.receive())
    except simple_websocket.ConnectionClosed:
        pass
    raise StopIteration
'''

CHAT = '''
from flask import Flask
from flask_socketio import SocketIO

app = Flask(__name__)
socketio = SocketIO(app)


@app.get("/")
def index():
    return "well"


@socketio.on("say")
def say(text):
    socketio.emit("said", text)
'''


@pytest.fixture(scope="session")
def venv(kept):
    return kept(" ".join(PACKAGES), [sys.executable, "-m", "venv", "FOLDER"], INSTALL)


@pytest.fixture(scope="module")
def serve(nginx, venv, render):
    """Serves an application; the proxy's user has to come to the socket."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        Path(folder).chmod(0o755)

        def serve(name, application, **given):
            live = LiveSite(NginxSite(nginx, Path(folder) / name, "usual", {}), venv)
            stack.callback(live.stop)
            live.start(application, render("gunicorn", "gunicorn.conf.py.j2", gunicorn_root=str(live.srv), **given))
            return live

        yield serve


@pytest.fixture(scope="module")
def streams(serve):
    return serve("streams", STREAMS, gunicorn_workers=1, gunicorn_graceful_timeout=60)


@pytest.mark.parametrize("method, kind, accept", [
    ("GET", "event-stream", "text/event-stream"), ("POST", "event-stream", "*/*"), ("GET", "plain", "*/*"),
])
def test_a_stream_arrives_as_it_is_written(method, kind, accept, streams):
    begin = time.monotonic()
    answer = streams.get("/ticks/" + kind, method, Accept=accept)
    assert (answer.status, answer.readline()) == (200, b"data: 0\n")
    assert "X-Accel-Buffering" not in answer.headers and answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert [answer.readline(), answer.readline()] == [b"\n", b"data: 1\n"]
    assert time.monotonic() - begin < 5
    answer.close()


def test_a_websocket_ends_when_writes_are_refused(streams):
    websocket = streams.websocket()
    (streams.srv / "gate/blue.closed").write_text("{}")
    assert websocket.read() == (8, b"\x03\xf4")
    assert streams.websocket().status == 503 and streams.get("/").status == 200
    (streams.srv / "gate/blue.closed").unlink()
    assert streams.websocket().status == 101


def test_no_other_protocol_is_asked_of_the_application(streams):
    asked = json.loads(streams.get("/whoami", Upgrade="h2c", Connection="Upgrade, HTTP2-Settings").read())
    assert "Upgrade" not in asked and "Connection" not in asked


def test_websockets_answer_until_the_server_stops(streams):
    websockets = [streams.websocket() for dummy in range(20)]  # more than the threads for others
    for websocket in websockets:
        assert websocket.status == 101
        websocket.send("heron")
        assert websocket.read() == (1, b"heron")
    events = streams.get("/ticks/event-stream")
    begin = time.monotonic()
    streams.server.terminate()
    assert [websocket.read() for websocket in websockets] == [(8, b"\x03\xf4")] * 20
    assert b"data: 0\n" in events.read()  # to the end of the whole answer
    assert streams.server.wait(20) == 0 and time.monotonic() - begin < 20
    assert "[error]" not in streams.error_log()


def test_socketio_works_by_polling_and_by_websocket(serve):
    """With as many workers and threads as are chosen for it, although eventlet is there."""
    live, url = serve("chat", CHAT), "/socket.io/?EIO=4&transport="
    for dummy in range(4):
        session = json.loads(live.get(url + "polling", Origin="https://blog.example.com").read()[1:])
        assert session["upgrades"] == ["websocket"]
        poll = url + "polling&sid=" + session["sid"]
        assert live.get(poll, "POST", '40\x1e42["say","heron"]').read() == b"OK"
        said = live.get(poll).read()
        while b"said" not in said:
            said += live.get(poll).read()
        assert b'42["said","heron"]' in said
    websocket = live.websocket(url + "websocket")
    assert websocket.status == 101 and websocket.read()[1].startswith(b'0{"sid"')
    websocket.send("40")
    assert websocket.read()[1].startswith(b"40")
    websocket.send('42["say","egret"]')
    assert websocket.read()[1] == b'42["said","egret"]'
