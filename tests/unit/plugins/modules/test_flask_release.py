# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import getpass
import os
import pwd

import pytest

CHECK = {"_ansible_check_mode": True}
OLD_COMMIT = "1" * 40


@pytest.fixture
def release(run, root, remote):
    """Runs the module on the repository."""

    def release(**arguments):
        options = dict(root=str(root), repo=remote.url, entrypoint="blog:app", user=getpass.getuser())
        return run("flask_release", **dict(options, **arguments))

    return release


def seal(result):
    """What flask_deployment does when it launches a release."""
    with open(os.path.join(result["path"], ".release.json"), "w", encoding="ascii"):
        pass


def test_a_version_becomes_a_release(release, remote, root):
    commit = remote.commit("README", blog="app = 1\n")
    remote.git("tag", "v1.0")
    result = release(version="v1.0")
    assert result["changed"] and result["built"]
    assert (result["version"], result["commit"]) == ("v1.0", commit)
    assert result["id"] == "v1.0-" + commit[:8]
    assert result["path"] == str(root / "releases" / result["id"])
    assert result["diff"] == {"before": "release: \n", "after": "release: %s\n" % result["id"]}
    assert sorted(os.listdir(result["path"])) == [".env", "README", "blog.py"]
    assert os.listdir(root / "releases") == [result["id"]]


def test_the_diff_names_the_current_release(release, remote, root):
    remote.commit(blog="app = 1\n")
    (root / "current").symlink_to("releases/v0.9-12345678")
    assert release()["diff"]["before"] == "release: v0.9-12345678\n"


@pytest.mark.parametrize("digits", [40, 20, 10])
def test_a_release_that_was_launched_is_not_built_again(digits, release, remote):
    commit = remote.commit(blog="app = 1\n")
    version = commit[:digits]
    first = release(version=version)
    seal(first)
    for mode in ({}, CHECK):
        result = release(version=version, **mode)
        assert (result["changed"], result["path"], result["commit"]) == (False, first["path"], commit)
    assert os.path.exists(os.path.join(first["path"], ".release.json"))


def test_a_release_that_was_not_launched_is_built_again(release, remote):
    remote.commit(blog="app = 1\n")
    first = release()
    with open(os.path.join(first["path"], "left over"), "w", encoding="ascii"):
        pass
    assert release()["changed"]
    assert "left over" not in os.listdir(first["path"])


def test_check_mode_makes_nothing(release, remote, root):
    commit = remote.commit(blog="app = 1\n")
    result = release(user=None, **CHECK)
    assert (result["changed"], result["built"], result["id"]) == (True, False, "HEAD-" + commit[:8])
    assert os.listdir(root / "releases") == os.listdir(root / "shared") == []


# the version as it is asked for, and the release's name, in which # stands for the commit
IDS = {"feature/x": "feature-x-#", "HEAD": "HEAD-#", "v1.0": "v1.0-#", "latest_tag": "v1.0-#"}


@pytest.mark.parametrize("version", IDS)
def test_a_release_is_named_after_its_version_and_commit(version, release, remote):
    commit = remote.commit(blog="app = 1\n")
    remote.git("branch", "feature/x")
    remote.git("tag", "v1.0")
    assert release(version=version)["id"] == IDS[version].replace("#", commit[:8])


def test_a_release_of_a_commit_is_named_after_it(release, remote):
    commit = remote.commit(blog="app = 1\n")
    assert [release(version=commit[:digits])["id"] for digits in (7, 40)] == [commit[:12]] * 2


def test_the_application_may_be_in_a_subfolder(release, remote, root):
    remote.commit("web/migrations/env.py", **{"web/blog": "app = 1\n"})
    result = release(subfolder="web", shared=["instance"])
    assert result["path"] == str(root / "releases" / result["id"] / "web")
    assert result["migrations"]
    assert os.readlink(os.path.join(result["path"], ".env")) == "../../../shared/.env"
    assert os.path.realpath(os.path.join(result["path"], "instance")) == str(root / "shared/instance")


@pytest.mark.parametrize("files, found", [
    ([], (False, False)),
    (["migrations/env.py"], (True, False)),
    (["blog/translations/es/LC_MESSAGES/messages.po"], (False, True)),
])
def test_says_what_the_next_steps_have_a_use_for(files, found, release, remote):
    remote.commit(*files, blog="app = 1\n")
    result = release()
    assert (result["migrations"], result["translations"]) == found


@pytest.mark.parametrize("name", ["data/private", "../../shared", "/etc"])
def test_what_is_shared_cannot_lead_out_of_the_release(name, release, remote, tmp_path):
    (tmp_path / "behind/private").mkdir(parents=True)
    remote.folder.joinpath("data").symlink_to(tmp_path / "behind")
    remote.commit(blog="app = 1\n")
    result = release(shared=[name])
    assert result["msg"].startswith("%s leads out of its folder" % name)
    assert (tmp_path / "behind/private").is_dir() and not (tmp_path / "behind/private").is_symlink()


def test_static_files_are_public(release, remote):
    remote.commit("static/a", blog="app = 1\n")
    assert os.listdir(os.path.join(release(static_url="/files")["path"], ".public/files")) == ["a"]


FAILURES = {
    "an unknown version": ({"version": "v7"}, "has no tag, branch or commit 'v7'"),
    "an unknown commit": ({"version": OLD_COMMIT}, "has no commit " + OLD_COMMIT),
    "no repository": ({"repo": "/nowhere"}, "The repository /nowhere can't be read"),
    "an unknown module": ({"entrypoint": "web:app"}, "neither web.py nor web/__init__.py"),
    "an unknown name": ({"entrypoint": "blog:application"}, "defines no 'application'; it defines app"),
    "an unknown subfolder": ({"subfolder": "web"}, "neither blog.py nor blog/__init__.py"),
    "a subfolder outside": ({"subfolder": "../../.."}, "leads out of its folder"),
}


@pytest.mark.parametrize("mode", [{}, CHECK], ids=["run", "check"])
@pytest.mark.parametrize("case", FAILURES)
def test_says_what_to_set_and_leaves_nothing_behind(case, mode, release, remote, root):
    arguments, text = FAILURES[case]
    remote.commit(blog="app = 1\n")
    result = release(**dict(arguments, **mode))
    assert result["failed"] and text in result["msg"]
    assert os.listdir(root / "releases") == []


@pytest.mark.parametrize("check, failed", [(True, False), (False, True)])
def test_a_host_without_git_needs_it_but_for_check_mode(check, failed, release, without_git):
    result = release(_ansible_check_mode=check)
    assert result.get("failed", False) == failed
    assert result["msg" if failed else "changed"] == ("git is not installed. Install the package git." if failed else True)


@pytest.mark.needs_root
def test_a_release_belongs_to_the_user_who_builds_it(release, remote, root):
    remote.commit(blog="app = 1\n")
    path = release(user="daemon", shared=["instance"])["path"]
    given = [path, *(os.path.join(path, name) for name in os.listdir(path)), root / "shared/instance"]
    assert {os.lstat(name).st_uid for name in given} == {pwd.getpwnam("daemon").pw_uid}
    assert (root / "shared").stat().st_uid == 0
