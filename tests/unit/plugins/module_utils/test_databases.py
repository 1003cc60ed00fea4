# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several databases in one dump: made and restored for real, by SQLite files."""

from __future__ import annotations

import contextlib
import json
import sqlite3

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import DatabaseError, compare_now
from ansible_collections.selfhost.flask.plugins.module_utils.database.drivers import databases_at
from ansible_collections.selfhost.flask.plugins.module_utils.database.several import pairs_of
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.transaction import Transaction
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site


def execute(path, *statements):
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        return [connection.execute(statement).fetchall() for statement in statements][-1]


@pytest.fixture
def names(tmp_path, runuser):
    """Two files, of which one is under migrations."""
    found = [str(tmp_path / name) for name in ("shop.db", "log.db")]
    execute(found[0], "CREATE TABLE post (title TEXT)", "INSERT INTO post VALUES ('one'), ('two')",
            "CREATE TABLE alembic_version (version_num TEXT)", "INSERT INTO alembic_version VALUES ('a1')")
    execute(found[1], "CREATE TABLE post (line TEXT)", "INSERT INTO post VALUES (hex(randomblob(2000000)))")
    return found


def several(*names):
    return databases_at([["sqlite", name] for name in names], "shop")


def lose(names):
    for name in names:
        execute(name, "DELETE FROM post")


def posts(names):
    return [execute(name, "SELECT COUNT(*) FROM post")[0][0] for name in names]


def test_all_are_copied_and_brought_back_together(names, tmp_path):
    manifest = several(*names).dump(str(tmp_path / "dump"), reason="a test")
    assert (manifest["kind"], manifest["revision"]) == ("several", ["a1"])
    assert sum(after for dummy, after in manifest["tables"].values()) == 4
    lose(names)
    assert compare_now(manifest, several(*names)) == "-2 in post, -1 in post"
    several(*names).restore(str(tmp_path / "dump"), scratch=True)
    assert posts(names) == [0, 0]
    several(*names).restore(str(tmp_path / "dump"))
    assert posts(names) == [2, 1]


def test_a_dump_of_one_is_what_it_was_before_there_could_be_several(names, tmp_path):
    manifest = several(names[0]).dump(str(tmp_path / "dump"))
    assert (manifest["kind"], manifest["database"]) == ("sqlite", names[0]) and "parts" not in manifest
    lose(names)
    several(*reversed(names[:1])).restore(str(tmp_path / "dump"))
    assert posts(names) == [2, 0]


def test_one_of_several_in_a_dump_can_be_brought_back_alone(names, tmp_path):
    several(*names).dump(str(tmp_path / "dump"))
    lose(names)
    several(names[1]).restore(str(tmp_path / "dump"))
    assert posts(names) == [0, 1]


def test_a_dump_without_one_of_them_restores_nothing(names, tmp_path):
    several(names[0]).dump(str(tmp_path / "dump"))
    lose(names)
    with pytest.raises(DatabaseError, match="is a dump of sqlite, and the database is"):
        several(*names).restore(str(tmp_path / "dump"))
    assert posts(names) == [0, 0]


def test_a_file_by_another_path_is_the_same_one_where_it_is_the_only_one(names, tmp_path):
    several(names[0]).dump(str(tmp_path / "dump"))
    moved = str(tmp_path / "moved.db")
    several(moved).restore(str(tmp_path / "dump"))
    assert posts([moved]) == [2]


def test_a_part_that_is_not_what_was_said_stops_the_restoration(names, tmp_path):
    several(*names).dump(str(tmp_path / "dump"))
    about = json.loads((tmp_path / "dump.json").read_text())
    about["parts"][1]["tables"] = {"other": [0, 0]}
    (tmp_path / "dump.json").write_text(json.dumps(about))
    with pytest.raises(CommandError, match="other tables"):
        several(*names).restore(str(tmp_path / "dump"))


@pytest.mark.parametrize("journal", [
    dict(databases=[["mysql", "shop"]]), dict(database=["mysql", "shop"]), dict(database=["mysql", "shop"], databases=[]),
])
def test_a_journal_of_the_version_before_is_understood(journal, tmp_path):
    found = Transaction(Site("shop", str(tmp_path), ""), journal)._database()
    assert pairs_of(found) == [["mysql", "shop"]]
