# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import stat

import pytest

# the file before, arguments, the file after
CASES = {
    "a new file": ("", {"values": {"A": "1", "B": "b c"}}, "A=1\nB='b c'\n"),
    "a new key": ("A=1\n", {"values": {"B": "2"}}, "A=1\nB=2\n"),
    "another value": ("A=1\nB=2\nC=3\n", {"values": {"B": "x"}}, "A=1\nB=x\nC=3\n"),
    "comments and blank lines stay": (
        "# first\n\nA=1 # why\n\n  # last\n", {"values": {"A": "2"}}, "# first\n\nA=2 # why\n\n  # last\n",
    ),
    "a value that is the same in other quotes stays": (
        "A=\"1 2\"\nB='x'\n", {"values": {"A": "1 2", "B": "x"}}, None,
    ),
    "a value that a shell would split is quoted": ("A=1 2\n", {"values": {"A": "1 2"}}, "A='1 2'\n"),
    "a value that a shell would expand is quoted": (
        'A="$HOME"\n', {"values": {"A": "$HOME"}}, "A='$HOME'\n",
    ),
    "spaces that a shell refuses go": ("A = 1\n", {"values": {"A": "1"}}, "A=1\n"),
    "an export stays": ("export A=1\n", {"values": {"A": "2"}}, "export A=2\n"),
    "a key without a value": ("A\nB=\n", {"values": {"A": "1", "B": ""}}, "A=1\nB=\n"),
    "no newline at the end": ("A=1", {"values": {"B": "2"}}, "A=1\nB=2\n"),
    "an unset key": ("A=1\nB=2\n\n# c\nC=3\n", {"absent": ["B", "X"]}, "A=1\n\n# c\nC=3\n"),
    "a key that is there twice counts last": ("A=1\nB=2\nA=3\n", {"values": {"A": "3"}}, None),
    "a key that is there twice is there once": (
        "A=1\nB=$A\nA=3\n", {"values": {"A": "4"}}, "A=4\nB=$A\n",
    ),
    "both go": ("A=1\nB=2\nA=3\n", {"absent": ["A"]}, "B=2\n"),
    "a value of several lines": ("A='1\n2'\nB=3\n", {"values": {"B": "4"}}, "A='1\n2'\nB=4\n"),
    "carriage returns stay elsewhere": ("A=1\r\nB=2\r\n", {"values": {"B": "3"}}, "A=1\r\nB=3\n"),
    "a carriage return that a shell would read goes": ("A=1\r\n", {"values": {"A": "1"}}, "A=1\n"),
    "what nobody can read stays": ("no = 'thing\nA=1\n", {"values": {"A": "2"}}, "no = 'thing\nA=2\n"),
    "numbers and booleans": (
        "", {"values": {"A": 25, "B": True, "C": 1.5}}, "A=25\nB=true\nC=1.5\n",
    ),
    "a generated key that is there": ("A=secret\n", {"generate": ["A"]}, None),
}


MARK = "# Written by Ansible, and removed once it is not told to write them any more: "
# the file before, arguments, the file after; which then stays
PRUNED = {
    "a new file": ("", {"values": {"B": "1"}, "generate": ["A"]}, "B=1\nA=...\n" + MARK + "A B\n"),
    "a file without a record loses nothing": ("A=1\nB=2\n", {"values": {"B": "2"}}, "A=1\nB=2\n" + MARK + "B\n"),
    "a key that is not asked for any more": (
        "A=1\nB=2\nHAND=3\n" + MARK + "A B\n", {"values": {"B": "2"}}, "B=2\nHAND=3\n" + MARK + "B\n",
    ),
    "the last one": ("A=1\n" + MARK + "A\nHAND=3", {}, "HAND=3\n" + MARK + "\n"),
    "a secret is kept": ("A=x\n" + MARK + "A\n", {"generate": ["A"]}, None),
    "no value can be a record": (
        "A='\n" + MARK + "B\n'\nB=1\n", {"values": {"C": "1"}}, "A='\n" + MARK + "B\n'\nB=1\nC=1\n" + MARK + "C\n",
    ),
}


