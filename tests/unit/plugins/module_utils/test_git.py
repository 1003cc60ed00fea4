# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import stat

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.build.checkout import check_out
from ansible_collections.selfhost.flask.plugins.module_utils.build.git import (
    GitError,
    Repository,
    Unreachable,
    names,
    newest_tag,
    version_order,
)


def tags(*names):
    return {"refs/tags/" + name: "c" * 40 for name in names}


# tags from the oldest version to the newest
ORDERS = [
    ["v1", "v2", "v10"],
    ["1.9", "1.10", "2"],
    ["v0.17", "v0.17.1", "v0.18"],
    ["v1.0rc1", "v1.0", "v1.0.1"],
    ["1.0-beta", "1.0"],
    ["release-1.2", "release-1.10"],
    ["2023.12", "2024.1"],
]


@pytest.mark.parametrize("order", ORDERS, ids="<".join)
def test_versions_are_ordered_by_their_numbers(order):
    assert sorted(reversed(order), key=version_order) == order


@pytest.mark.parametrize("found, newest", [
    (["v1", "v2", "v6"], "v6"),
    (["v9", "v10"], "v10"),
    (["v1.0", "v2.0-rc1"], "v1.0"),
    (["v2.0-rc1", "v2.0-rc2"], "v2.0-rc2"),
    (["nightly", "v1"], "v1"),
    (["stable/1.2", "stable/1.3"], "stable/1.3"),
])
def test_the_newest_tag_is_the_highest_final_version(found, newest):
    assert newest_tag(tags(*found)) == newest


@pytest.mark.parametrize("found", [[], ["nightly"]])
def test_without_a_numbered_tag_there_is_no_newest_one(found):
    with pytest.raises(GitError, match="latest_tag, and the repository has no tag with a number"):
        newest_tag(tags(*found))


def test_names_begin_with_the_newest_tag():
    references = {"HEAD": "a", "refs/heads/main": "a", "refs/tags/v2^{}": "a", **tags("v1", "v2", "v10")}
    assert names(references) == ["v10", "v2", "v1", "main"]


@pytest.fixture
def versions(remote):
    """A repository's commits by the names that a user may give them."""
    commits = {"light": remote.commit(a="1")}
    remote.git("tag", "light")
    commits["v1.9"] = remote.commit(a="2")
    remote.git("tag", "-a", "v1.9", "-m", "annotated")
    commits["v1.10"] = commits["latest_tag"] = remote.commit(a="3")
    remote.git("tag", "-a", "v1.10", "-m", "annotated")
    commits["main"] = commits["HEAD"] = remote.commit(a="4")
    remote.git("branch", "feature/x", "light")
    commits["feature/x"] = commits["light"]
    return commits


@pytest.mark.parametrize("version", ["light", "v1.9", "v1.10", "latest_tag", "main", "HEAD", "feature/x"])
def test_a_name_is_resolved_to_its_commit(version, versions, remote, module):
    name, commit = Repository(module, remote.url).resolve(version)
    assert commit == versions[version]
    assert name == {"latest_tag": "v1.10"}.get(version, version)


def test_a_tag_wins_over_a_branch_of_the_same_name(versions, remote, module):
    remote.git("branch", "v1.9", "light")
    assert Repository(module, remote.url).resolve("v1.9")[1] == versions["v1.9"]


def test_an_unknown_version_is_answered_with_the_ones_there_are(versions, remote, module):
    with pytest.raises(GitError, match=r"no tag, branch or commit 'v7'\. Set flask_version .*v1\.10, v1\.9"):
        Repository(module, remote.url).resolve("v7")


def test_an_empty_repository_is_said_to_be_empty(remote, module):
    with pytest.raises(GitError, match="it is empty"):
        Repository(module, remote.url).resolve("v1")


def test_a_repository_that_is_none_is_named(tmp_path, module):
    with pytest.raises(GitError, match="%s can't be read: `git ls-remote` ended with exit code 128" % tmp_path):
        Repository(module, str(tmp_path)).resolve("v1")


# what git says where the server may be one that another machine reaches
NO_WAY = [
    "fatal: unable to access 'https://git.internal/blog/': Could not resolve host: git.internal",
    "ssh: connect to host git.internal port 22: Connection timed out",
    "ssh: connect to host 10.0.0.5 port 22: No route to host",
    "fatal: unable to access 'https://10.0.0.5/blog/': Failed to connect to 10.0.0.5 port 443: Connection refused",
    "fatal: unable to look up git.internal (port 9418) (Name or service not known)",
]
A_WAY = [
    "fatal: remote error: access denied or repository not exported: /nothing",
    "git@git.example.com: Permission denied (publickey).",
    "remote: Repository not found.",
]


@pytest.mark.parametrize("said", NO_WAY + A_WAY)
def test_a_server_that_is_not_reached_is_told_from_one_that_refuses(said, module, monkeypatch):
    monkeypatch.setattr(module, "run_command", lambda argv, **options: (128, "", said))
    with pytest.raises(GitError) as error:
        Repository(module, "https://git.internal/blog").references()
    assert isinstance(error.value, Unreachable) == (said in NO_WAY)


