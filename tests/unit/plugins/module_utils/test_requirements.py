# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.build.projects import Project
from ansible_collections.selfhost.flask.plugins.module_utils.build.requirements import (
    compare_requirements,
    normalised,
    requirements,
)
from ansible_collections.selfhost.flask.plugins.module_utils.common.toml import TomlError, parse_toml

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


def wanted(name):
    return dict(requirements=name, extras=[], groups=[])


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


def test_requirements_are_read_with_the_files_that_are_included(tree, fill):
    more = "-r requirements.txt\nfoo\nflask==3.0.2\n"
    fill(**{"requirements.txt": TEXT, "more.txt": more, "limits.txt": "bar<2"})
    assert sorted(requirements(tree, wanted(""))) == ["bar<2", "flask==3.0.2", "foo", "humanize==4.9"]


@pytest.mark.parametrize("name, found", [("", ["first"]), ("deploy/prod.txt", ["second"]), ("other.txt", [])])
def test_the_requirements_file_may_be_named(name, found, tree, fill):
    fill(**{"requirements.txt": "first", "pyproject.toml": "", "deploy__prod.txt": "second"})
    assert requirements(tree, wanted(name)) == found


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
    ("", []),
])
def test_the_dependencies_of_a_project_are_found(text, found):
    assert Project(parse_toml(text)).lines([], []) == found


def test_a_project_that_is_cut_off_is_said_so():
    with pytest.raises(TomlError):
        parse_toml('[project]\ndependencies = ["flask"' + " #" * 500)


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
