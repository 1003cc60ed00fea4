# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A remote git repository: which commit a version is, and its tree in a folder."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from urllib.parse import unquote, urlsplit

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.common import process

# git asks this for what a URL has before its host; git's arguments are everybody's to read, its environment is not.
CREDENTIALS = (
    '!f() { [ "$1" != get ] || printf "username=%s\\npassword=%s\\n" '
    '"$SELFHOST_GIT_USER" "$SELFHOST_GIT_PASSWORD"; }; f'
)
SSH = "ssh -o BatchMode=yes -o ConnectTimeout=30 -o StrictHostKeyChecking=accept-new"
NO_WAY = re.compile(
    r"[Cc]ould not resolve|[Nn]ame resolution|Name or service not known|unable to look up|[Cc]onnection (?:refused|timed out)"
    r"|Operation timed out|No route to host|[Nn]etwork is unreachable|Failed to connect|Couldn't connect"
)
ACCESS = "Check flask_repo, and that the server reaches it; if it is private, set flask_deploy_key to a key that may read it."
LINK = "160000 "  # the mode of a submodule's entry in git's index
TOKEN = 16  # characters; a user without a password that has so many is a secret


class GitError(Exception):
    """What git said, and what the user can do about it."""


class Unreachable(GitError):
    """The server of a repository is none that this machine reaches. Another one may."""


class Repository:
    """A repository at a URL, read with an optional private key."""

    programs = ("git-lfs",)  # packages of what fetches the files in Git LFS

    def __init__(self, module: AnsibleModule, url: str, key: str | None = None) -> None:
        self.module = module
        self.url = without_user(url)
        self.key = key
        self.git = module.get_bin_path("git")
        # the files of Git LFS are fetched once all else is there
        self.environment = {"GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": SSH, "LC_ALL": "C", "GIT_LFS_SKIP_SMUDGE": "1"}
        if self.url != url:
            self._use_credentials(urlsplit(url).username or "", urlsplit(url).password or "")

    def _use_credentials(self, user: str, password: str) -> None:
        """Has git tell this server, and no other one, what the URL had before its host: a user and a password, or a token alone."""
        secret = password or user
        self.module.no_log_values.update({secret, unquote(secret)} if password or len(user) >= TOKEN else set())
        self.environment.update(
            GIT_CONFIG_COUNT="1",
            GIT_CONFIG_KEY_0="credential.%s://%s.helper" % urlsplit(self.url)[:2],
            GIT_CONFIG_VALUE_0=CREDENTIALS,
            SELFHOST_GIT_USER=unquote(user),
            SELFHOST_GIT_PASSWORD=unquote(password),
        )

    @contextlib.contextmanager
    def access(self):
        """The private key in a file of its own, for as long as git needs it."""
        folder = tempfile.mkdtemp(prefix="selfhost-git-")
        try:
            if self.key:
                path = os.path.join(folder, "key")
                with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                    file.write(self.key.rstrip("\n") + "\n")
                self.environment["GIT_SSH_COMMAND"] = "%s -o IdentitiesOnly=yes -i %s" % (SSH, path)
            yield self
        finally:
            shutil.rmtree(folder)

    def run(self, *arguments: str, cwd: str | None = None) -> str:
        """One git command; its output."""
        # no maintenance in the background, which would outlive the step
        command = [self.git, "-c", "advice.detachedHead=false", "-c", "gc.auto=0", "-c", "maintenance.auto=false"] + list(arguments)
        code, out, err = self.module.run_command(
            command, cwd=cwd, environ_update=self.environment, pass_fds=process.held
        )
        if code != 0:
            raise GitError("`git %s` ended with exit code %d: %s" % (arguments[0], code, err.strip()))
        return out

    def references(self) -> dict:
        """Each reference's commit; a tag's is the commit that it points to."""
        try:
            lines = self.run("ls-remote", self.url).splitlines()
        except GitError as error:
            kind = Unreachable if self.url.startswith("file://") or NO_WAY.search(str(error)) else GitError
            raise kind("The repository %s can't be read: %s\n%s" % (self.url, error, ACCESS)) from error
        found = {name: commit for commit, name in (line.split("\t", 1) for line in lines)}
        return {name: found.get(name + "^{}", commit) for name, commit in found.items()}

    def resolve(self, version: str) -> tuple[str, str]:
        """(name of the version, its commit); the commit may be abbreviated where it was given so."""
        references = self.references()
        if version == "latest_tag":
            version = newest_tag(references)
        for prefix in ("refs/tags/", "refs/heads/", ""):
            if prefix + version in references:
                return version, references[prefix + version]
        if re.fullmatch(r"[0-9a-f]{7,40}", version):
            return version, version
        raise GitError(
            "The repository %s has no tag, branch or commit '%s'. Set flask_version to one that it has: %s"
            % (self.url, version, ", ".join(names(references)[:12]) or "it is empty")
        )

    def checkout(self, name: str, commit: str, folder: str) -> str:
        """The commit's tree in a new folder, without its submodules; the full commit."""
        self.run("init", "--quiet", folder)
        self.run("remote", "add", "origin", self.url, cwd=folder)
        commit = self._fetch(name, commit, folder)
        self.run("checkout", "--quiet", commit, cwd=folder)
        return commit

    def links(self, folder: str) -> dict:
        """The commits of the submodules of a tree, by their paths."""
        lines = self.run("ls-files", "--stage", "-z", cwd=folder).split("\0")
        entries = [line.partition("\t")[::2] for line in lines if line.startswith(LINK)]
        return {path: about.split()[1] for about, path in entries}

    def submodule(self, path: str, folder: str) -> None:
        """A submodule of a tree with all that it has in it; without the history where its server can."""
        command = ["submodule", "--quiet", "update", "--init", "--recursive"]
        with contextlib.suppress(GitError):
            self.run(*command, "--depth", "1", "--", path, cwd=folder)
            return
        self.run(*command, "--", path, cwd=folder)

    def large_files(self, folder: str) -> None:
        """Fetches the files of a tree that are in Git LFS."""
        self.run("lfs", "install", "--local", "--skip-repo", cwd=folder)  # else it leaves the pointers
        self.run("lfs", "pull", cwd=folder)

    def fetch_history(self, folder: str, *commits: str) -> None:
        """All that led to these commits in a new bare repository, without the files where the server can.

        One of them may be missing there in the end, where no reference leads to it any more.
        """
        self.run("init", "--quiet", "--bare", folder)
        self.run("remote", "add", "origin", self.url, cwd=folder)
        fetch = ["fetch", "--quiet", "--no-tags", "--no-auto-gc"]
        for attempt in (["--filter=blob:none", "origin"], ["--no-filter", "origin"]):
            with contextlib.suppress(GitError):
                self.run(*fetch, *attempt, *commits, cwd=folder)
                return
        self.run(*fetch, "--no-filter", "origin", "+refs/*:refs/remote/*", cwd=folder)

    def has(self, commit: str, folder: str) -> bool:
        """Whether the repository of a fetched history has a commit."""
        return self._succeeds("cat-file", "-e", commit + "^{commit}", cwd=folder)

    def is_ancestor(self, commit: str, later: str, folder: str) -> bool:
        """Whether one commit led to another."""
        return self._succeeds("merge-base", "--is-ancestor", commit, later, cwd=folder)

    def _succeeds(self, *arguments: str, cwd: str) -> bool:
        with contextlib.suppress(GitError):
            self.run(*arguments, cwd=cwd)
            return True
        return False

    def log(self, before: str, after: str, number: int, folder: str) -> list[tuple[str, str]]:
        """(commit, subject) of the newest commits that led to one and not to the other, from the newest."""
        limits = ["--date-order", "--max-count=%d" % number, "%s..%s" % (before, after)]
        text = self.run("log", "--no-show-signature", "--no-color", "--format=%H %s", *limits, cwd=folder)
        lines = [line.partition(" ") for line in text.split("\n") if line]
        return [(commit, subject) for commit, dummy, subject in lines]

    def count(self, before: str, after: str, folder: str) -> int:
        """How many commits led to one and not to the other."""
        return int(self.run("rev-list", "--count", "%s..%s" % (before, after), cwd=folder))

    def _fetch(self, name: str, commit: str, folder: str) -> str:
        """Without the history where the server can; it is needed to complete an abbreviated commit."""
        attempts = [["--depth", "1", self.url, commit], ["--depth", "1", self.url, name]]
        for attempt in (attempts if len(commit) == 40 else []) + [[self.url, "+refs/*:refs/remote/*"]]:
            try:
                self.run("fetch", "--quiet", "--no-tags", *attempt, cwd=folder)
            except GitError as error:
                problem = error
                continue
            problem = None
            with contextlib.suppress(GitError):
                return self.run("rev-parse", "--verify", commit + "^{commit}", cwd=folder).strip()
        if problem:
            raise GitError("The repository %s can't be fetched: %s\n%s" % (self.url, problem, ACCESS))
        raise GitError(
            "The repository %s has no commit %s. Set flask_version to a tag, branch or commit of it."
            % (self.url, commit)
        )


