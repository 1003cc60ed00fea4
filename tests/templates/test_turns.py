# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Behind a proxy that buffers, requests that wait are answered beside each other, and those that compute in turn,
whichever gunicorn an application pins."""

from __future__ import annotations

import contextlib
import json
import socket
import time

import pytest
from live_site import wait_for
from live_slot import environment_with, live_slot

THREADS = 8
WAITS = 2  # seconds
APPLICATION = '''
import json, os, sys, threading, time

def compute(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass

def app(environ, start_response):
    begin = time.monotonic()
    kind, seconds = environ["PATH_INFO"].strip("/").split("/")
    {"compute": compute, "wait": time.sleep, "exit": sys.exit}[kind](float(seconds))
    start_response("200 OK", [("Content-Type", "application/json")])
    times = {"begin": begin, "end": time.monotonic()}
    return [json.dumps({**times, "threads": threading.active_count(), "multithread": environ["wsgi.multithread"]}).encode()]
'''


class Visitor:
    """One request, whose answer is read later."""

    def __init__(self, path, request):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(str(path))
        self.socket.sendall(("GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n" % request).encode())

    def read(self):
        with self.socket, self.socket.makefile("rb") as file:
            head, dummy, body = file.read().partition(b"\r\n\r\n")
        assert head[9:12] == b"200", head
        return json.loads(body)


FEW_THREADS = """
start = threading.Thread.start

def start_few(self):
    if threading.active_count() > 3:
        raise RuntimeError("can't start new thread")
    start(self)

threading.Thread.start = start_few
"""


@pytest.fixture
def more_settings():
    return ""


@pytest.fixture(params=["20.1.0", "23.0.0", "27.0.1"])
def server(request, tmp_path, kept, render, more_settings):
    """A slot's gunicorn with one process."""
    given = {"gunicorn_workers": 1, "gunicorn_threads": THREADS, "gunicorn_graceful_timeout": 20}
    settings = render("gunicorn", "gunicorn.conf.py.j2", __flask_root=str(tmp_path), **given)
    with live_slot(tmp_path, environment_with(request.param, kept), APPLICATION, settings + more_settings) as process:
        yield process


@pytest.fixture
def ask(server, tmp_path):
    """Several requests at the same time, and their answers."""

    def ask(*requests):
        visitors = [Visitor(tmp_path / "blue.sock", request) for request in requests]
        return [visitor.read() for visitor in visitors]

    ask("/wait/0")  # it is up
    return ask


def beside(answers):
    """How many pairs of requests were worked at at the same time."""
    times = sorted((answer["begin"], answer["end"]) for answer in answers)
    return sum(later < end for (dummy, end), (later, dummy) in zip(times, times[1:]))


def test_requests_that_wait_are_answered_beside_each_other(ask):
    begin = time.monotonic()
    answers = ask(*["/wait/%s" % WAITS] * THREADS)
    assert time.monotonic() - begin < 2 * WAITS and beside(answers) == THREADS - 1
    assert answers[0]["multithread"] is True


@pytest.mark.parametrize("more_settings", ["ThreadWorker.LONG = 60\n"])  # so that it does not matter how busy the machine is
def test_requests_that_compute_are_answered_one_after_the_other(ask):
    answers = ask(*["/compute/0.05"] * THREADS)  # without turns, each would begin before the one before it ends
    assert beside(answers) <= THREADS // 2


def test_a_request_that_computes_for_long_does_not_keep_others_up(ask):
    slow, quick = ask("/compute/3", "/compute/0.01")
    assert quick["end"] < slow["end"]


def test_more_visitors_than_threads_are_all_answered(ask):
    answers = ask(*["/wait/0.3"] * (3 * THREADS))
    assert len(answers) == 3 * THREADS and max(answer["threads"] for answer in answers) == THREADS + 1


@pytest.mark.parametrize("more_settings", [FEW_THREADS])
def test_where_no_more_threads_can_be_made_those_that_there_are_go_on(ask):
    answers = ask(*["/wait/0.3"] * THREADS)
    assert len(answers) == THREADS and max(answer["threads"] for answer in answers) == 4


def test_a_thread_is_made_when_it_is_needed(ask):
    for dummy in range(3):
        (answer,) = ask("/wait/0")
    assert answer["threads"] < THREADS


def test_who_waits_when_it_stops_is_answered(ask, server, tmp_path):
    visitors = [Visitor(tmp_path / "blue.sock", "/wait/%s" % WAITS) for dummy in range(2 * THREADS)]
    server.terminate()
    for visitor in visitors:
        visitor.read()
    assert server.wait(10) == 0


def test_it_stops_at_once_if_nobody_waits(ask, server):
    begin = time.monotonic()
    server.terminate()
    assert server.wait(15) == 0 and time.monotonic() - begin < 10


def test_an_application_that_exits_harms_no_other_visitor(ask, tmp_path):
    with contextlib.suppress(AssertionError, ConnectionResetError):
        ask("/exit/1")
    wait_for(lambda: Visitor(tmp_path / "blue.sock", "/wait/0").read(), "answer after it")