@pytest.mark.parametrize("case", PRUNED)
def test_removes_what_it_wrote_and_is_not_asked_for_any_more(case, run, tmp_path, monkeypatch):
    monkeypatch.setattr("secrets.token_urlsafe", lambda length: "...")
    before, arguments, after = PRUNED[case]
    path = write(tmp_path, before)
    expected = before if after is None else after
    for changed in (after is not None, False):
        result = run("dotenv", path=str(path), prune=True, **arguments)
        assert (result["changed"], path.read_text()) == (changed, expected)


def test_a_changed_file_is_laid_beside_one_that_is_there(run, tmp_path):
    path, beside = tmp_path / ".env", tmp_path / ".env.next"
    arguments = dict(path=str(path), next=str(beside))
    assert run("dotenv", values={"A": "1"}, **arguments)["changed"]
    assert path.read_text() == "A=1\n" and not beside.exists()  # nothing runs with a file that was not there
    for mode in (True, False):
        result = run("dotenv", values={"A": "2"}, _ansible_check_mode=mode, **arguments)
        assert (result["changed"], result["updated"], path.read_text()) == (True, ["A"], "A=1\n")
        assert beside.exists() != mode
    assert beside.read_text() == "A=2\n" and stat.S_IMODE(beside.stat().st_mode) == 0o640
    path.chmod(0o644)
    assert run("dotenv", values={"A": "1"}, **arguments)["changed"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640 and not beside.exists()
    beside.write_text("A=9\n")
    assert not run("dotenv", values={"A": "1"}, **arguments)["changed"] and not beside.exists()


def write(folder, text):
    path = folder / ".env"
    path.write_bytes(text.encode())
    path.chmod(0o640)
    return path


@pytest.mark.parametrize("case", CASES)
def test_changes_what_is_asked_for_and_nothing_else(case, run, tmp_path):
    before, arguments, after = CASES[case]
    path = write(tmp_path, before)
    expected = before if after is None else after
    for check, changed, text in [(True, after is not None, before), (False, after is not None, expected),
                                 (False, False, expected)]:
        result = run("dotenv", path=str(path), _ansible_check_mode=check, **arguments)
        assert (result["changed"], path.read_bytes().decode()) == (changed, text)


def test_says_which_keys_changed_and_never_their_values(run, tmp_path):
    path = write(tmp_path, "OLD=topsecret0\nKEPT=topsecret1\nGONE=topsecret2\n# topsecret3\n")
    result = run("dotenv", path=str(path), values={"OLD": "topsecret4", "NEW": "topsecret5", "PIN": "7"},
                 absent=["GONE"], generate=["MADE"])
    assert {key: result[key] for key in ("added", "updated", "removed", "generated")} == {
        "added": ["NEW", "PIN", "MADE"], "updated": ["OLD"], "removed": ["GONE"], "generated": ["MADE"],
    }
    assert "KEPT=<hidden>\nGONE=<hidden>\n" in result["diff"]["before"]
    assert "OLD=<hidden>, changed\nKEPT=<hidden>\nNEW=<hidden>\n" in result["diff"]["after"]
    made = path.read_text().split("MADE=")[1].strip()
    assert "topsecret" not in str(result) and made not in str(result)
    assert "'PIN': '7'" not in str(result)


def test_a_result_stays_readable_where_a_value_is_a_common_word(run, tmp_path):
    result = run("dotenv", path=str(tmp_path / ".env"), values={"PAGE1": "A", "PORT": "1", "X": "env"})
    assert result["added"] == ["PAGE1", "PORT", "X"]
    assert result["diff"]["after_header"] == str(tmp_path / ".env")


def test_generates_a_secret_once(run, tmp_path):
    path = write(tmp_path, "EMPTY=\n")
    run("dotenv", path=str(path), generate=["EMPTY", "NEW"])
    made = dict(line.split("=") for line in path.read_text().splitlines())
    assert [len(value) for value in made.values()] == [43, 43] and made["EMPTY"] != made["NEW"]
    again = run("dotenv", path=str(path), generate=["EMPTY", "NEW"])
    assert (again["changed"], again["generated"]) == (False, [])
    assert dict(line.split("=") for line in path.read_text().splitlines()) == made


def test_a_new_file_is_for_its_owner_and_group_only(run, tmp_path):
    path = tmp_path / ".env"
    assert run("dotenv", path=str(path), values={"A": "1"})["changed"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_permissions_are_mended(run, tmp_path):
    path = write(tmp_path, "A=1\n")
    path.chmod(0o644)
    check = run("dotenv", path=str(path), values={"A": "1"}, _ansible_check_mode=True)
    assert check["changed"] and stat.S_IMODE(path.stat().st_mode) == 0o644
    result = run("dotenv", path=str(path), values={"A": "1"})
    assert (result["changed"], result["updated"]) == (True, [])
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert not run("dotenv", path=str(path), values={"A": "1"})["changed"]


def test_no_moment_at_which_others_can_read(run, tmp_path, monkeypatch):
    modes, replace = [], os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (modes.append(os.stat(a).st_mode & 0o777), replace(a, b)))
    monkeypatch.setattr(os, "fsync", lambda file: modes.append(os.fstat(file).st_mode & 0o777))
    run("dotenv", path=str(tmp_path / ".env"), values={"A": "1"}, mode="0600")
    assert modes == [0o600, 0o600]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_owner_and_group_are_kept_or_set(run, tmp_path):
    path = write(tmp_path, "A=1\n")
    os.chown(path, 12345, 23456)
    run("dotenv", path=str(path), values={"A": "2"})
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 23456)
    run("dotenv", path=str(path), values={"A": "2"}, owner="root", group="daemon")
    assert (path.stat().st_uid, path.stat().st_gid) == (0, 1)


