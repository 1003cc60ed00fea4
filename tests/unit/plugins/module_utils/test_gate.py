# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both sides of the gate against each other: gate.py in the application, and what closes it."""

from __future__ import annotations

import fcntl
import os
import runpy
import shutil
import socket
import struct
import threading
import time
from pathlib import Path

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.gate import Gate, StillWriting
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

PROGRAM = Path(__file__).resolve().parents[4] / "roles/deployment/files/gate.py"
UPDATED = "This site is being updated. Please try again in a moment.\n"


class Application:
    """A WSGI application that keeps what it was asked, and can take its time or fail."""

    def __init__(self):
        self.requests = []
        self.wait = self.fail = False
        self.started, self.go_on = threading.Event(), threading.Event()
        self.headers = []
        self.closed = 0

    def __call__(self, environ, start_response):
        self.requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        self.environ = environ
        self.started.set()
        if self.wait:
            assert self.go_on.wait(5)
        if self.fail == "before its answer":
            raise ValueError(self.fail)
        start_response("200 OK", [("Content-Type", "text/plain"), *self.headers])
        return self

    def __iter__(self):
        yield b"well"
        if self.fail:
            raise ValueError(self.fail)

    def close(self):
        self.closed += 1


@pytest.fixture
def gate(tmp_path):
    """The deployment's side."""
    (tmp_path / "gate").mkdir()
    return Gate(Site("blog", str(tmp_path), ""))


@pytest.fixture
def application():
    return Application()


@pytest.fixture
def ask(tmp_path, gate, application, monkeypatch):
    """Asks the blue slot as gunicorn does; status, headers and text of the answer."""
    monkeypatch.setenv("FLASK_SLOT", "blue")
    monkeypatch.setenv("FLASK_RELEASE", "v1")
    shutil.copy(PROGRAM, tmp_path / "gate/gate.py")
    served = runpy.run_path(str(tmp_path / "gate/gate.py"))["Gate"](application)

    def ask(method="GET", path="/posts", **headers):
        begun = []
        environ = dict(headers, REQUEST_METHOD=method, PATH_INFO=path)
        parts = served(environ, lambda *arguments: begun.append(arguments))
        try:
            text = b"".join(parts).decode()
        finally:
            if hasattr(parts, "close"):
                parts.close()
        (status, headers), = begun
        return int(status[:3]), dict(headers), text

    return ask


def in_thread(ask, *arguments):
    """Asks in the background; the answers that have come."""
    answers = []
    thread = threading.Thread(target=lambda: answers.append(ask(*arguments)[0]))
    thread.start()
    return thread, answers


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_open_gate_lets_everything_through_and_says_which_release_answers(method, ask, application):
    status, headers, text = ask(method)
    assert (status, text, headers["X-Release"], headers["Content-Type"]) == (200, "well", "v1", "text/plain")
    assert application.requests == [(method, "/posts")] and application.closed == 1


