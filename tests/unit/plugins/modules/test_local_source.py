# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A version that only this machine has: the real module gets it by the real plugin, with nothing but Ansible's way between them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from types import SimpleNamespace

import pytest
from ansible_collections.selfhost.flask.plugins.action import flask_build, flask_plan
from ansible_collections.selfhost.flask.plugins.plugin_utils._local_source import LocalSource

BEFORE = "PASSWORD = 'removed-long-ago'\n"


class Way:
    """What goes between the two: tasks, and files in the place for them."""

    def __init__(self, folder, execute):
        self.folder = folder
        self.execute = execute
        self.sent, self.told = [], []

    def action(self, plugin, monkeypatch, **arguments):
        """Runs a plugin's task; its result."""
        shell = SimpleNamespace(tmpdir=None, join_path=os.path.join)
        task = SimpleNamespace(async_val=0, args=arguments, check_mode=False, diff=False)
        made = plugin.ActionModule(task, SimpleNamespace(_shell=shell), SimpleNamespace(become_pass=None), None, None, None)
        monkeypatch.setattr(made, "_make_tmp_path", lambda: self.make(shell))
        monkeypatch.setattr(made, "_transfer_file", self.transfer)
        monkeypatch.setattr(made, "_remove_tmp_path", shutil.rmtree)
        monkeypatch.setattr(made, "_execute_module", self.run_module)
        return made.run(task_vars=dict(inventory_hostname="blog.example.com"))

    def make(self, shell):
        shell.tmpdir = str(self.folder)
        self.folder.mkdir(mode=0o700)

    def transfer(self, source, target):
        self.sent.append(os.path.getsize(source))
        return shutil.copy(source, target)

    def run_module(self, module_args, task_vars):
        self.told.append(module_args)
        return self.execute(**module_args)


@pytest.fixture
def way(tmp_path, build):
    return Way(tmp_path / "on-the-way", build)


@pytest.fixture
def deploy_folder(way, application, monkeypatch):
    """Runs the task that builds a release of the folder."""

    def deploy_folder(**arguments):
        return way.action(flask_build, monkeypatch, **dict(dict(repo=application.url, name="blog"), **arguments))

    return deploy_folder


def in_release(release, name):
    with open(os.path.join(release["path"], name), encoding="utf-8") as file:
        return file.read()


def test_a_folder_is_deployed_as_it_is_committed(deploy_folder, application, way):
    release = deploy_folder()
    assert release["commit"] == application.git("rev-parse", "HEAD") and release["changed"]
    assert in_release(release, "blog.py") == "app = 1\n"
    assert not os.path.exists(release["path"] + "/.git")
    assert len(way.told) == 2 and not way.folder.exists()


def test_nothing_is_sent_where_the_host_has_the_release(deploy_folder, deploy, host, way):
    release = deploy_folder()
    config = [str(host.root / "shared/.env"), str(host.root / "serve")]
    deploy(release["path"], session=release["session"], config=config)
    way.told.clear(), way.sent.clear()
    again = deploy_folder()
    assert (again["served"], again["changed"], len(way.told), way.sent) == (True, False, 1, [])


@pytest.mark.parametrize("version", ["v1", "latest_tag", "main", "HEAD"])
def test_a_version_is_a_tag_a_branch_or_what_is_checked_out(version, deploy_folder, application):
    application.git("tag", "-a", "v1", "-m", "first")
    application.git("checkout", "--quiet", "-b", "work")
    application.commit(blog="app = 2\n")
    release = deploy_folder(version=version)
    assert in_release(release, "blog.py") == ("app = 2\n" if version == "HEAD" else "app = 1\n")


def test_a_commit_may_be_abbreviated(deploy_folder, application):
    first = application.git("rev-parse", "HEAD")
    application.commit(blog="app = 2\n")
    assert deploy_folder(version=first[:8])["commit"] == first


def test_what_is_not_committed_is_said_and_stays(deploy_folder, application):
    (application.folder / "blog.py").write_text("app = 'being written'\n")
    (application.folder / "notes.txt").write_text("secret")
    release = deploy_folder()
    assert in_release(release, "blog.py") == "app = 1\n" and not os.path.exists(release["path"] + "/notes.txt")
    said = "2 uncommitted or untracked files of %s are not deployed: blog.py, notes.txt. Commit what" % application.url
    assert any(text.startswith(said) for text in release["warnings"])


def test_another_version_than_the_one_that_is_worked_on_says_nothing_of_it(deploy_folder, application):
    application.git("tag", "v1")
    application.commit(blog="app = 2\n")
    (application.folder / "blog.py").write_text("app = 3\n")
    assert not deploy_folder(version="v1").get("warnings")