def test_a_link_stays_a_link(run, tmp_path):
    (tmp_path / "shared").mkdir()
    write(tmp_path / "shared", "A=1\n")
    (tmp_path / ".env").symlink_to("shared/.env")
    run("dotenv", path=str(tmp_path / ".env"), values={"A": "2"})
    assert (tmp_path / ".env").is_symlink()
    assert (tmp_path / "shared/.env").read_text() == "A=2\n"


def test_a_fresh_host_can_be_checked(run, tmp_path):
    result = run("dotenv", path=str(tmp_path / "none/.env"), values={"A": "1"}, generate=["B"],
                 owner="nobody-yet", group="nobody-yet", _ansible_check_mode=True)
    assert (result["changed"], result["added"]) == (True, ["A", "B"])


REFUSED = {
    "an invalid key": ({"values": {"A-B": "1"}}, "A-B"),
    "a key with a newline": ({"values": {"A\n": "1"}}, "valid key"),
    "an invalid key to generate": ({"generate": ["1A"]}, "1A"),
    "a key that is set and removed": ({"values": {"A": "1"}, "absent": ["A"]}, "A"),
    "a list": ({"values": {"A": ["secret-value"]}}, "A"),
    "null": ({"values": {"A": None}}, "A"),
    "a NUL": ({"values": {"A": "secret-value\0"}}, "A"),
    "a wrong mode": ({"values": {"A": "1"}, "mode": "u=rw"}, "u=rw"),
    "an unknown owner": ({"values": {"A": "1"}, "owner": "nobody-yet"}, "nobody-yet"),
    "a folder that is missing": ({"path": "/nowhere/.env", "values": {"A": "1"}}, "/nowhere/.env"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses_before_anything_is_touched(case, run, tmp_path):
    arguments, text = REFUSED[case]
    path = write(tmp_path, "B=1\n")
    result = run("dotenv", **dict({"path": str(path)}, **arguments))
    assert result["failed"] and text in result["msg"] and "secret-value" not in str(result)
    assert path.read_text() == "B=1\n"


def test_refuses_a_file_whose_quotes_would_swallow_a_key(run, tmp_path):
    before = "A='C:\\'\nB=\"x\n"
    path = write(tmp_path, before)
    result = run("dotenv", path=str(path), values={"SECRET": "it's"})
    assert result["failed"] and "SECRET" in result["msg"]
    assert path.read_text() == before


def test_a_key_that_is_required_has_a_value_in_the_end(run, tmp_path):
    path = write(tmp_path, "A=1\nB=\n")
    (tmp_path / ".env.example").write_text("B=change-me\nexport C='x'\nEMPTY=\nCOMPOSE_PROJECT_NAME=x\n")
    arguments = dict(path=str(path), required_from=[str(tmp_path / "none"), str(tmp_path / ".env.example")])
    result = run("dotenv", required=["A", "D"], **arguments)
    assert "has no value for D, B, C, which the list of required keys or %s/.env.example" % tmp_path in result["msg"]
    assert path.read_text() == "A=1\nB=\n"
    assert run("dotenv", values={"B": "2", "C": "3"}, **arguments)["changed"]
