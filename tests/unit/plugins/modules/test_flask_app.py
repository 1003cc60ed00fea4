# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all flask_* modules do alike: find the application, and keep its secrets."""

from __future__ import annotations

import json
from urllib.parse import quote, quote_plus

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from ansible_collections.selfhost.flask.plugins.module_utils.common.dotenv import edit
from ansible_collections.selfhost.flask.plugins.module_utils.flask.application import OPTIONS, FlaskApp

SECRET = "p%4$#'\"@/ :\\w"


def env(release, **values):
    (release / ".env").write_text(edit("", values, []))


@pytest.mark.parametrize("printed", [
    SECRET,
    quote(SECRET),
    quote(SECRET, safe=""),
    quote_plus(SECRET),
    repr(SECRET),
    json.dumps(SECRET),
    repr(repr(SECRET)),
])
def test_no_spelling_of_a_secret_is_in_a_failure(printed, run, commands, release):
    env(release, DATABASE_URL="mysql+pymysql://blog:%s@localhost/blog" % quote(SECRET, safe=""), SECRET_KEY=SECRET)
    commands.expect((1, "", "before %s after" % printed))
    result = run("flask_command", chdir=str(release), app="blog:app", argv=["x"])
    assert "before " in result["msg"] and " after" in result["msg"]
    assert printed.strip("'\"") not in result["msg"]
    assert "4$#" not in result["msg"] and "%254%24" not in result["msg"]


def test_the_password_of_a_url_is_a_secret_by_itself(run, commands, release):
    env(release, DATABASE_URL="postgresql://blog:s3%40cret@localhost/blog")
    commands.expect((1, "", "password s3@cret for blog@localhost, url s3%40cret"))
    result = run("flask_command", chdir=str(release), app="blog:app", argv=["x"])
    assert "s3" not in result["msg"]
    assert "for blog@localhost" in result["msg"]


def test_the_home_is_that_of_its_programs_and_no_secret(release, monkeypatch):
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda self, name, required: "/sbin/" + name)
    with patch_module_args(dict(chdir=str(release), app="blog:app")):
        module = AnsibleModule(argument_spec=OPTIONS)
    assert FlaskApp(module, user="root").environment["HOME"] == "/root"
    env(release, HOME="/srv/blog/shared/instance")
    app = FlaskApp(module, user="root")
    assert app.environment["HOME"] == "/srv/blog/shared/instance" and not app.pattern.search("in /srv/blog/shared/instance/x")


def test_a_secret_inside_another_one_does_not_uncover_it(run, commands, release):
    env(release, A_KEY="abcdef", B_KEY="abcdefghijk")
    commands.expect((1, "", "it is abcdefghijk"))
    assert "ghijk" not in run("flask_command", chdir=str(release), app="b:a", argv=["x"])["msg"]


def test_everyday_values_stay_readable(run, commands, release):
    env(release, A="1", DEBUG="true", HOST="localhost", NAME=release.name, APP_KEY="blog")
    commands.expect((0, "1 true localhost %s blog:app" % release.name, ""))
    result = run("flask_command", chdir=str(release), app="blog:app", argv=["x"])
    assert result["stdout"] == "1 true localhost %s blog:app" % release.name


def test_a_secret_that_reads_like_an_answer_does_not_disturb_it(run, commands, release):
    env(release, SECRET_KEY="pending", A_KEY="current")
    commands.expect(dict(current=["a1"], desired=["a1"], pending=[], downgrade=False, command="db"))
    assert run("flask_db", chdir=str(release), app="blog:app")["after"] == ["a1"]


def test_only_the_last_lines_are_shown(run, commands, release):
    commands.expect((1, "", "\n".join("line %d" % number for number in range(100))))
    message = run("flask_command", chdir=str(release), app="blog:app", argv=["x"])["msg"]
    assert "line 99" in message and "line 80" in message and "line 79" not in message


def test_another_virtual_environment(run, commands, release):
    (release / ".venv").rename(release / "other")
    commands.expect((0, "", ""))
    run("flask_command", chdir=str(release), app="blog:app", virtualenv=str(release / "other"), argv=["x"])
    assert commands.argv == [[str(release / "other/bin/flask"), "x"]]


@pytest.mark.parametrize("missing", ["", ".venv", ".venv/bin/flask"])
def test_says_what_is_missing(missing, run, commands, tmp_path):
    if missing == ".venv/bin/flask":
        (tmp_path / ".venv/bin").mkdir(parents=True)
        (tmp_path / ".venv/bin/python").touch()
    chdir = tmp_path if missing else tmp_path / "none"
    result = run("flask_info", chdir=str(chdir), app="blog:app")
    assert result["failed"] and "et " in result["msg"]
    assert commands.argv == []


def test_flask_info_returns_what_the_application_answers(run, commands, release):
    commands.expect(dict(flask_version="3.1.0", commands=["run"]))
    result = run("flask_info", chdir=str(release), app="blog:app")
    assert (result["changed"], result["flask_version"], result["commands"]) == (False, "3.1.0", ["run"])
    assert commands.argv == [[str(release / ".venv/bin/python"), "-", "about", "{}"]]


def test_settings_that_are_yet_to_come_win_and_are_secret_as_well(run, commands, release):
    env(release, SECRET_KEY=SECRET, COLOUR="blue")
    (release / "next").write_text("SECRET_KEY=heron4711\nCOLOUR=red\nPATH=/nowhere\nLD_PRELOAD=x\nFLASK_APP=other\n")
    commands.expect(dict(stale=["x.po"], skipped=[], available=False), (1, "", "it is heron4711"),
                    dict(stale=["x.po"], skipped=[], available=True))
    (release / "x/LC_MESSAGES").mkdir(parents=True)
    (release / "x/LC_MESSAGES/x.po").touch()
    result = run("flask_translate", chdir=str(release), app="blog:app", settings=str(release / "next"))
    assert result["failed"] and "heron4711" not in result["msg"]
    given = commands.options[1]["environ_update"]
    assert (given["SECRET_KEY"], given["COLOUR"], given["FLASK_APP"]) == ("heron4711", "red", "blog:app")
    assert not {"PATH", "LD_PRELOAD"} & set(given)


def test_settings_that_are_not_there_change_nothing(run, commands, release):
    env(release, COLOUR="blue")
    (release / "x/LC_MESSAGES").mkdir(parents=True)
    (release / "x/LC_MESSAGES/x.po").touch()
    commands.expect(dict(stale=[], skipped=[], available=False))
    assert not run("flask_translate", chdir=str(release), app="b:a", settings=str(release / "next"))["changed"]
    assert "COLOUR" not in commands.options[0]["environ_update"]


def test_a_line_for_the_shell_has_the_settings_and_the_environments_programs(release):
    env(release, SECRET_KEY=SECRET, PATH="/nowhere", LD_PRELOAD="/x")
    program = release / ".venv/bin/alembic"
    program.write_text('#!/bin/sh\necho "$FLASK_APP $1 <$LD_PRELOAD> in $(pwd)"; [ "$SECRET_KEY" = "$KEY" ] && echo "$SECRET_KEY"\n')
    program.chmod(0o755)
    with patch_module_args(dict(chdir=str(release), app="blog:app")):
        app = FlaskApp(AnsibleModule(argument_spec=OPTIONS), settings={"KEY": SECRET})
    result = app.run_line("cd . && alembic upgrade; exit 3")
    assert (result.argv, result.code) == (["cd . && alembic upgrade; exit 3"], 3)
    assert result.out == "blog:app upgrade <> in %s\n********\n" % release
