# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams and WebSockets through both servers, as the roles configure them."""

from __future__ import annotations

import base64
import contextlib
import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from live_site import LiveSite, wait_for
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


@app.get("/invoices/<name>")
def invoice(name):
    return "", {"X-Accel-Redirect": "/.private/invoices/" + name, "Content-Type": "application/pdf"}


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

        def serve(name, application, site=None, **given):
            live = LiveSite(NginxSite(nginx, Path(folder) / name, "usual", site or {}), venv)
            stack.callback(live.stop)
            live.start(application, render("gunicorn", "gunicorn.conf.py.j2", __flask_root=str(live.srv), **given))
            return live

        yield serve


@pytest.fixture(scope="module")
def streams(serve):
    return serve("streams", STREAMS, gunicorn_workers=1)


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


SLOW = """
import time

from flask import Flask

app = Flask(__name__)


@app.get("/whoami")
def whoami():
    return "well"


@app.get("/wait/<float:seconds>")
def wait(seconds):
    time.sleep(seconds)
    return "waited"
"""


def connections_to(live):
    """Those that the kernel has for the server's socket, accepted or not."""
    socket = str(live.srv / "run/blue.sock")
    return [line for line in Path("/proc/net/unix").read_text().splitlines() if line.endswith(socket)][1:]


def test_a_request_is_for_a_process_that_has_time(serve):
    live = serve("busy", SLOW, gunicorn_workers=2, gunicorn_threads=1)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(live.get, "/wait/6.0")
        wait_for(lambda: connections_to(live), "connection")
        assert [live.get("/whoami").read() for dummy in range(20)] == [b"well"] * 20
        assert not slow.done()
        assert slow.result().read() == b"waited"


def test_who_waits_for_a_connection_when_the_server_stops_is_answered(serve):
    live = serve("leaving", SLOW, gunicorn_workers=1, gunicorn_threads=1)
    with ThreadPoolExecutor(5) as pool:
        waiting = [pool.submit(live.get, "/wait/0.5") for dummy in range(5)]
        wait_for(lambda: len(connections_to(live)) >= 5, "connections")
        live.server.terminate()
        assert [one.result().read() for one in waiting] == [b"waited"] * 5
    assert live.server.wait(20) == 0 and "[error]" not in live.error_log()


def test_no_other_protocol_is_asked_of_the_application(streams):
    asked = json.loads(streams.get("/whoami", Upgrade="h2c", Connection="Upgrade, HTTP2-Settings").read())
    assert "Upgrade" not in asked and "Connection" not in asked


def test_websockets_answer_until_the_server_stops(serve):
    live = serve("stopping", STREAMS, gunicorn_workers=1, gunicorn_graceful_timeout=60)
    websockets = [live.websocket() for dummy in range(20)]  # more than the threads for others
    for websocket in websockets:
        assert websocket.status == 101
        websocket.send("heron")
        assert websocket.read() == (1, b"heron")
    events = live.get("/ticks/event-stream")
    begin = time.monotonic()
    live.server.terminate()
    assert [websocket.read() for websocket in websockets] == [(8, b"\x03\xf4")] * 20
    assert b"data: 0\n" in events.read()  # to the end of the whole answer
    assert live.server.wait(20) == 0 and time.monotonic() - begin < 20
    assert "[error]" not in live.error_log()


GUARDED = {
    "flask_basic_auth": {"ana": "p:%4$#'\"@ ü", "bob": "x"},
    "flask_noindex": True,
    "flask_trusted_proxies": ["127.0.0.0/8", "2001:db8::/32", "cloudflare"],
    "flask_health_url": "/whoami?deep=1",
    "flask_web_include": "location = /own {\n    return 200 own;\n}\n",
    "nginx_upload_limit": "1m",
    "flask_private_folders": ["invoices"],
}


@pytest.fixture(scope="module")
def guarded(serve):
    return serve("guarded", STREAMS, site=GUARDED, gunicorn_workers=1)


def login(password, name="ana"):
    return {"Authorization": "Basic " + base64.b64encode(("%s:%s" % (name, password)).encode()).decode()}


