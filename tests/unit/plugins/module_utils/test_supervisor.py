# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
import xmlrpc.client

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.process.manager import (
    RUNNING,
    STOPPED,
    UNKNOWN,
    ProcessError,
    Program,
)
from ansible_collections.selfhost.flask.plugins.module_utils.process.supervisor import Supervisor

NAME = "blog-blue"


@pytest.fixture
def client(supervisor):
    return Supervisor(supervisor.server_address, timeout=5)


@pytest.fixture
def known(supervisor):
    """A supervisor that has read the program's configuration."""
    supervisor.files = {NAME: 1}
    supervisor.addProcessGroup(NAME)
    return supervisor


def test_a_program_that_was_not_read_yet_is_unknown(client):
    assert client.look(NAME) == Program(UNKNOWN, "UNKNOWN")
    assert not client.look(NAME).is_up


@pytest.mark.parametrize("state, running", [
    ("RUNNING", True), ("STARTING", True), ("STOPPED", False), ("BACKOFF", False), ("EXITED", False), ("FATAL", False),
])
def test_a_program_runs_or_does_not(state, running, client, known):
    known.states[NAME] = state
    assert client.look(NAME).is_up == running


@pytest.mark.parametrize("state, stopped", [("RUNNING", True), ("BACKOFF", True), ("STOPPED", False)])
def test_stops_what_runs(state, stopped, client, known):
    known.states[NAME] = state
    client.stop(NAME)
    assert known.calls == ([("stopProcess", NAME, False)] if stopped else [])
    assert known.states[NAME] == "STOPPED"


def test_stops_several_at_once_and_waits_for_all(client, supervisor):
    supervisor.files = {"blog.mail": 1, "blog.queue": 1}
    for name in supervisor.files:
        client.start(name)
    supervisor.on_stop = lambda name: seen.append(dict(supervisor.states))
    seen = []
    client.stop("blog.mail", "blog.queue")
    assert seen[-1] == {"blog.mail": "STOPPING", "blog.queue": "STOPPING"}
    assert set(supervisor.states.values()) == {"STOPPED"}


def test_stops_nothing_where_there_is_nothing(client, supervisor):
    client.stop()
    assert supervisor.calls == []


def test_waits_for_what_is_about_to_end(client, known):
    known.states[NAME] = "STOPPING"
    client.stop(NAME)
    assert known.states[NAME] == "STOPPED" and known.calls == []


def test_a_program_that_ended_by_itself_meanwhile_is_stopped(client, known, monkeypatch):
    monkeypatch.setattr(client, "look", lambda name: Program(next(phases), ""))
    phases = iter([RUNNING, STOPPED])
    client.stop(NAME)
    assert known.calls == [("stopProcess", NAME, False)] and known.states[NAME] == "STOPPED"


def test_the_programs_of_one_application_by_their_beginning(client, supervisor):
    supervisor.files = dict.fromkeys(["blog-blue", "blog.mail", "blog.queue", "blogs.mail", "shop.blog.mail"], 1)
    for name in supervisor.files:
        supervisor.addProcessGroup(name)
    assert client.names("blog.") == ["blog.mail", "blog.queue"]
    assert client.names("nothing") == []


# what is on disk, what supervisor has read, and the calls that start the program
STARTS = {
    "a new program": ({NAME: 1}, {}, ["addProcessGroup", "startProcess"]),
    "a known one": ({NAME: 1}, {NAME: 1}, ["startProcess"]),
    "a changed one": ({NAME: 2}, {NAME: 1}, ["removeProcessGroup", "addProcessGroup", "startProcess"]),
    "beside another that changed": ({NAME: 1, "other": 2}, {NAME: 1, "other": 1}, ["startProcess"]),
}


@pytest.mark.parametrize("case", STARTS)
def test_starts_by_the_configuration_on_disk(case, client, supervisor):
    supervisor.files, supervisor.groups, calls = STARTS[case]
    supervisor.groups, supervisor.states = dict(supervisor.groups), dict.fromkeys(supervisor.groups, "STOPPED")
    client.start(NAME)
    assert supervisor.calls == [(call, NAME) + (False,) * (call == "startProcess") for call in calls]
    assert client.look(NAME).is_up


def test_a_program_that_supervisor_has_started_itself_is_started(client, known):
    known.states[NAME] = "RUNNING"
    client.start(NAME)
    assert client.look(NAME).is_up


def test_a_program_without_a_configuration_is_an_error(client):
    with pytest.raises(ProcessError, match="BAD_NAME"):
        client.start(NAME)


def test_another_fault_is_not_taken_for_an_answer(client, known, monkeypatch):
    def broken(*dummy):
        raise xmlrpc.client.Fault(6, "SHUTDOWN_STATE")

    for method in ("getProcessInfo", "startProcess", "getAllProcessInfo"):
        monkeypatch.setattr(known, method, broken)
    for call in (client.look, client.start, client.names):
        with pytest.raises(ProcessError, match="SHUTDOWN_STATE"):
            call(NAME)


def test_a_supervisor_that_does_not_run_is_an_error(short_path):
    with pytest.raises(ProcessError, match="nothing.sock") as error:
        Supervisor(str(short_path / "nothing.sock")).look(NAME)
    assert error.value.manager == "supervisor"


LOG = """%(old)s,100 INFO exited: blog.mail (exit status 1; not expected)
%(new)s,200 INFO spawned: 'blog.mail' with pid 7
%(new)s,300 WARN exited: blog.mail (exit status 127; not expected)
%(new)s,300 INFO stopped: blog.queue (exit status 0)
%(new)s,400 INFO exited: blog.mail (exit status 127; not expected)
%(new)s,400 INFO exited: blog-blue (terminated by SIGKILL; not expected)
%(new)s,400 INFO exited: blog-green (exit status 77; expected)
"""


def test_counts_how_often_programs_ended_by_themselves(client, supervisor):
    moments = {name: time.time() - seconds for name, seconds in (("old", 100), ("new", 10))}
    supervisor.log = LOG % {name: time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at)) for name, at in moments.items()}
    assert client.ends(time.time() - 50) == {"blog.mail": 2, "blog-blue": 1}
    assert client.ends(time.time() - 500)["blog.mail"] == 3


def test_without_a_log_nothing_is_counted(client, supervisor, monkeypatch):
    def unreadable(*dummy):
        raise xmlrpc.client.Fault(20, "NO_FILE")

    monkeypatch.setattr(supervisor, "readLog", unreadable)
    assert client.ends(0)["blog.mail"] == 0


def test_forgets_a_program_or_has_forgotten_it(client, known):
    known.states[NAME] = "STOPPED"
    client.forget(NAME)
    assert client.look(NAME).phase == UNKNOWN
    client.forget(NAME)
