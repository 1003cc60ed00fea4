# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import (
    DatabaseError,
    compare,
    compare_counts,
    differences,
)

MANIFEST = {"tables": {"posts": [2, 3], "users": [4, 4]}, "revision": ["b2", "a1"]}


@pytest.mark.parametrize("posts", [0, 2, 3, 9])
def test_a_table_that_was_written_to_meanwhile_has_any_number_of_rows(posts):
    compare(MANIFEST, {"posts": posts, "users": 4}, ["a1", "b2"])


@pytest.mark.parametrize("tables, revision, said", [
    ({"posts": 2, "users": 5}, ["a1", "b2"], "users has 5 rows instead of 4"),
    ({"posts": 2}, ["a1", "b2"], "users is missing"),
    ({"posts": 2, "users": 4, "likes": 0}, ["a1", "b2"], "likes should not be there"),
    ({"posts": 2, "users": 4}, ["b2"], "the revision is b2 instead of b2, a1"),
    ({"posts": 0, "users": 0}, [], "users has 0 rows instead of 4; the revision"),
])
def test_what_differs_is_named(tables, revision, said):
    with pytest.raises(DatabaseError, match=re.escape(said)):
        compare(MANIFEST, tables, revision)


@pytest.mark.parametrize("now, said", [
    ({"posts": 3, "users": 4, "alembic_version": 2}, ""),
    ({"posts": 5, "users": 3}, "+2 in posts, -1 in users"),
    ({"posts": 3, "users": 4, "likes": 7}, "+7 in likes"),
])
def test_how_many_rows_there_are_more_by_table(now, said):
    assert compare_counts(MANIFEST["tables"], now) == said


SHAPE = {"revision": ["a1"], "tables": {"posts": {"id": "int(11)", "body": "text"}, "users": {"id": "int(11)"}}}


@pytest.mark.parametrize("changes, said", [
    ({}, []),
    ({"revision": ["b2"]}, ["the revision is b2 instead of a1"]),
    ({"revision": []}, ["the revision is none instead of a1"]),
    ({"posts": {"id": "int(11)"}}, ["posts has lost the column body"]),
    ({"posts": {"id": "int(11)", "body": "text", "likes": "int(11)"}}, ["posts has the new column likes"]),
    ({"posts": {"id": "int(11)", "body": "blob"}}, ["the column body of posts is blob instead of text"]),
    ({"users": None, "likes": {}}, ["the table likes is new", "the table users is gone"]),
])
def test_what_of_revision_tables_and_columns_is_another_is_named(changes, said):
    changes = dict(changes)
    after = {"revision": changes.pop("revision", ["a1"])}
    tables = dict(SHAPE["tables"], **changes)
    after["tables"] = {name: columns for name, columns in tables.items() if columns is not None}
    assert differences(SHAPE, after) == said
