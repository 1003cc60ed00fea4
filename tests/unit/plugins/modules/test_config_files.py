# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import grp
import os
import pwd
import stat

import pytest

CHECK = {"_ansible_check_mode": True}
OWNER = {"owner": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name}


@pytest.fixture
def write(run, tmp_path):
    """Runs the module; a file's path is relative to the test's folder."""

    def write(*files, **options):
        files = [dict(OWNER, **dict(file, dest=str(tmp_path / file["dest"]))) for file in files]
        return run("config_files", files=files, **options)

    return write


@pytest.mark.usefixtures("strict_umask")
def test_folders_are_everybody_s_to_enter(write, tmp_path):
    assert write({"dest": "a/b/file", "content": "x"})["changed"]
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b", "a/b/file")] == [0o755, 0o755, 0o644]


@pytest.fixture
def before(tmp_path):
    """What is there before a run."""
    (tmp_path / "file").write_text("old\n")
    (tmp_path / "file").chmod(0o644)
    (tmp_path / "link").symlink_to("old")
    return contents(tmp_path)


def contents(folder):
    """Everything in a folder: a link's target, or a file's mode and text."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = "-> " + os.readlink(path)
        elif path.is_file():
            found[name] = "%o %s" % (stat.S_IMODE(path.stat().st_mode), path.read_text())
    return found


# what is asked for, what is there afterwards instead of before, its diff
CHANGES = {
    "a new file": ({"dest": "new", "content": "a\n"}, {"new": "644 a\n"}, ("", "a\n")),
    "a file in a new folder": ({"dest": "x/y/new", "content": "a"}, {"x/y/new": "644 a"}, ("", "a")),
    "a secret one": ({"dest": "new", "content": "a", "mode": "0600"}, {"new": "600 a"}, ("", "a")),
    "other content": ({"dest": "file", "content": "new\n"}, {"file": "644 new\n"}, ("old\n", "new\n")),
    "another mode": ({"dest": "file", "content": "old\n", "mode": "0640"}, {"file": "640 old\n"}, ("old\n", "old\n")),
    "unicode": ({"dest": "new", "content": "é 日本"}, {"new": "644 é 日本"}, ("", "é 日本")),
    "a new link": ({"dest": "new", "link": "../x"}, {"new": "-> ../x"}, ("", "%s -> ../x\n")),
    "another target": ({"dest": "link", "link": "new"}, {"link": "-> new"}, ("%s -> old\n", "%s -> new\n")),
    "a link instead of a file": ({"dest": "file", "link": "new"}, {"file": "-> new"}, ("old\n", "%s -> new\n")),
    "a file instead of a link": ({"dest": "link", "content": "a"}, {"link": "644 a"}, ("%s -> old\n", "a")),
    "no file": ({"dest": "file", "state": "absent"}, {"file": None}, ("old\n", "")),
    "no link": ({"dest": "link", "state": "absent"}, {"link": None}, ("%s -> old\n", "")),
}


@pytest.mark.parametrize("case", CHANGES)
def test_check_then_run_then_run_again(case, write, before, tmp_path):
    file, changes, diff = CHANGES[case]
    path = str(tmp_path / file["dest"])
    after = {name: text for name, text in {**before, **changes}.items() if text is not None}
    for mode, expected in ((CHECK, before), ({}, after)):
        result = write(file, **mode)
        assert (result["changed"], result["changed_files"]) == (True, [path])
        shown = [text.replace("%s", path) for text in diff]
        assert [result["diff"][0][side] for side in ("before", "after")] == shown
        assert contents(tmp_path) == expected
    for mode in ({}, CHECK):
        result = write(file, **mode)
        assert (result["changed"], result["changed_files"], result["diff"]) == (False, [], [])


def test_what_is_absent_already_stays_so(write, before, tmp_path):
    assert not write({"dest": "nothing", "state": "absent"})["changed"]
    assert contents(tmp_path) == before


SEVERAL = [
    {"dest": "file", "content": "new", "mode": "0600"},
    {"dest": "new", "content": "a"},
    {"dest": "link", "state": "absent"},
    {"dest": "other link", "link": "file"},
]


def test_the_check_sees_all_the_new_files(write, before, tmp_path):
    command = "cd '%s' && test $(cat file) = new && test -e new && test ! -L link && test -L 'other link'" % tmp_path
    assert write(*SEVERAL, validate="sh -c \"%s\"" % command)["changed"]


def test_all_files_are_put_back_where_the_check_fails(write, before, tmp_path):
    result = write(*SEVERAL, validate="sh -c 'echo unknown directive >&2; exit 3'")
    assert result["failed"] and result["changed_files"] == []
    assert "refused the new configuration (exit code 3): unknown directive" in result["msg"]
    assert "put back as they were" in result["msg"]
    assert contents(tmp_path) == before


def test_all_files_are_put_back_where_one_cannot_be_written(write, before, tmp_path):
    result = write(*SEVERAL, {"dest": "file/below", "content": "a"})
    assert result["failed"] and "%s can't be written" % (tmp_path / "file/below") in result["msg"]
    assert contents(tmp_path) == before


def test_check_mode_does_not_run_the_check(write, before, commands):
    assert write({"dest": "file", "content": "new\n"}, validate="false", **CHECK)["changed"]
    assert commands.argv == []


FAILURES = {
    "an unknown owner": ({"dest": "new", "content": "a", "owner": "nobody at all"}, "nobody at all"),
    "an unknown group": ({"dest": "new", "content": "a", "group": "nobody at all"}, "nobody at all"),
    "a mode that is none": ({"dest": "new", "content": "a", "mode": "u=rw"}, "the mode 'u=rw' is no octal number"),
    "a folder": ({"dest": "", "content": "a"}, "is a folder or a device, not a file. Move it away."),
    "content and a link": ({"dest": "new", "content": "a", "link": "b"}, "mutually exclusive"),
    "neither": ({"dest": "new"}, "any of the following are missing: content, link"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_says_what_is_wrong_and_changes_nothing(case, write, before, tmp_path):
    file, text = FAILURES[case]
    result = write({"dest": "file", "content": "new"}, file)
    assert result["failed"] and text in result["msg"]
    assert contents(tmp_path) == before


def test_check_mode_believes_in_an_owner_who_is_yet_to_come(write, before):
    assert write({"dest": "new", "content": "a", "owner": "nobody at all"}, **CHECK)["changed"]


@pytest.mark.parametrize("name, text", [("new", "-> x"), ("file", "644 old\n"), ("link", "-> x")])
def test_what_is_there_is_kept_where_that_is_asked_for(name, text, write, before, tmp_path):
    """`link` leads nowhere, so nothing is there."""
    changed = write({"dest": name, "link": "x", "replace": False})["changed"]
    assert contents(tmp_path) == dict(before, **{name: text})
    assert changed == (name != "file")


def test_the_host_answers_each_time_and_in_check_mode(write, tmp_path):
    ask = "cat %s/new; false" % tmp_path  # whether it fails is for who reads the answer
    assert "stdout" not in write({"dest": "new", "content": "a\n"}, **CHECK)
    assert write({"dest": "new", "content": "a\n"}, ask=ask)["stdout"] == "a\n"
    assert write({"dest": "new", "content": "b\n"}, ask=ask, **CHECK)["stdout"] == "a\n"
    again = write({"dest": "new", "content": "a\n"}, ask=ask)
    assert (again["stdout"], again["changed"]) == ("a\n", False)