def test_a_password_is_asked_for_but_by_the_health_url(guarded):
    passwords = GUARDED["flask_basic_auth"]
    answer = guarded.get("/")
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Basic realm="microblog"')
    assert guarded.get("/", **login("wrong")).status == guarded.get("/", **login(passwords["ana"], "bob")).status == 401
    assert [guarded.get("/", **login(password, name)).status for name, password in passwords.items()] == [200, 200]
    asked = guarded.get("/whoami", **login(passwords["ana"]))
    assert asked.status == guarded.get("/whoami").status == 200 and "Authorization" not in json.loads(asked.read())
    websocket = guarded.websocket()
    assert websocket.status == 401


def test_hashes_of_passwords_are_the_same_in_each_run(render):
    first, second = (render("nginx", "users.j2", flask_basic_auth=GUARDED["flask_basic_auth"]) for dummy in range(2))
    assert first == second and first.count(":$6$") == 2 and GUARDED["flask_basic_auth"]["ana"] not in first


def test_search_engines_are_told_to_leave_the_site_out(guarded, streams):
    assert guarded.get("/", **login("x", "bob")).headers["X-Robots-Tag"] == "noindex, nofollow"
    assert "X-Robots-Tag" not in streams.get("/whoami").headers


def test_the_visitor_s_address_is_what_trusted_proxies_say(guarded, streams):
    said = {"X-Forwarded-For": "192.0.2.66, 198.51.100.7, 2001:db8::1", "X-Real-IP": "192.0.2.66"}
    asked = json.loads(guarded.get("/whoami", **said).read())
    assert (asked["X-Forwarded-For"], asked["X-Real-Ip"], asked["X-Forwarded-Proto"]) == ("198.51.100.7", "198.51.100.7", "https")
    assert json.loads(streams.get("/whoami", **said).read())["X-Forwarded-For"] == "127.0.0.1"
    wait_for(lambda: guarded.access_log().splitlines()[-1].startswith("198.51.100.7 - "), "address in the log")


def test_directives_of_ones_own_are_in_the_site(guarded):
    assert guarded.get("/own", **login("x", "bob")).read() == b"own"


def test_private_files_are_sent_where_the_application_says_so(guarded):
    folder = guarded.srv / "shared/invoices"
    folder.mkdir(parents=True)
    (folder / "7.pdf").write_text("seven")
    (folder / "link.pdf").symlink_to("/etc/hostname")
    bob = login("x", "bob")
    answer = guarded.get("/invoices/7.pdf", **bob)
    assert (answer.status, answer.read(), answer.headers["Content-Type"]) == (200, b"seven", "application/pdf")
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN" and "X-Accel-Redirect" not in answer.headers
    for path in ("/.private/invoices/7.pdf", "/invoices/link.pdf", "/invoices/8.pdf", "/invoices/../../gate/gate.py"):
        assert guarded.get(path, **bob).status in (400, 403, 404)


@pytest.mark.parametrize("accept, said", [("text/html", "At most 1 MB can be sent at once."), ("application/json", '{"error": "This upload is too large"}')])
def test_an_upload_beyond_the_limit_is_told_which_it_is(accept, said, guarded):
    answer = guarded.get("/whoami", "POST", b"x" * (2 << 20), Accept=accept, **login("x", "bob"))
    assert (answer.status, "Retry-After" in answer.headers) == (413, False) and said in answer.read().decode()


@pytest.mark.parametrize("text", ["no_such_directive on;", "location / {\n    return 404;\n}", "}"])
def test_what_nginx_refuses_is_named(text, site_on_disk):
    result = site_on_disk("usual", {"flask_web_include": text}).ask("-t")
    assert result.returncode == 1 and "/flask_web_include.conf:1" in result.stderr


def test_directives_of_ones_own_may_be_in_a_file(evaluate, refusals, tmp_path):
    given = {"flask_web_include": "own.conf", "inventory_dir": str(tmp_path)}
    assert [text for text in refusals("nginx", **given) if "There is no file %s/own.conf. Set flask_web_include" % tmp_path in text]
    (tmp_path / "own.conf").write_text("allow all;\n")
    assert refusals("nginx", **given) == []
    assert evaluate("nginx", "__nginx_include_path", **given) == str(tmp_path / "own.conf")


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