# what is closed, and which requests are then refused
CLOSED = {
    "blue": {"POST", "PUT", "PATCH", "DELETE"},
    "green": set(),
    "writes": {"POST", "PUT", "PATCH", "DELETE"},
    "site": {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"},
}


@pytest.mark.parametrize("name", CLOSED)
def test_a_closed_gate_refuses_what_it_is_closed_for(name, gate, ask, application):
    gate.close(name, 7, patience=1)
    methods = CLOSED["site"]
    assert {method for method in methods if ask(method)[0] == 503} == CLOSED[name]
    assert {method for method, dummy in application.requests} == methods - CLOSED[name]
    assert gate.open(name)
    assert {ask(method)[0] for method in methods} == {200}


@pytest.mark.parametrize("message, text", [("", UPDATED), ("Back at noón.", "Back at noón.\n")])
def test_a_refusal_says_when_to_try_again_and_is_not_kept(message, text, gate, ask):
    gate.refuse("site", 7, message)
    status, headers, said = ask()
    assert (status, said, headers["Retry-After"], headers["Cache-Control"]) == (503, text, "7", "no-store")
    assert headers["Content-Length"] == str(len(text.encode())) and headers["X-Release"] == "v1"


@pytest.mark.parametrize("name", ["blue", "writes", "site"])
def test_the_deployment_is_answered_behind_a_closed_gate(name, gate, ask):
    gate.refuse(name, 5)
    assert ask("GET", HTTP_X_RELEASE="v1")[0] == 200
    assert ask("POST", HTTP_X_RELEASE="v1")[0] == 503
    assert ask("GET", HTTP_X_RELEASE="v2")[0] == (503 if name == "site" else 200)


def test_closing_waits_for_a_write_in_flight_and_refuses_those_that_follow(gate, ask, application):
    application.wait = True
    thread, answers = in_thread(ask, "POST")
    assert application.started.wait(5)
    closing = threading.Thread(target=gate.close, args=("blue", 5, 5))
    closing.start()
    while not gate.refused("blue"):
        time.sleep(0.005)
    assert ask("POST")[0] == 503
    closing.join(0.1)
    assert closing.is_alive() and answers == []
    application.go_on.set()
    closing.join(5)
    thread.join(5)
    assert not closing.is_alive() and answers == [200]
    assert ask("POST")[0] == 503


@pytest.mark.parametrize("headers, said", [
    ({}, "no"), ({"content-length": "4"}, None), ({"X-Accel-Buffering": "yes"}, "yes"),
])
def test_an_answer_of_unknown_length_is_passed_on_as_it_comes(headers, said, ask, application):
    application.headers = headers.items()
    assert ask()[1].get("X-Accel-Buffering") == said


@pytest.mark.parametrize("name", ["blue", "writes", "site"])
def test_a_websocket_is_a_write_whatever_its_method(name, gate, ask):
    assert ask(HTTP_UPGRADE="WebSocket")[0] == 200
    gate.refuse(name, 5)
    assert ask(HTTP_UPGRADE="WebSocket", HTTP_X_RELEASE="v1")[0] == 503


def test_closing_waits_for_a_websocket_that_is_open(gate, ask, application):
    application.wait = True
    thread = threading.Thread(target=ask, kwargs={"HTTP_UPGRADE": "websocket"})
    thread.start()
    assert application.started.wait(5)
    with pytest.raises(StillWriting):
        gate.close("blue", 5, patience=0)
    application.go_on.set()
    thread.join(5)
    gate.close("blue", 5, patience=0)


def test_a_read_in_flight_is_not_waited_for(gate, ask, application):
    application.wait = True
    thread, answers = in_thread(ask, "GET")
    assert application.started.wait(5)
    gate.close("blue", 5, patience=0)
    application.go_on.set()
    thread.join(5)
    assert answers == [200]


def test_a_write_that_does_not_end_opens_the_gate_again(gate, ask, application):
    application.wait = True
    thread, answers = in_thread(ask, "POST")
    assert application.started.wait(5)
    with pytest.raises(StillWriting, match="still runs after 0 s"):
        gate.close("blue", 5, patience=0)
    application.go_on.set()
    thread.join(5)
    assert answers == [200] and ask("POST")[0] == 200 and gate.refused("blue") == b""


def test_an_answer_is_in_flight_until_it_was_sent(gate, ask, application, monkeypatch):
    def parts(self):
        yield b"well"
        with pytest.raises(StillWriting):
            gate.close("blue", 5, patience=0)

    monkeypatch.setattr(Application, "__iter__", parts)
    assert ask("POST")[0] == 200
    gate.close("blue", 5, patience=0)


@pytest.mark.parametrize("when", ["before its answer", "in its answer", "at its end"])
def test_an_application_that_raises_keeps_no_lock(when, gate, ask, application, monkeypatch):
    if when == "at its end":
        monkeypatch.setattr(Application, "close", lambda self: int("x"))
    else:
        application.fail = when
    with pytest.raises(ValueError):
        ask("POST")
    gate.close("blue", 5, patience=0)
    assert ask("POST")[0] == 503


def test_a_write_between_the_closing_and_its_check_is_refused(gate, ask):
    """The deployment has the lock for a moment, and the application must not wait for it."""
    gate.refuse("blue", 3)
    folder = os.open(gate.site.path("gate"), os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    status, headers, dummy = ask("POST")
    assert (status, headers["Retry-After"]) == (503, "3")
    gate.open("blue")
    status, headers, dummy = ask("POST")  # it opens at this moment
    assert (status, headers["Retry-After"]) == (503, "1")
    os.close(folder)
    assert ask("POST")[0] == 200


def test_says_whether_something_changed(gate):
    assert [gate.refuse("site", 5), gate.refuse("site", 5), gate.refuse("site", 6)] == [True, False, True]
    assert [gate.open("site"), gate.open("site")] == [True, False]


@pytest.mark.parametrize("names, said", [
    ([], "nothing"), (["blue"], "nothing"), (["writes"], "writes"), (["site"], "all"), (["site", "writes"], "all"),
])
def test_says_what_is_closed_by_hand(names, said, gate):
    for name in names:
        gate.refuse(name, 5)
    assert gate.closed() == said


def test_the_folder_is_made_where_it_is_missing_and_everybody_reads_it(tmp_path):
    Gate(Site("blog", str(tmp_path), "")).close("blue", 5, patience=1)
    assert oct((tmp_path / "gate").stat().st_mode)[-3:] == "755"
    assert oct((tmp_path / "gate/blue.closed").stat().st_mode)[-3:] == "644"


CLAIMED = {
    "HTTP_X_FORWARDED_FOR": "192.0.2.1", "HTTP_X_FORWARDED_PROTO": "https", "HTTP_X_FORWARDED_HOST": "evil.example", "HTTP_X_FORWARDED_SSL": "on",
    "HTTP_X_FORWARDED_PREFIX": "/x", "HTTP_FORWARDED": "for=192.0.2.1", "HTTP_X_REAL_IP": "192.0.2.1",
}
ROOT, PROXY, UNBELIEVED = (0, 0), (33, 33), (33, 65534)


@pytest.fixture
def ask_as(tmp_path, gate, application, monkeypatch):
    """Asks as a process of a user and a group does that has connected."""
    monkeypatch.setenv("FLASK_RELEASE", "v1")
    shutil.copy(PROGRAM, tmp_path / "gate/gate.py")

    class Connection:
        def __init__(self, owner):
            self.owner = owner

        def getsockopt(self, level, option, size):
            assert (level, option, size) == (socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            return struct.pack("3i", 4711, *self.owner)

    def ask_as(owner, method="GET", **headers):
        begun = []
        served = runpy.run_path(str(tmp_path / "gate/gate.py"))["Gate"](application, connection_of=lambda environ: Connection(owner))
        environ = dict(headers, REQUEST_METHOD=method, PATH_INFO="/", HTTP_HOST="blog", **{"wsgi.url_scheme": "https"})
        b"".join(served(environ, lambda *arguments: begun.append(arguments)))
        return int(begun[0][0][:3]), dict(begun[0][1])

    return ask_as


@pytest.mark.parametrize("owner, kept, scheme", [(ROOT, CLAIMED, "https"), (PROXY, CLAIMED, "https"), (UNBELIEVED, {}, "http")])
def test_only_a_proxy_that_is_believed_says_who_the_visitor_is(owner, kept, scheme, ask_as, application):
    assert ask_as(owner, **CLAIMED)[0] == 200
    assert {name: application.environ[name] for name in CLAIMED if name in application.environ} == kept
    assert (application.environ["wsgi.url_scheme"], application.environ["HTTP_HOST"]) == (scheme, "blog")


@pytest.mark.parametrize("owner, status, said", [(ROOT, 200, "v1"), (PROXY, 503, "v1"), (UNBELIEVED, 503, None)])
def test_nobody_but_root_passes_a_closed_gate_by_the_releases_name(owner, status, said, gate, ask_as):
    gate.refuse("site", 5)
    found, headers = ask_as(owner, HTTP_X_RELEASE="v1")
    assert (found, headers.get("X-Release")) == (status, said)


def test_the_connection_of_a_process_says_whose_it_is(tmp_path):
    """What the kernel says, not a stand-in."""
    sender = runpy.run_path(str(PROGRAM))["sender"]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert sender(ours) == (os.getuid(), os.getgid())
    assert sender(None) == (None, None)
