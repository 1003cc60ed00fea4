# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

APP = "blog:create_app()"
FIRST = {"revision": "a1", "message": "users"}
SECOND = {"revision": "b2", "message": "posts"}
UNDONE = dict(SECOND, reversible=True)


def state(current, desired, pending=(), downgrade=False, command="db"):
    return dict(
        current=current, desired=desired, pending=list(pending), downgrade=downgrade, command=command
    )


NEW = state([], ["b2"], [FIRST, SECOND])
OLD = state(["a1"], ["b2"], [SECOND])
DONE = state(["b2"], ["b2"])
BEYOND = state(["b2"], ["a1"], [UNDONE], downgrade=True)
AT_FIRST = state(["a1"], ["a1"])

UPGRADE = ["db", "upgrade", "--directory", "migrations", "head"]

# arguments, what the application and the commands answer, flask's arguments, changed, before, after
CASES = {
    "a new database": ({}, [NEW, (0, "", ""), DONE], UPGRADE, True, [], ["b2"]),
    "an old one": ({}, [OLD, (0, "", ""), DONE], UPGRADE, True, ["a1"], ["b2"]),
    "a current one": ({}, [DONE], None, False, ["b2"], ["b2"]),
    "check mode": ({"_ansible_check_mode": True}, [OLD], None, True, ["a1"], ["b2"]),
    "check mode, current": ({"_ansible_check_mode": True}, [DONE], None, False, ["b2"], ["b2"]),
    "a revision and a folder": (
        {"revision": "a1", "directory": "db/versions"},
        [state([], ["a1"], [FIRST]), (0, "", ""), AT_FIRST],
        ["db", "upgrade", "--directory", "db/versions", "a1"],
        True,
        [],
        ["a1"],
    ),
    "a downgrade": (
        {"revision": "a1", "allow_downgrade": True},
        [BEYOND, (0, "", ""), AT_FIRST],
        ["db", "downgrade", "--directory", "migrations", "a1"],
        True,
        ["b2"],
        ["a1"],
    ),
    "another name of the command": (
        {},
        [dict(OLD, command="migrate"), (0, "", ""), DONE],
        ["migrate", "upgrade", "--directory", "migrations", "head"],
        True,
        ["a1"],
        ["b2"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_moves_the_database_to_the_revision(case, run, commands, release):
    arguments, answers, flask, changed, before, after = CASES[case]
    commands.expect(*answers)
    result = run("flask_db", chdir=str(release), app=APP, **arguments)
    assert (result["changed"], result["before"], result["after"]) == (changed, before, after)
    assert result["pending"] == answers[0]["pending"]
    ran = [argv[1:] for argv in commands.argv if argv[0] == str(release / ".venv/bin/flask")]
    assert ran == ([flask] if flask else [])
    assert not commands.answers


def test_asks_in_the_release_with_its_interpreter(run, commands, release):
    commands.expect(DONE)
    run("flask_db", chdir=str(release), app=APP)
    question = '{"directory": "migrations", "revision": "head"}'
    assert commands.argv == [[str(release / ".venv/bin/python"), "-", "database", question]]
    options = commands.options[0]
    assert options["cwd"] == str(release)
    assert options["path_prefix"] == str(release / ".venv/bin")
    assert options["environ_update"]["FLASK_APP"] == APP
    assert "def database(" in options["data"]


def test_shows_the_revisions_in_the_diff(run, commands, release):
    commands.expect(NEW)
    result = run("flask_db", chdir=str(release), app=APP, _ansible_check_mode=True)
    assert result["diff"] == {"before": "revision: base\n", "after": "revision: b2\napply a1 users\napply b2 posts\n"}


FAILURES = {
    "a downgrade that is not allowed": (
        {"revision": "a1"}, [BEYOND], ["at revision b2, beyond a1", "allow_downgrade"],
    ),
    "a migration that fails": (
        {}, [NEW, (1, "", "duplicate column likes"), OLD],
        ["`flask db upgrade --directory migrations head` ended with exit code 1", "at revision base and is at a1 now",
         "duplicate column likes"],
    ),
    "a migration that takes the database with it": (
        {}, [OLD, (1, "", "server has gone away"), {"problem": "can't be reached"}],
        ["at revision a1 and is at an unknown one now", "server has gone away"],
    ),
    "an environment without the command": (
        {}, [NEW, (2, "", "Error: No such command 'db'."), NEW], ["has no command `flask db`", "Add Flask-Migrate to the"],
    ),
    "a command that does nothing": ({}, [OLD, (0, "", ""), OLD], ["at a1 now, not at b2"]),
    "what the application lacks": ({}, [{"problem": "no Flask-Migrate"}], ["no Flask-Migrate"]),
    "an application that does not start": (
        {}, [(1, "", "ImportError: no flask_login")], ["exit code 1", APP, "no flask_login"],
    ),
}


@pytest.mark.parametrize("case", FAILURES)
def test_says_what_failed(case, run, commands, release):
    arguments, answers, texts = FAILURES[case]
    commands.expect(*answers)
    result = run("flask_db", chdir=str(release), app=APP, **arguments)
    assert result["failed"]
    assert [text for text in texts if text not in result["msg"]] == []


def test_returns_where_a_failed_migration_left_the_database(run, commands, release):
    commands.expect(NEW, (1, "", "boom"), OLD)
    result = run("flask_db", chdir=str(release), app=APP)
    assert (result["before"], result["after"], result["rc"]) == ([], ["a1"], 1)
