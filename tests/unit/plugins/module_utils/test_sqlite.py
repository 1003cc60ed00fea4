# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps of SQLite, made and restored for real."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import sqlite3

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import DatabaseError, read_manifest
from ansible_collections.selfhost.flask.plugins.module_utils.database.sqlite import SQLite


@pytest.fixture
def posts(tmp_path, runuser):
    """A file with posts."""
    database = SQLite(str(tmp_path / "blog.db"), "blog")
    change(
        database, "CREATE TABLE posts (title TEXT)", "INSERT INTO posts VALUES ('one'), ('two')",
        "CREATE TABLE alembic_version (version_num TEXT)", "INSERT INTO alembic_version VALUES ('a1')",
    )
    return database


def change(database, *statements):
    with contextlib.closing(sqlite3.connect(database.name)) as connection, connection:
        return [connection.execute(statement).fetchall() for statement in statements][-1]


MIGRATE = [
    "DELETE FROM posts WHERE title = 'two'", "CREATE TABLE likes (post INTEGER)",
    "UPDATE alembic_version SET version_num = 'b2'",
]


def rewrite(path, **changes):
    """Changes what a dump says of itself."""
    with open(path + ".json", encoding="utf-8") as file:
        manifest = json.load(file)
    with open(path + ".json", "w", encoding="utf-8") as file:
        json.dump(dict(manifest, **changes), file)


def test_a_dump_says_what_is_in_it_and_root_alone_reads_it(posts, tmp_path, runuser):
    manifest = posts.dump(str(tmp_path / "dump"), reason="before a migration")
    assert read_manifest(str(tmp_path / "dump")) == manifest
    about = {key: manifest[key] for key in ("kind", "database", "revision", "tables", "reason")}
    assert about == dict(
        kind="sqlite", database=posts.name, revision=["a1"], reason="before a migration",
        tables={"posts": [2, 2], "alembic_version": [1, 1]},
    )
    packed = tmp_path / "dump.gz"
    assert manifest["bytes"] == packed.stat().st_size
    assert {oct(path.stat().st_mode)[-3:] for path in tmp_path.glob("dump.*")} == {"600"}
    assert gzip.decompress(packed.read_bytes()).startswith(b"SQLite format 3\0")
    assert runuser() == {"blog"}


def test_its_shape_is_revision_tables_and_columns(posts):
    shape = {"posts": {"title": "TEXT"}, "alembic_version": {"version_num": "TEXT"}}
    assert posts.shape() == {"revision": ["a1"], "tables": shape}
    os.unlink(posts.name)
    assert posts.shape() == {"revision": [], "tables": {}}


def test_a_restored_database_is_as_it_was(posts, tmp_path):
    path = str(tmp_path / "dump")
    posts.dump(path)
    change(posts, *MIGRATE)
    assert posts.restore(path)["revision"] == ["a1"]
    assert (posts.tables(), posts.revision()) == ({"posts": 2, "alembic_version": 1}, ["a1"])
    assert change(posts, "SELECT title FROM posts") == [("one",), ("two",)]


def test_a_restoration_to_see_whether_it_could_be_done_changes_nothing(posts, tmp_path):
    posts.dump(str(tmp_path / "dump"))
    change(posts, *MIGRATE)
    posts.restore(str(tmp_path / "dump"), scratch=True)
    assert (posts.tables()["posts"], posts.revision()) == (1, ["b2"])


def test_a_database_that_was_not_there_is_empty_again(posts, tmp_path):
    database = SQLite(str(tmp_path / "new.db"), "blog")
    assert (database.tables(), database.revision(), database.size()) == ({}, [], 0)
    database.dump(str(tmp_path / "dump"))
    change(database, "CREATE TABLE posts (title TEXT)")
    database.restore(str(tmp_path / "dump"))
    assert database.tables() == {}


# how a dump is damaged, and what is then said
DAMAGES = {
    "cut off": (lambda path: os.truncate(path + ".gz", 100), "is damaged: its checksum"),
    "no content": (lambda path: os.unlink(path + ".gz"), "No such file"),
    "no end": (lambda path: os.unlink(path + ".json"), "is no complete dump"),
    "half an end": (lambda path: os.truncate(path + ".json", 20), "is no complete dump"),
    "of another kind": (lambda path: rewrite(path, kind="mysql"), "is a dump of mysql, and the database is sqlite"),
    "another revision": (lambda path: rewrite(path, revision=["c3"]), "another revision than was said"),
    "another number of rows": (
        lambda path: rewrite(path, tables={"posts": [7, 7], "alembic_version": [1, 1]}),
        "posts has 2 rows instead of 7",
    ),
    "another table": (lambda path: rewrite(path, tables={"posts": [2, 2]}), "other tables"),
}


@pytest.mark.parametrize("scratch", [False, True], ids=["restore", "try"])
@pytest.mark.parametrize("case", DAMAGES)
def test_a_damaged_dump_changes_nothing(case, scratch, posts, tmp_path):
    damage, said = DAMAGES[case]
    posts.dump(str(tmp_path / "dump"))
    change(posts, *MIGRATE)
    damage(str(tmp_path / "dump"))
    with pytest.raises((DatabaseError, CommandError, OSError), match=said):
        posts.restore(str(tmp_path / "dump"), scratch=scratch)
    assert (posts.tables()["posts"], posts.revision()) == (1, ["b2"])


def test_a_file_that_is_no_database_is_an_error_and_no_dump(posts, tmp_path):
    with open(posts.name, "wb") as file:
        file.write(b"no database" * 1000)
    with pytest.raises(CommandError, match="file is not a database"):
        posts.dump(str(tmp_path / "dump"))
    assert list(tmp_path.glob("dump*")) == []


def test_a_copy_that_fails_on_its_way_has_no_manifest(posts, tmp_path, monkeypatch):
    monkeypatch.setattr(posts, "_argv", lambda *words: ["sh", "-c", "echo half a copy; echo no space >&2; exit 3"])
    monkeypatch.setattr(posts, "tables", lambda: {})
    monkeypatch.setattr(posts, "revision", lambda: [])
    with pytest.raises(CommandError, match="exit code 3: no space"):
        posts.dump(str(tmp_path / "dump"))
    assert not (tmp_path / "dump.json").exists()
