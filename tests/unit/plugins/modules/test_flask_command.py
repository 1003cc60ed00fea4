# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

CHECK = {"_ansible_check_mode": True}

# arguments, output (None: not run), changed, skipped
CASES = {
    "without a rule it changed": ({}, "", True, False),
    "creates something that is there": ({"creates": "here"}, None, False, False),
    "creates something that is not": ({"creates": "gone"}, "", True, False),
    "removes something that is there": ({"removes": "here"}, "", True, False),
    "removes something that is not": ({"removes": "gone"}, None, False, False),
    "the pattern of a change": ({"changed_pattern": "^[1-9]\\d* added$"}, "x\n3 added\n", True, False),
    "not the pattern of a change": ({"changed_pattern": "^[1-9]\\d* added$"}, "x\n0 added\n", False, False),
    "the pattern of no change": ({"unchanged_pattern": "already"}, "is already there", False, False),
    "not the pattern of no change": ({"unchanged_pattern": "already"}, "made it", True, False),
    "check mode without a rule": (CHECK, None, False, True),
    "check mode with a pattern": ({"changed_pattern": "x", **CHECK}, None, False, True),
    "check mode, to be created": ({"creates": "gone", **CHECK}, None, True, False),
    "check mode, created": ({"creates": "here", **CHECK}, None, False, False),
    "check mode, to be removed": ({"removes": "here", **CHECK}, None, True, False),
}


@pytest.mark.parametrize("case", CASES)
def test_runs_and_tells_what_changed(case, run, commands, release):
    arguments, output, changed, skipped = CASES[case]
    (release / "here").touch()
    commands.expect((0, output, ""))
    result = run("flask_command", chdir=str(release), app="blog:app", argv=["user", "add", "a b"], **arguments)
    assert (result["changed"], result.get("skipped", False)) == (changed, skipped)
    expected = [] if output is None else [[str(release / ".venv/bin/flask"), "user", "add", "a b"]]
    assert commands.argv == expected
    if output is not None:
        assert (result["rc"], result["stdout"], result["stderr"]) == (0, output, "")


def test_a_failure_names_the_command(run, commands, release):
    commands.expect((3, "", "no such user"))
    result = run("flask_command", chdir=str(release), app="blog:app", argv=["user", "drop"])
    assert result["rc"] == 3
    assert "`flask user drop` ended with exit code 3" in result["msg"] and "no such user" in result["msg"]


def test_a_traceback_through_packages_does_not_hide_the_cause(run, commands, release):
    frames = ['  File "/srv/blog/venvs/1/lib/python3.11/site-packages/click/core.py", line %d, in invoke\n    x()\n    ^^^' % n for n in range(9)]
    own = '  File "/srv/blog/releases/v1/app/cli.py", line 40, in compile\n    raise RuntimeError("compile command failed")'
    said = "\n".join(["ModuleNotFoundError: No module named 'distutils'", *frames, own, "RuntimeError: compile command failed"])
    commands.expect((1, "", said))
    result = run("flask_command", chdir=str(release), app="blog:app", argv=["translate", "compile"])
    assert "No module named 'distutils'" in result["msg"] and "line 40" in result["msg"] and "click" not in result["msg"]


def test_a_wrong_pattern_is_refused_before_anything_runs(run, commands, release):
    result = run("flask_command", chdir=str(release), app="blog:app", argv=["x"], changed_pattern="(")
    assert result["failed"] and "changed_pattern" in result["msg"]
    assert commands.argv == []
