# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest

from ansible_collections.selfhost.flask.plugins.module_utils._plan import (
    Revision,
    Tree,
    assigned_keys,
    compare_keys,
    compare_requirements,
    compare_revisions,
    example_keys,
    heads,
    in_order,
    normalised,
    printable,
    project_dependencies,
    read_revision,
    requirements,
    revisions,
)


@pytest.fixture
def tree(tmp_path):
    """An empty tree."""
    (tmp_path / "tree").mkdir()
    return Tree(str(tmp_path / "tree"), str(tmp_path / "tree"))


def fill(tree, **files):
    """Files of a tree by their name, in which __ stands for a slash, and their text."""
    for name, text in files.items():
        folder, dummy, name = name.rpartition("__")
        path = "%s/%s" % (tree.folder, folder.replace("__", "/"))
        os.makedirs(path, exist_ok=True)
        with open("%s/%s" % (path, name), "w", encoding="utf-8") as file:
            file.write(text)


# a requirement as it is written, and in the one spelling
SPELLINGS = {
    "Flask": "flask",
    "Flask_SQLAlchemy == 3.1": "flask-sqlalchemy==3.1",
    "ruamel.yaml<1, >= 0.17": "ruamel-yaml<1,>=0.17",
    "requests [socks, security] >= 2": "requests[socks,security]>=2",
    "foo (>=1.0)": "foo>=1.0",
    'foo==1 ; python_version < "3.9"': 'foo==1; python_version < "3.9"',
    "foo==1 --hash=sha256:00 --hash=sha256:11": "foo==1",
    "foo @ https://git.example.com/foo.zip": "foo @ https://git.example.com/foo.zip",
    "foo@https://ana:s3cret@example.com/foo.zip?token=s3cret": "foo @ https://example.com/foo.zip",
    "git+https://s3cret@example.com/foo@v1#egg=foo": "git+https://example.com/foo@v1#egg=foo",
    "-e ./vendor/foo": "-e ./vendor/foo",
    "--editable=git+ssh://git@example.com/foo#egg=foo": "-e git+ssh://example.com/foo#egg=foo",
    "./vendor/foo": "./vendor/foo",
    "foo==1\x1b[31m": "foo==1[31m",
}


@pytest.mark.parametrize("written", SPELLINGS)
def test_a_requirement_has_one_spelling(written):
    assert normalised(written) == SPELLINGS[written]
    assert normalised(SPELLINGS[written]) == SPELLINGS[written]


TEXT = """\
# comment
--index-url https://ana:s3cret@example.com/simple
-i https://ana:s3cret@example.com/simple
Flask==3.0.2  # because
-r more.txt
-c limits.txt
humanize==4.9 \\
    --hash=sha256:00 \\
    --hash=sha256:11
"""


def test_requirements_are_read_with_the_files_that_are_included(tree):
    more = "-r requirements.txt\nfoo\nflask==3.0.2\n"
    fill(tree, **{"requirements.txt": TEXT, "more.txt": more, "limits.txt": "bar<2"})
    assert sorted(requirements(tree, "")) == ["bar<2", "flask==3.0.2", "foo", "humanize==4.9"]


@pytest.mark.parametrize("wanted, found", [("", ["first"]), ("deploy/prod.txt", ["second"]), ("other.txt", [])])
def test_the_requirements_file_may_be_named(wanted, found, tree):
    fill(tree, **{"requirements.txt": "first", "pyproject.toml": "", "deploy__prod.txt": "second"})
    assert requirements(tree, wanted) == found


@pytest.mark.parametrize("line", ["-r ../outside.txt", "-r link.txt", "-r {}/outside.txt", "-r folder"])
def test_nothing_is_read_from_outside_the_tree(line, tree, tmp_path):
    (tmp_path / "outside.txt").write_text("s3cret\n")
    (tmp_path / "tree/link.txt").symlink_to(tmp_path / "outside.txt")
    (tmp_path / "tree/folder").mkdir()
    fill(tree, **{"requirements.txt": "flask\n" + line.format(tmp_path)})
    assert requirements(tree, "") == ["flask"]
    (tmp_path / "tree/.env.example").symlink_to(tmp_path / "outside.txt")
    assert example_keys(tree) == []


PROJECT = """\
[build-system]
requires = ["setuptools"]

[project]  # the application
name = "blog"
dependencies = [
    "Flask>=3",  # a "comment" with ] and [
    'requests[socks] ; python_version < "3.9"',
    "foo; extra == \\"x\\"",
]
[project.optional-dependencies]
dependencies = ["pytest"]
"""


@pytest.mark.parametrize("text, found", [
    (PROJECT, ["Flask>=3", 'requests[socks] ; python_version < "3.9"', 'foo; extra == "x"']),
    ('[project]\ndependencies = ["flask"]', ["flask"]),
    ("[project]\ndependencies = []", []),
    ("[project]\nname = 'blog'", []),
    ('[tool.x]\ndependencies = ["flask"]', []),
    ('[project]\ndependencies = ["flask"' + " #" * 500, []),
    ("", []),
])
def test_the_dependencies_of_a_project_are_found(text, found):
    assert project_dependencies(text) == found


@pytest.mark.parametrize("before, after, added, removed, changed", [
    (["flask==3.0.2"], ["flask==3.0.3"], [], [], [("flask", "3.0.2", "3.0.3")]),
    (["flask"], ["flask[async]==3.*"], [], [], [("flask", "", "[async]==3.*")]),
    (["flask>=2,<3"], ["flask>=3"], [], [], [("flask", ">=2,<3", ">=3")]),
    (["foo==1"], ["bar"], ["bar"], ["foo==1"], []),
    (["foo==1; a", "foo==2; b"], ["foo==3; b"], ["foo==3; b"], ["foo==1; a", "foo==2; b"], []),
    (["x", "y"], ["y", "x"], [], [], []),
    (["-e git+https://x/Foo@v1#egg=foo"], ["foo==1"], [], [], [("foo", "-e git+https://x/Foo@v1#egg=foo", "1")]),
])
def test_requirements_are_compared_by_their_project(before, after, added, removed, changed):
    found = compare_requirements(before, after)
    assert (found["added"], found["removed"]) == (added, removed)
    assert [(item["name"], item["before"], item["after"]) for item in found["changed"]] == changed


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


def test_the_migrations_of_a_tree_are_found(tree, tmp_path):
    fill(tree, **{
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


def test_keys_are_those_with_a_value():
    text = "A=1\nexport B='x'\n# C=3\nD\nA=2\n"
    assert assigned_keys(text) == ["A", "B"]
    assert compare_keys(["A"], ["A", "B"], ["A", "B", "C"]) == {"added": ["B"], "missing": ["C"]}


def test_a_text_is_one_line_without_signs_for_a_terminal():
    assert printable("a\x1b[0m\tb\nc\u202e\udcff é") == "a [0m b c   é"
