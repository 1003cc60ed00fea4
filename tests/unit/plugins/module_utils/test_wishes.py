# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python a repository asks for, and what is fetched where the system has another one."""

from __future__ import annotations

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.build.specifiers import nearest, satisfies
from ansible_collections.selfhost.flask.plugins.module_utils.build.wishes import check_wish, find_wish
from ansible_collections.selfhost.flask.plugins.module_utils.common.tree import Tree
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import ReleaseError

MEANT = [
    (">=3.8", (3, 13, 5), True), (">=3.8,<3.13", (3, 13, 0), False), ("<3.13", (3, 12, 9), True),
    (">=3.11.4", (3, 11, 2), False), ("~=3.11.4", (3, 11, 9), True), ("~=3.11.4", (3, 12, 0), False),
    ("~=3.9", (3, 13, 0), True), ("==3.11", (3, 11, 2), True), ("==3.1", (3, 11, 2), False), ("==3.11.*", (3, 12, 0), False),
    ("!=3.11.*", (3, 11, 2), False), ("!=3.11.2", (3, 11, 2), False), (">3.11", (3, 11, 2), True), ("<=3.12", (3, 12, 1), False),
    (">=3.6,<3.7||>=3.11", (3, 11, 2), True), ("", (3, 11, 2), True),
]


@pytest.mark.parametrize("specifier,version,fits", MEANT)
def test_what_a_specifier_means(specifier, version, fits):
    assert satisfies(version, specifier) is fits


@pytest.mark.parametrize("specifier,wanted", [
    (">=3.12", "3.12"), (">=3.8,<3.11", "3.10"), ("==3.9.*", "3.9"), ("<3.10||==3.13.*", "3.9"), ("==3.10.4", "3.10.4"), ("<3.8", ""),
])
def test_the_nearest_to_the_systems_is_taken(specifier, wanted):
    assert nearest(specifier, (3, 11, 2)) == wanted


# what a repository has, and what it comes to where the system has 3.11.2; None where that will do
REPOSITORIES = {
    "nothing": ({}, None),
    "pyenv's file": ({".python-version": "3.9.18\n"}, "3.9"),
    "the same minor version": ({".python-version": "3.11.9"}, None),
    "a comment before": ({".python-version": "# ours\n\n3.12\n3.11\n"}, "3.12"),
    "an environment's name": ({".python-version": "blog-env\n"}, None),
    "another implementation": ({".python-version": "pypy3.10-7.3\n"}, None),
    "Heroku's file": ({"runtime.txt": "python-3.10.4\n"}, "3.10"),
    "a project": ({"pyproject.toml": '[project]\nrequires-python = ">=3.12"\n'}, "3.12"),
    "a project that fits": ({"pyproject.toml": '[project]\nrequires-python = ">=3.8"\n'}, None),
    "Poetry": ({"pyproject.toml": '[tool.poetry.dependencies]\npython = ">=3.7,<3.11"\n'}, "3.10"),
    "Poetry's alternatives": ({"pyproject.toml": '[tool.poetry.dependencies]\npython = "~3.8 || ^3.12"\n'}, "3.12"),
    "Poetry that fits": ({"pyproject.toml": '[tool.poetry.dependencies]\npython = "^3.9"\n'}, None),
    "Pipenv": ({"Pipfile": '[requires]\npython_version = "3.8"\n'}, "3.8"),
    "the first one counts": ({".python-version": "3.11", "runtime.txt": "python-3.9.1"}, None),
    "a file that is none": ({"pyproject.toml": "[project\n"}, None),
}


def tree(folder, files):
    for name, text in files.items():
        (folder / name).write_text(text)
    return Tree(str(folder), str(folder))


@pytest.mark.parametrize("case", REPOSITORIES)
def test_a_repository_says_which(case, tmp_path):
    files, wanted = REPOSITORIES[case]
    wish = find_wish(tree(tmp_path, files), "")
    met = wish is None or wish.is_met((3, 11, 2))
    assert (None if met else wish.version((3, 11, 2))) == wanted


def test_an_application_in_a_subfolder_has_the_repositorys(tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / ".python-version").write_text("3.12\n")
    assert find_wish(Tree(str(tmp_path), str(tmp_path / "app")), "").version((3, 11, 2)) == "3.12"


@pytest.mark.parametrize("given,wanted", [("3.12", "3.12"), ("3.10.4", "3.10.4"), ("system", None), ("/opt/python", None)])
def test_the_variable_wins(given, wanted, tmp_path):
    wish = find_wish(tree(tmp_path, {".python-version": "3.9"}), given)
    assert (wish and wish.version((3, 11, 2))) == wanted


@pytest.mark.parametrize("text", ["python-2.7.18", "3.6"])
def test_what_is_older_than_all_that_there_are_is_refused_wherever_one_looks(text, tmp_path):
    with pytest.raises(ReleaseError) as caught:
        check_wish(tree(tmp_path, {"runtime.txt": text}), "")
    assert "runtime.txt asks for Python %s, which is not available" % text.replace("python-", "")[:3] in str(caught.value)
    check_wish(tree(tmp_path, {}), "system")
