# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import grp
import os
import pwd
import stat

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import (
    ReleaseError,
    give_tree,
    path_inside,
    read_link,
    replace_link,
    seal_tree,
)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def tree(tmp_path):
    """A folder with a file, a program, a folder and links, one of them to the outside."""
    tree = tmp_path / "tree"
    (tree / "folder").mkdir(parents=True)
    (tmp_path / "outside").touch(0o666)
    for name, bits in (("file", 0o664), ("private", 0o600), ("folder/program", 0o4775)):
        (tree / name).touch()
        (tree / name).chmod(bits)
    (tree / "folder").chmod(0o777)
    (tree / "inner link").symlink_to("file")
    (tree / "outer link").symlink_to(tmp_path / "outside")
    (tree / "link to a folder").symlink_to(tmp_path)
    return tree


def test_a_link_is_read_and_what_is_none_is_empty(tree):
    assert read_link(str(tree / "inner link")) == "file"
    assert read_link(str(tree / "file")) == read_link(str(tree / "nothing")) == ""


@pytest.mark.parametrize("left", [None, "file", "link"])
def test_a_link_is_replaced_whatever_an_interrupted_run_left(left, tree):
    if left == "file":
        (tree / "current.new").touch()
    elif left == "link":
        (tree / "current.new").symlink_to("nowhere")
    for target in ("first", "second"):
        replace_link(str(tree / "current"), target)
        assert os.readlink(tree / "current") == target
    assert not os.path.lexists(tree / "current.new")


@pytest.mark.needs_root
def test_a_tree_is_given_to_a_user_and_nothing_outside_of_it(tree, tmp_path):
    give_tree(str(tree), "daemon")
    uid = pwd.getpwnam("daemon").pw_uid
    paths = [tree, *tree.rglob("*")]
    assert {(path.lstat().st_uid, path.lstat().st_gid) for path in paths if path.parent in (tree, tmp_path)} == {(uid, uid)}
    assert (tree / "folder/program").stat().st_uid == uid
    assert (tmp_path / "outside").stat().st_uid == tmp_path.stat().st_uid == 0


@pytest.mark.needs_root
def test_a_sealed_tree_is_read_by_all_and_written_by_nobody(tree, tmp_path):
    outside = mode(tmp_path / "outside")
    give_tree(str(tree), "daemon")
    seal_tree(str(tree))
    names = ["", "file", "private", "folder", "folder/program"]
    assert [oct(mode(tree / name))[2:] for name in names] == ["755", "644", "644", "755", "755"]
    assert {path.lstat().st_uid for path in [tree, *tree.iterdir(), tree / "folder/program"]} == {0}
    assert mode(tmp_path / "outside") == outside


@pytest.mark.parametrize("name", ["file", "folder/new", "folder/deeper/new", "outer link", "folder/../new"])
def test_a_path_inside_a_release_is_one(name, tree):
    assert path_inside(str(tree), name) == os.path.normpath(tree / name)


@pytest.mark.parametrize("name", ["..", "../x", "/etc/passwd", "link to a folder/x", "folder/../../x", "."])
def test_a_path_that_leads_out_of_it_is_refused(name, tree):
    with pytest.raises(ReleaseError, match="leads out of its folder"):
        path_inside(str(tree), name)


def test_a_release_may_itself_be_behind_a_link(tree, tmp_path):
    (tmp_path / "srv").symlink_to(tree)
    assert path_inside(str(tmp_path / "srv"), "folder/x") == str(tmp_path / "srv/folder/x")


@pytest.mark.needs_root
def test_what_is_private_is_read_by_the_user_alone_also_what_python_made_of_it(tree):
    (tree / "__pycache__").mkdir()
    for name in ("config.py", "__pycache__/config.cpython-311.pyc", "__pycache__/other.cpython-311.pyc"):
        (tree / name).touch()
    seal_tree(str(tree), frozenset([str(tree / "config.py")]), "daemon")
    group = grp.getgrnam("daemon").gr_gid
    found = {path.name: (oct(mode(path))[2:], path.stat().st_uid, path.stat().st_gid) for path in tree.rglob("*o*.py*")}
    assert found["config.py"] == found["config.cpython-311.pyc"] == ("640", 0, group)
    assert found["other.cpython-311.pyc"] == ("644", 0, 0)
