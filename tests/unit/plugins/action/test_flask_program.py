# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command of the application's program prints is read by a person."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.selfhost.flask.plugins.action import flask_program
from ansible_collections.selfhost.flask.plugins.action.flask_program import ActionModule


@pytest.fixture
def shown(monkeypatch):
    """What was displayed."""
    texts = []
    monkeypatch.setattr(flask_program.Display, "display", lambda self, text, *args, **kwargs: texts.append(text))
    return texts


@pytest.fixture
def run(monkeypatch, shown):
    """Runs the task; the command's answer is given."""

    def run(answer, check_mode=False, **arguments):
        asked = []
        task = SimpleNamespace(async_val=0, args=dict(dict(name="blog", command="logs"), **arguments), check_mode=check_mode, diff=False)
        action = ActionModule(task, SimpleNamespace(_shell=SimpleNamespace(tmpdir="")), SimpleNamespace(), None, None, None)
        monkeypatch.setattr(action, "_execute_module", lambda *words, **options: asked.append((task.check_mode, words)) or answer)
        return action.run(task_vars=dict(inventory_hostname="blog.example.com")), asked

    return run


def test_the_lines_are_shown_as_they_are(run, shown):
    result, asked = run(dict(rc=0, stdout="'a': \"b\"\n\n- c", stderr="d"))
    assert shown == ["\nblog.example.com (blog)\n  'a': \"b\"\n  \n  - c\n  d"]
    assert (result["rc"], result["changed"], result["lines"]) == (0, True, ["'a': \"b\"", "", "- c", "d"]) and "failed" not in result
    assert asked == [(False, ("ansible.builtin.command", dict(cmd="/usr/local/sbin/flask-blog logs", expand_argument_vars=False)))]


def test_a_command_without_a_word_says_so(run, shown):
    assert run(dict(rc=0, stdout="", stderr=""), changes=False)[0]["changed"] is False
    assert shown == ["\nblog.example.com (blog)\n  It printed nothing."]


@pytest.mark.parametrize("changes, runs", [(True, 0), (False, 1)])
def test_check_mode_runs_what_only_looks(changes, runs, run):
    result, asked = run(dict(rc=0, stdout="x", stderr=""), check_mode=True, changes=changes)
    assert len(asked) == runs and bool(result.get("skipped")) == (not runs)
    assert all(not check_mode for check_mode, dummy in asked)


@pytest.mark.parametrize("command, answer, said", [
    ("flask seed", dict(rc=2, stdout="", stderr="Error: No such command 'seed'."), "flask_command=--help"),
    ("restart", dict(rc=2, stdout="", stderr="No such command"), "selfhost.flask.site"),
    ("restart", dict(rc=2, failed=True, msg="[Errno 2] No such file or directory"), "selfhost.flask.site"),
    ("restart", dict(rc=2, failed=True, msg="Error executing command."), "selfhost.flask.site"),
    ("flask routes", dict(rc=1, stdout="", stderr="Traceback"), "ended with exit code 1 on blog.example.com"),
])
def test_a_failure_says_what_to_do(command, answer, said, run):
    result, dummy = run(answer, command=command)
    assert result["failed"] and said in result["msg"]


@pytest.mark.parametrize("answer", [
    dict(failed=True, msg="The connection was closed"),
    dict(failed=True, rc=1, module_stdout="", module_stderr="sudo: a password is required", msg="No start of json char found"),
])
def test_a_command_that_could_not_be_run_is_said_by_ansible(answer, run, shown):
    assert run(answer)[0].items() >= answer.items() and not shown


def test_no_visitor_commands_the_terminal_by_a_log(run, shown):
    run(dict(rc=0, stdout="a\tß\x1b]0;owned\x07", stderr=""))
    assert shown == ["\nblog.example.com (blog)\n  a\tß\ufffd]0;owned\ufffd"]
