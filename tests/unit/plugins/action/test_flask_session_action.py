# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from ansible_collections.selfhost.flask.plugins.action import flask_rollback, flask_session

ELSEWHERE = dict(id="x-1", owner="bob@pc", machine="x", process=os.getpid(), started="once")
SAID = dict(reason="update to v3", since=75.4, idle=12.6, lease=600)
TAKEN = (
    "blog.example.com: %s is at work on blog: update to v3, for 75 s. Nothing was changed. Wait until that has ended. "
    "If it crashed, its lock expires 600 s after its last activity, which was 12 s ago."
)


@pytest.fixture(params=[flask_session, flask_rollback], ids=["session", "rollback"])
def action(request, monkeypatch):
    """Runs the plugin on a host that gives these answers; the result and what the module was told."""

    def action(*answers, **arguments):
        answers, told = list(answers), []
        task = SimpleNamespace(async_val=0, args=dict(arguments, name="blog"), check_mode=False, diff=False)
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
        made = request.param.ActionModule(task, connection, SimpleNamespace(become_pass=None), None, None, None)

        def execute(module_args, task_vars):
            told.append(module_args)
            return answers.pop(0)

        monkeypatch.setattr(made, "_execute_module", execute)
        result = made.run(task_vars=dict(inventory_hostname="blog.example.com"))
        assert answers == []
        return result, told

    return action


@pytest.fixture
def process():
    """Another process of this machine."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as found:
        yield found
        found.kill()


def test_says_who_runs_the_playbook(action):
    result, told = action(dict(changed=False, id="y"), reason="update to v2")
    owner = flask_session.owner_of(os.getppid())
    assert told == [dict(reason="update to v2", name="blog", owner=owner, gone=[])]
    assert (result["changed"], result["id"]) == (False, "y") and "failed" not in result
    assert owner["process"] == os.getppid() and owner["started"] and "@" in owner["owner"]


def test_says_who_has_the_lock_on_another_machine(action):
    result, told = action(dict(changed=False, holder=dict(ELSEWHERE, **SAID)))
    assert result["failed"] and result["msg"] == TAKEN % "bob@pc" and len(told) == 1


def test_leaves_the_lock_to_a_process_that_lives_here(action, process):
    holder = dict(flask_session.owner_of(process.pid), **SAID)
    result, told = action(dict(changed=False, holder=holder))
    assert result["failed"] and result["msg"] == TAKEN % holder["owner"] and len(told) == 1


def test_takes_the_lock_over_from_a_process_that_has_ended_here(action, process):
    holder = dict(flask_session.owner_of(process.pid), **SAID)
    process.kill()
    process.wait()
    result, told = action(dict(changed=False, holder=holder), dict(changed=True, id="y"))
    assert [arguments["gone"] for arguments in told] == [[], [holder["id"]]]
    assert result["changed"] and "failed" not in result and "holder" not in result


def test_takes_the_lock_over_where_its_process_is_another_one_now(action, process):
    holder = dict(flask_session.owner_of(process.pid), started="Thu Jan  1 00:00:00 1970", **SAID)
    result, told = action(dict(changed=False, holder=holder), dict(changed=False, id="y"))
    assert len(told) == 2 and "failed" not in result


def test_somebody_else_was_faster(action, process):
    holder = dict(flask_session.owner_of(process.pid), started="", **SAID)
    result, dummy = action(dict(changed=False, holder=holder), dict(changed=False, holder=dict(ELSEWHERE, **SAID)))
    assert result["failed"] and result["msg"] == TAKEN % "bob@pc"


def test_a_failure_of_the_module_is_passed_on(action):
    result, dummy = action(dict(failed=True, msg="The disk is full. Nothing was changed."))
    assert result["failed"] and result["msg"] == "The disk is full. Nothing was changed."


def test_an_owner_is_the_same_for_all_tasks_and_another_for_each_process(process):
    mine = flask_session.owner_of(os.getpid())
    assert mine == flask_session.owner_of(os.getpid())
    assert mine["id"] != flask_session.owner_of(process.pid)["id"] and " " not in mine["id"]


def test_one_without_a_name_has_a_number(monkeypatch):
    monkeypatch.setattr(flask_session.getpass, "getuser", lambda: {}["nobody"])
    assert flask_session.user() == "uid %d" % os.getuid()
