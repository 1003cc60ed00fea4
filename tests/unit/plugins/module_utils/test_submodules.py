# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Submodules and files in Git LFS: what is fetched beside the repository itself, and what is said where it can't be."""

from __future__ import annotations

import hashlib
import os
import shutil

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.build import large_files
from ansible_collections.selfhost.flask.plugins.module_utils.build.checkout import check_out
from ansible_collections.selfhost.flask.plugins.module_utils.build.git import GitError, Repository
from ansible_collections.selfhost.flask.plugins.module_utils.build.submodules import has_submodules, wanted_of
from ansible_collections.selfhost.flask.plugins.module_utils.host.packages import PackageError
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import ReleaseError

# Puts the content of the pointers in place, from a folder beside it, where it is installed for a repository.
PROGRAM = """#!/bin/sh
[ "$*" != "install --local --skip-repo" ] || exec git config --local filter.lfs.required true
git config --local filter.lfs.required >/dev/null || exit 0
[ "$1" = pull ] || exit 9
for file in *.png; do cp "%s/$file" "$file"; done
"""


@pytest.fixture
def both(remote, another_remote):
    """A repository with two submodules, by the same relative URL."""
    another_remote.commit(code="inside = 1")
    for name in ("vendor/one", "vendor/two"):
        remote.git("submodule", "--quiet", "add", "../another", name)
    remote.commit_all()
    return remote


@pytest.fixture
def tree_of(both, module, tmp_path):
    """Checks the repository out with a choice of submodules; the folder."""

    def tree_of(wanted):
        module.params = dict(submodules=wanted)
        repository = Repository(module, both.url)
        check_out(module, repository, *repository.resolve("main"), str(tmp_path / "tree"))
        return tmp_path / "tree"

    return tree_of


CHOICES = [
    (True, ["one", "two"]), (False, []), ("no", []), (["vendor/two"], ["two"]), (["vendor/two/"], ["two"]), ([], []),
]


@pytest.mark.parametrize("wanted, there", CHOICES)
def test_submodules_are_fetched_by_choice(wanted, there, tree_of):
    tree = tree_of(wanted)
    assert sorted(path.parent.name for path in tree.rglob("code.py")) == there
    assert not list(tree.rglob(".git"))


@pytest.mark.parametrize("wanted, other", [(True, False), (False, True), (["vendor/two"], ["vendor/one"]), (False, ["vendor/one"])])
def test_another_choice_is_another_release(wanted, other, tree_of):
    tree = str(tree_of(wanted))
    assert has_submodules(dict(submodules=wanted), tree) and not has_submodules(dict(submodules=other), tree)


def test_a_release_from_before_that_was_noted_has_all(tmp_path):
    (tmp_path / ".gitmodules").touch()
    assert has_submodules({}, str(tmp_path)) and not has_submodules(dict(submodules=False), str(tmp_path))
    (tmp_path / ".gitmodules").unlink()
    assert has_submodules(dict(submodules=False), str(tmp_path))


def test_one_that_can_t_be_read_is_named_with_what_leaves_it_out(tree_of, another_remote):
    shutil.move(another_remote.folder, another_remote.url + "-gone")
    with pytest.raises(GitError) as error:
        tree_of(["vendor/two"])
    assert str(error.value).startswith("The submodule vendor/two of ") and "flask_submodules: [vendor/one]" in str(error.value)


def test_the_only_one_that_can_t_be_read_is_left_out_by_false(tree_of, both, another_remote):
    both.git("rm", "--quiet", "vendor/two")
    both.commit_all()
    shutil.move(another_remote.folder, another_remote.url + "-gone")
    with pytest.raises(GitError, match="`flask_submodules: false`"):
        tree_of(True)


def test_a_path_that_is_no_submodule_is_refused(tree_of):
    with pytest.raises(ReleaseError, match="flask_submodules has vendor/three. Set it to some of those that the repository has: vendor/one, vendor/two"):
        tree_of(["vendor/three"])


def test_a_word_that_says_nothing_is_refused():
    with pytest.raises(ReleaseError, match="flask_submodules is 'some'. Set it to true, to false, or to a list"):
        wanted_of(dict(submodules="some"))


def test_a_submodule_whose_server_gives_only_branches_is_fetched_with_its_history(tree_of, another_remote, both):
    another_remote.git("config", "uploadpack.allowAnySHA1InWant", "false")
    another_remote.git("config", "uploadpack.allowFilter", "false")
    another_remote.commit(code="inside = 2")  # the submodule's commit is no branch's any more
    assert (tree_of(True) / "vendor/one/code.py").read_text() == "inside = 1"


def test_a_user_in_the_url_is_told_to_that_server_alone(module):
    repository = Repository(module, "https://ana:s3cret@git.example.com:8443/blog")
    answers = {}
    for host in ("git.example.com:8443", "elsewhere.example.com"):
        query = "protocol=https\nhost=%s\n\n" % host
        answers[host] = module.run_command(["git", "credential", "fill"], data=query, environ_update=repository.environment)
    assert "password=s3cret" in answers["git.example.com:8443"][1]
    assert answers["elsewhere.example.com"][0] and "s3cret" not in answers["elsewhere.example.com"][1]


CONTENT = b"\x89PNG"
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n" % (hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


@pytest.fixture
def large(remote, module, tmp_path):
    """Checks out a repository that has a picture in Git LFS; the folder."""
    (remote.folder / ".gitattributes").write_text("*.png filter=lfs diff=lfs merge=lfs -text\n")
    (remote.folder / "photo.png").write_text(POINTER)
    (remote.folder / "pointer.txt").write_text(POINTER)  # which no attribute speaks of
    remote.commit_all()

    def large():
        module.params = {}
        repository = Repository(module, remote.url)
        check_out(module, repository, *repository.resolve("main"), str(tmp_path / "tree"))
        return tmp_path / "tree"

    return large


@pytest.fixture
def program(tmp_path, monkeypatch):
    """git-lfs, with what its server has."""
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "git-lfs").write_text(PROGRAM % folder)
    (folder / "git-lfs").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return folder


def test_what_is_in_lfs_is_fetched(large, program):
    (program / "photo.png").write_bytes(CONTENT)
    tree = large()
    assert (tree / "photo.png").read_bytes() == CONTENT and (tree / "pointer.txt").read_text() == POINTER


def test_git_lfs_is_installed_for_it(large, program, monkeypatch):
    installed = []
    (program / "photo.png").write_bytes(CONTENT)
    monkeypatch.setattr(large_files, "Packages", lambda module, patience: type("P", (), {"complete": lambda self, names: installed.extend(names)})())
    (program / "git-lfs").rename(program / "kept")
    monkeypatch.setattr(Repository, "large_files", lambda self, folder: shutil.copy(program / "photo.png", folder))
    large()
    assert installed == ["git-lfs"]


def test_a_pointer_never_becomes_a_release(large, program):
    (program / "photo.png").write_text(POINTER)
    with pytest.raises(GitError, match=r"has 1 file in Git LFS \(photo.png\), and they can't be fetched: git-lfs has left them out"):
        large()


def test_where_it_can_t_be_installed_that_is_said(large, monkeypatch):
    def refuse(module, patience):
        raise PackageError("The packages git-lfs are not installed on this host: no network")

    monkeypatch.setattr(large_files, "Packages", refuse)
    with pytest.raises(GitError, match="and git-lfs, which fetches them, is not there. The packages git-lfs are not installed"):
        large()


def test_in_check_mode_nothing_is_installed(large, module):
    module.check_mode = True
    assert (large() / "photo.png").read_text() == POINTER