@pytest.mark.parametrize("version", ["light", "v1.9", "main", "feature/x"])
def test_a_version_is_checked_out_without_anything_of_git(version, versions, remote, module, tmp_path):
    repository = Repository(module, remote.url)
    assert check_out(module, repository, *repository.resolve(version), str(tmp_path / "tree")) == versions[version]
    assert os.listdir(tmp_path / "tree") == ["a.py"]
    assert (tmp_path / "tree/a.py").read_text() == remote.git("show", versions[version] + ":a.py")


@pytest.mark.parametrize("digits", [40, 12, 7])
def test_a_commit_may_be_abbreviated(digits, versions, remote, module, tmp_path):
    repository = Repository(module, remote.url)
    name, commit = repository.resolve(versions["v1.9"][:digits])
    assert repository.checkout(name, commit, str(tmp_path / "tree")) == versions["v1.9"]


@pytest.mark.parametrize("commit", ["0123456789", "0123456789abcdef0123456789abcdef01234567"])
def test_a_commit_that_is_not_there_is_named(commit, versions, remote, module, tmp_path):
    with pytest.raises(GitError, match="has no commit %s. Set flask_version" % commit):
        Repository(module, remote.url).checkout(commit, commit, str(tmp_path / "tree"))


# settings of a server
SERVERS = {
    "without filters": {},
    "with filters": {"uploadpack.allowFilter": "true"},
    "that refuses filters": {"uploadpack.allowFilter": "true", "uploadpackfilter.allow": "false"},
}


@pytest.fixture
def history(versions, remote, module, tmp_path):
    """Fetches what led to commits, from a server with these settings; the repository and the folder."""

    def history(settings, *commits):
        for name, value in settings.items():
            remote.git("config", name, value)
        repository = Repository(module, "file://" + remote.url)
        repository.fetch_history(str(tmp_path / "history"), *commits)
        return repository, str(tmp_path / "history")

    return history


@pytest.mark.parametrize("server", SERVERS)
def test_a_history_is_fetched_from_every_server(server, history, versions):
    first, last = versions["light"], versions["v1.10"]
    repository, folder = history(SERVERS[server], first, last)
    assert repository.log(first, last, 9, folder) == [(last, "Change"), (versions["v1.9"], "Change")]
    assert (repository.count(first, last, folder), repository.count(last, first, folder)) == (2, 0)
    assert repository.is_ancestor(first, last, folder) and not repository.is_ancestor(last, first, folder)
    assert repository.has(first, folder)


def test_a_history_has_no_files_where_the_server_can(history, versions, remote):
    repository, folder = history(SERVERS["with filters"], versions["main"])
    objects = repository.run("cat-file", "--batch-all-objects", "--batch-check", cwd=folder)
    assert "commit" in objects and "blob" not in objects


@pytest.mark.parametrize("server", SERVERS)
def test_a_commit_that_is_lost_is_not_in_a_history(server, history, versions):
    repository, folder = history(SERVERS[server], "1" * 40, versions["main"])
    assert repository.has(versions["main"], folder) and not repository.has("1" * 40, folder)


def test_a_history_is_also_fetched_by_references_alone(history, versions, remote, monkeypatch):
    remote.git("tag", "--delete", "light")
    remote.git("branch", "-D", "feature/x")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "protocol.version")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "0")  # in it a server gives only what they name
    repository, folder = history({}, versions["light"], versions["v1.9"])
    assert repository.is_ancestor(versions["light"], versions["v1.9"], folder)


def test_the_key_is_in_a_file_of_its_own_for_as_long_as_git_needs_it(module):
    repository = Repository(module, "git@example.com:blog", "-----KEY-----")
    with repository.access():
        path = repository.environment["GIT_SSH_COMMAND"].rpartition(" ")[2]
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        with open(path, encoding="ascii") as file:
            assert file.read() == "-----KEY-----\n"
    assert not os.path.exists(os.path.dirname(path))


def test_the_key_is_removed_when_git_fails(module):
    repository = Repository(module, "git@example.com:blog", "-----KEY-----")
    with pytest.raises(GitError), repository.access():
        path = repository.environment["GIT_SSH_COMMAND"].rpartition(" ")[2]
        raise GitError
    assert not os.path.exists(os.path.dirname(path))


def test_a_password_in_the_url_is_masked(module):
    Repository(module, "https://ana:s3cret@example.com/blog")
    assert "s3cret" in module.no_log_values


CREDENTIALS = {
    "https://ana:s3%2Fcret@example.com/blog": ("ana", "s3/cret"),
    "https://ghp_0123456789abcdef@example.com/blog": ("ghp_0123456789abcdef", ""),
}


@pytest.mark.parametrize("url", CREDENTIALS)
def test_git_is_told_a_password_by_its_environment(url, module, monkeypatch):
    repository, ran = Repository(module, url), []
    with monkeypatch.context() as patch:
        patch.setattr(module, "run_command", lambda argv, **options: ran.append(argv) or (0, "", ""))
        repository.references()
    assert ran[0][-1] == "https://example.com/blog"
    query = ["git", "credential", "fill"]
    answer = module.run_command(query, data="protocol=https\nhost=example.com\n", environ_update=repository.environment)
    user, password = CREDENTIALS[url]
    assert "username=%s\npassword=%s\n" % (user, password) in answer[1]