def without_user(url: str) -> str:
    """A web server's URL without what it has before the host; another one as it is."""
    return re.sub(r"^(https?://)[^/]*@", r"\1", url)


def names(references: dict) -> list:
    """Tags from the newest, then branches, as a user would write them."""
    return sorted(tags(references), key=version_order, reverse=True) + sorted(short(references, "refs/heads/"))


def tags(references: dict) -> list:
    """Tags, without the entries for what annotated ones point to."""
    return [tag for tag in short(references, "refs/tags/") if not tag.endswith("^{}")]


def short(references: dict, prefix: str) -> list:
    return [name[len(prefix):] for name in references if name.startswith(prefix)]


def version_order(tag: str) -> tuple:
    """Orders 1.10 after 1.9, and 1.0rc1 before 1.0."""
    release, dummy, rest = re.sub(r"^\D+", "", tag).partition("-")
    numbers = re.match(r"[\d.]*", release).group().strip(".")
    suffix = release[len(numbers):] + rest
    return (tuple(int(number) for number in numbers.split(".") if number), not suffix, suffix)


def newest_tag(references: dict) -> str:
    """The highest version among the tags that are not pre-releases."""
    numbered = [tag for tag in tags(references) if re.search(r"\d", tag)]
    if not numbered:
        raise GitError(
            "flask_version is latest_tag, and the repository has no tag with a number. Tag a version, such as v1.0, or set "
            "flask_version to a branch."
        )
    finals = [tag for tag in numbered if version_order(tag)[1]]
    return max(finals or numbered, key=version_order)
