# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that a SQLite file's owner runs, as it is run: in an interpreter of its own."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.common import user_program
from ansible_collections.selfhost.flask.plugins.module_utils.database import sqlite_owner

POSTS = {"tables": {"posts": 2, "alembic_version": 1}, "revision": ["a1"]}


def execute(path, *statements):
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        return [connection.execute(statement).fetchall() for statement in statements][-1]


def make(path, *titles, revision="a1", mode="delete"):
    execute(
        path, "PRAGMA journal_mode = " + mode, "CREATE TABLE posts (title TEXT)",
        "CREATE TABLE alembic_version (version_num TEXT)", "INSERT INTO alembic_version VALUES ('%s')" % revision,
        *("INSERT INTO posts VALUES ('%s')" % title for title in titles),
    )
    return path


def titles(path):
    return [row[0] for row in execute(path, "SELECT title FROM posts ORDER BY rowid")]


@pytest.fixture
def owner():
    """Runs the program; its output, or its exit code and the last line of what it said."""
    program = user_program.program_of(sqlite_owner)

    def owner(path, *arguments, data=b""):
        command = [sys.executable, "-I", "-c", program, str(path), *arguments]
        done = subprocess.run(command, input=data, capture_output=True, check=False)
        return done.stdout if done.returncode == 0 else (done.returncode, done.stderr.decode().splitlines()[-1])

    return owner


def expected(**tables):
    return json.dumps([{name: rows for name, rows in tables.items()}, ["a1"]])


@pytest.fixture
def path(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path / "data/site.db"


def test_says_what_is_in_a_file(owner, path):
    make(path, "one", "two")
    odd = 'CREATE TABLE "odd "" name" (id INTEGER PRIMARY KEY AUTOINCREMENT)'
    execute(path, odd, "CREATE VIEW all_posts AS SELECT 1")
    found = json.loads(owner(path, "about"))
    assert found["tables"] == {"posts": 2, "alembic_version": 1, 'odd " name': 0}
    assert (found["revision"], found["size"]) == (["a1"], path.stat().st_size)


@pytest.mark.parametrize("name", ["a b.db", "100%.db", "%23.db", "why?.db", "#1.db"])
def test_a_file_of_any_name(name, owner, path):
    path = make(path.with_name(name), "one")
    assert json.loads(owner(path, "about"))["tables"]["posts"] == 1
    assert os.listdir(path.parent) == [name]


def test_a_file_that_is_not_there_is_empty_and_is_not_made(owner, path):
    assert json.loads(owner(path, "about")) == {"tables": {}, "revision": [], "size": 0}
    assert owner(path, "copy") == b""
    assert os.listdir(path.parent) == []


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_copy_has_what_was_committed_also_while_others_write(mode, owner, path, tmp_path):
    make(path, "one", mode=mode)
    with contextlib.closing(sqlite3.connect(path)) as writer:
        writer.execute("INSERT INTO posts VALUES ('two')")
        writer.commit()
        writer.execute("INSERT INTO posts VALUES ('not committed')")
        (tmp_path / "copy.db").write_bytes(owner(path, "copy"))
    assert titles(tmp_path / "copy.db") == ["one", "two"]


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_those_who_have_the_file_open_read_the_copy_from_then_on(mode, owner, path):
    make(path, "one", "two", mode=mode)
    copy = owner(path, "copy")
    with contextlib.closing(sqlite3.connect(path)) as reader:
        migrate = ["CREATE TABLE likes (post INTEGER)", "UPDATE alembic_version SET version_num = 'b2'"]
        execute(path, "DELETE FROM posts", *migrate)
        assert reader.execute("SELECT COUNT(*) FROM posts").fetchone() == (0,)
        assert owner(path, "load", "replace", expected(posts=[2, 2], alembic_version=[1, 1]), data=copy) == b""
        assert reader.execute("SELECT title FROM posts").fetchall() == [("one",), ("two",)]
        with pytest.raises(sqlite3.OperationalError, match="no such table: likes"):
            reader.execute("SELECT * FROM likes")
    about = json.loads(owner(path, "about"))
    assert {key: about[key] for key in POSTS} == POSTS


def test_a_copy_becomes_a_file_that_was_not_there(owner, path, tmp_path):
    copy = owner(make(tmp_path / "another.db", "one"), "copy")
    assert owner(path, "load", "replace", expected(posts=[1, 1], alembic_version=[1, 1]), data=copy) == b""
    assert titles(path) == ["one"]


# what was said of a copy that has two posts, and what is said where that is not so
UNEXPECTED = {
    "fewer rows": (expected(posts=[1, 1], alembic_version=[1, 1]), "posts has 2 rows instead of 1"),
    "more rows": (expected(posts=[4, 4], alembic_version=[1, 1]), "posts has 2 rows instead of 4"),
    "another table": (expected(posts=[2, 2], alembic_version=[1, 1], likes=[0, 0]), "other tables"),
    "no such table": (expected(alembic_version=[1, 1]), "other tables"),
    "another revision": (json.dumps([{"posts": [2, 2], "alembic_version": [1, 1]}, ["b2"]]), "another revision"),
}


@pytest.mark.parametrize("case", UNEXPECTED)
def test_a_copy_that_is_not_what_was_said_of_it_replaces_nothing(case, owner, path, tmp_path):
    said, message = UNEXPECTED[case]
    copy = owner(make(tmp_path / "another.db", "three", "four"), "copy")
    make(path, "one")
    code, last = owner(path, "load", "replace", said, data=copy)
    assert code == 1 and message in last
    assert titles(path) == ["one"] and os.listdir(path.parent) == [path.name]


def test_rows_that_came_while_the_copy_was_made_are_no_difference(owner, path):
    copy = owner(make(path, "one", "two"), "copy")
    for rows in ([1, 2], [2, 1], [2, 5], [0, 9]):
        assert owner(path, "load", "scratch", expected(posts=rows, alembic_version=[1, 1]), data=copy) == b""


@pytest.mark.parametrize("damage", [
    lambda copy: copy[:5000], lambda copy: b"no database" * 1000, lambda copy: b"",
], ids=["cut off", "something else", "empty"])
def test_a_damaged_copy_replaces_nothing(damage, owner, path):
    copy = owner(make(path, *["x" * 500] * 50), "copy")
    said = expected(posts=[50, 50], alembic_version=[1, 1])
    assert owner(path, "load", "replace", said, data=damage(copy))[0] == 1
    assert len(titles(path)) == 50 and os.listdir(path.parent) == [path.name]


def test_from_scratch_only_looks(owner, path):
    copy = owner(make(path, "one"), "copy")
    execute(path, "INSERT INTO posts VALUES ('two')")
    assert owner(path, "load", "scratch", expected(posts=[1, 1], alembic_version=[1, 1]), data=copy) == b""
    assert titles(path) == ["one", "two"]


def test_copies_are_on_the_disk_of_the_file_and_what_a_killed_process_left_there_goes(path):
    make(path, "one")
    left = path.parent / ".selfhost-4194304-x"  # one more than the highest process that there can be
    left.mkdir()
    with sqlite_owner.copied(str(path)) as copy:
        assert os.path.dirname(os.path.dirname(copy)) == str(path.parent)
        assert titles(copy) == ["one"] and not left.exists()
    assert os.listdir(path.parent) == [path.name]


def test_an_empty_database_whose_folder_is_not_there_needs_nothing(owner, tmp_path):
    assert owner(tmp_path / "no/site.db", "load", "replace", "[{}, []]") == b""