def test_a_hook_of_git_may_run_the_playbook(application, monkeypatch, tmp_path):
    commit = application.git("rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    assert LocalSource(application.url, "HEAD").commit == commit


def test_no_history_goes_to_the_host(deploy_folder, application, way, monkeypatch, tmp_path):
    application.commit(config=BEFORE)
    application.commit(config="")
    monkeypatch.setattr(way, "transfer", lambda source, target: shutil.copy(shutil.copy(source, tmp_path / "kept"), target))
    assert in_release(deploy_folder(), "config.py") == ""
    application.git("init", "--quiet", str(tmp_path / "looked"))
    objects = unpacked(application, tmp_path / "kept", tmp_path / "looked")
    assert BEFORE not in objects and "app = 1" in objects


def unpacked(remote, bundle, folder):
    """The text of all files in a bundle."""
    remote.git("-C", str(folder), "bundle", "unbundle", str(bundle))
    listed = remote.git("-C", str(folder), "cat-file", "--batch-all-objects", "--batch-check").splitlines()
    blobs = [line.split()[0] for line in listed if " blob " in line]
    return "\n".join(remote.git("-C", str(folder), "cat-file", "blob", blob) for blob in blobs)


REFUSED = {
    "nowhere": "there is no such folder on this machine. Set it to the folder of a git repository, or to a URL; file://",
    "plain": "that folder is no git repository. What git has of it is deployed: run `git init`",
    "remote/inside": "/remote. Set flask_repo to that, and flask_subfolder to inside.",
    "empty": "has no commit yet. Commit what is to be deployed.",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_folder_that_is_no_repository_is_refused_with_what_to_do(name, deploy_folder, application, way, tmp_path):
    (tmp_path / "plain").mkdir()
    (application.folder / "inside").mkdir()
    application.git("init", "--quiet", str(tmp_path / "empty"))
    result = deploy_folder(repo=str(tmp_path / name))
    assert result["failed"] and REFUSED[name] in result["msg"] and way.told == []


def test_an_unknown_version_is_answered_with_the_ones_there_are(deploy_folder, application):
    application.git("tag", "v1")
    assert "has no tag, branch or commit 'v9'. Set flask_version to one that it has: v1, main" in deploy_folder(version="v9")["msg"]


@pytest.fixture
def nested(application, another_remote, tmp_path, monkeypatch):
    """A submodule with one in it, both checked out here."""
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "protocol.file.allow")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "always")
    inner = type(application)(tmp_path / "inner")
    inner.commit(inmost="x = 1\n")
    another_remote.commit(code="inside = 1\n")
    another_remote.git("submodule", "--quiet", "add", inner.url, "deep")
    another_remote.commit_all()
    application.git("submodule", "--quiet", "add", another_remote.url, "vendor/another")
    application.commit_all()
    application.git("submodule", "--quiet", "update", "--init", "--recursive")
    shutil.rmtree(another_remote.folder)  # the host can't reach it
    shutil.rmtree(inner.folder)
    return application


def test_submodules_come_from_this_machine_too(deploy_folder, nested):
    release = deploy_folder()
    assert in_release(release, "vendor/another/code.py") == "inside = 1\n"
    assert in_release(release, "vendor/another/deep/inmost.py") == "x = 1\n"


def test_submodules_may_be_left_out(deploy_folder, nested):
    release = deploy_folder(submodules=False)
    assert os.listdir(release["path"] + "/vendor/another") == []


def test_a_submodule_that_is_not_checked_out_here_is_named(deploy_folder, nested):
    nested.git("submodule", "--quiet", "deinit", "--force", "vendor/another")
    said = deploy_folder()["msg"]
    assert "The submodule vendor/another of %s is not checked out there." % nested.url in said and "flask_submodules" in said


CONTENT = b"\x89PNG and so on"
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n"


@pytest.fixture
def large(application):
    """A repository with a file in Git LFS, of which this machine has the content."""
    digest = hashlib.sha256(CONTENT).hexdigest()
    (application.folder / ".gitattributes").write_text("*.png filter=lfs diff=lfs merge=lfs -text\n")
    (application.folder / "a b.png").write_text(POINTER % (digest, len(CONTENT)))
    application.commit_all()
    kept = application.folder / ".git/lfs/objects" / digest[:2] / digest[2:4] / digest
    kept.parent.mkdir(parents=True)
    kept.write_bytes(CONTENT)
    return kept


def test_large_files_come_from_this_machine_too(deploy_folder, large):
    release = deploy_folder()
    with open(release["path"] + "/a b.png", "rb") as file:
        assert file.read() == CONTENT


def test_a_large_file_that_is_not_here_is_named(deploy_folder, large, application):
    large.unlink()
    said = "a b.png in %s is in Git LFS, and is not on this machine. Run `git lfs pull` in that folder."
    assert deploy_folder()["msg"] == said % application.url


def test_a_plan_has_the_commits_that_only_this_machine_knows(deploy_folder, deploy, host, application, run, way, monkeypatch):
    release = deploy_folder()
    deploy(release["path"], session=release["session"], commit=release["commit"])
    application.commit(blog="app = 2\n")
    way.execute = lambda **arguments: run("flask_plan", **arguments)
    plan = way.action(flask_plan, monkeypatch, repo=application.url, root=str(host.root))
    assert (plan["direction"], plan["commits_total"], plan["changed"]) == ("forward", 1, True)
    assert plan["commit"] == application.git("rev-parse", "HEAD") and json.dumps(plan["commits"]).count("Change") == 1


def test_a_url_is_the_hosts_to_read(deploy_folder, application, way):
    release = deploy_folder(repo="file://" + application.url)
    assert release["changed"] and len(way.told) == 1 and "source" not in way.told[0]
