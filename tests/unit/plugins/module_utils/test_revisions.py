# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.flask.revisions import (
    Revision,
    compare_revisions,
    heads,
    in_order,
    read_revision,
    revisions,
)

# the source of a migration, and what it says
MIGRATIONS = {
    '"""users\n\nRevision ID: a\n"""\nrevision = "a"\ndown_revision = None': ("a", (), "users"),
    "revision: str = 'b'\ndown_revision: Union[str, None] = 'a'": ("b", ("a",), ""),
    "revision = 'c'\ndown_revision = ('a', 'b')": ("c", ("a", "b"), ""),
    "revision = 'c'\ndown_revision = ['a', 'b']\ndepends_on = 'x'": ("c", ("a", "b", "x"), ""),
    "revision = 'd'\ndown_revision = unknown()\ndel x": ("d", (), ""),
    "revision: str\ndef upgrade():\n    revision = 'x'": None,
    "": None,
}


@pytest.mark.parametrize("source", MIGRATIONS)
def test_a_migration_is_read_without_running_it(source):
    wanted = MIGRATIONS[source]
    assert read_revision(source, "x.py") == (wanted and Revision(*wanted, "x.py"))


def test_the_migrations_of_a_tree_are_found(tree, fill, tmp_path):
    fill(**{
        "migrations__versions__a_users.py": "revision = 'a'",
        "migrations__versions____init__.py": "",
        "migrations__versions__notes.txt": "revision = 'n'",
        "migrations__versions__broken.py": "revision = = 'x'",
    })
    (tmp_path / "outside.py").write_text("revision = 's3cret'")
    (tmp_path / "tree/migrations/versions/link.py").symlink_to(tmp_path / "outside.py")
    found, unreadable = revisions(tree, "migrations")
    assert found == {"a": Revision("a", (), "", "migrations/versions/a_users.py")}
    assert unreadable == ["migrations/versions/broken.py"]


def known(**parents):
    """Revisions by their name and the names of those before them."""
    return {name: Revision(name, tuple(parents[name]), "", "") for name in parents}


LINE = known(a="", b="a", c="b", d="c")
BRANCHES = known(a="", b="a", x="a", c="b", m="cx")


@pytest.mark.parametrize("before, after, present, pending, undone", [
    ({}, LINE, "", "abcd", ""),
    (LINE, LINE, "d", "", ""),
    (LINE, LINE, "b", "cd", ""),
    ({}, LINE, "b", "cd", ""),
    (LINE, known(a="", b="a"), "d", "", "dc"),
    (LINE, known(a="", b="a", x="b"), "d", "x", "dc"),
    ({}, known(a=""), "z", "a", "z"),
    (LINE, known(d="", e="d"), "d", "e", ""),
    ({}, BRANCHES, "b", "cxm", ""),
    ({}, BRANCHES, "cx", "m", ""),
    ({}, known(b="missing"), "b", "", ""),
])
def test_what_lies_between_revisions_is_found(before, after, present, pending, undone):
    found = compare_revisions(before, after, list(present))
    assert "".join(item["revision"] for item in found["pending"]) == pending
    assert "".join(item["revision"] for item in found["undone"]) == undone


def test_revisions_that_wait_for_each_other_end_too():
    assert in_order(known(a="b", b="a", c="b"), "abc") == ["a", "b", "c"]


def test_a_long_line_of_revisions_is_no_trouble():
    names = ["%04d" % number for number in range(1500)]
    line = {name: Revision(name, (parent,), "", "") for name, parent in zip(names, ["", *names])}
    assert in_order(line, names) == names


def test_heads_are_what_nothing_builds_upon():
    assert (heads(BRANCHES), heads(known(a="", b="a", x="a")), heads({})) == (["m"], ["b", "x"], [])
