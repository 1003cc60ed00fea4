# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A git repository in a folder of the controller: which commit a version is there, and what of it the host gets.

A commit goes with its submodules and what it has in Git LFS, and without its history: what was removed from a repository, such as a
password, stays here, and an update sends as much as the version has.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from ansible_collections.selfhost.flask.plugins.module_utils.build.bundle import LARGE, PLACE
from ansible_collections.selfhost.flask.plugins.module_utils.build.git import GitError, Repository
from ansible_collections.selfhost.flask.plugins.module_utils.build.large_files import POINTER, digest_of_pointer
from ansible_collections.selfhost.flask.plugins.module_utils.build.submodules import is_wanted, wanted_of
from ansible_collections.selfhost.flask.plugins.module_utils.plan.update import history

URL = re.compile(r"[^/]*:")  # of a URL, and of host:path, as git reads them
OF_HOOKS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY")
NAMED = 5  # files that a warning names; the others are counted
NO_FOLDER = (
    "flask_repo is %s, and there is no such folder on this machine. Set it to the folder of a git repository, or to a URL; "
    "file://%s is a repository on the host."
)
NO_REPOSITORY = (
    "flask_repo is %s, and that folder is no git repository. What git has of it is deployed: run `git init`, `git add` and "
    "`git commit` in it, or set flask_repo to a repository."
)
INNER = "flask_repo is %s, a folder in the git repository %s. Set flask_repo to that, and flask_subfolder to %s."
NO_COMMIT = "%s has no commit yet. Commit what is to be deployed."
NO_GIT = "flask_repo is the folder %s, and this machine has no git to read it. Install git."
UNCOMMITTED = "%s of %s %s not deployed: %s. Commit what the application needs, and deploy again."
NOT_HERE = (
    "The submodule %(path)s of %(top)s is not checked out there. Run `git -C %(top)s submodule update --init %(path)s`, or leave it "
    "out: see flask_submodules."
)
LARGE_NOT_HERE = "%(name)s in %(top)s is in Git LFS, and is not on this machine. Run `git lfs pull` in that folder."


class Controller:
    """Runs commands here, for the code that a module runs on the host."""

    def __init__(self) -> None:
        self.no_log_values = set()

    def get_bin_path(self, name: str) -> str | None:
        return shutil.which(name)

    def run_command(self, argv: list, cwd: str | None = None, environ_update: dict | None = None, **dummy: object) -> tuple:
        # of a git hook that runs the playbook, the variables would be another repository's
        own = {name: value for name, value in os.environ.items() if name not in OF_HOOKS}
        variables = {**own, "GIT_OPTIONAL_LOCKS": "0", **(environ_update or {})}
        done = subprocess.run(argv, cwd=cwd, env=variables, capture_output=True, check=False, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout.decode("utf-8", "surrogateescape"), done.stderr.decode("utf-8", "replace")


def is_local(repo: str) -> bool:
    """Whether a repository is a path rather than a URL."""
    return bool(repo) and not URL.match(repo)


class LocalSource:
    """A version in such a repository."""

    def __init__(self, path: str, version: str) -> None:
        self.path = os.path.realpath(path)
        self.repository = Repository(Controller(), self.path)
        self._refuse()
        self.version, commit = self.repository.resolve(version)
        self.commit = self._ask("rev-parse", "--verify", "--quiet", commit + "^{commit}").strip()
        if not self.commit:
            raise GitError("%s has no commit %s. Set flask_version to a tag, branch or commit of it." % (path, commit))

    def about(self) -> dict:
        return dict(version=self.version, commit=self.commit)

    def _ask(self, *arguments: str) -> str:
        """What git says in the folder; nothing where it fails."""
        try:
            return self.repository.run(*arguments, cwd=self.path)
        except GitError:
            return ""

    def _refuse(self) -> None:
        """GitError where it is no repository's folder."""
        if not os.path.isdir(self.path):
            raise GitError(NO_FOLDER % (self.path, self.path))
        if not self.repository.git:
            raise GitError(NO_GIT % self.path)
        try:
            self.repository.run("rev-parse", "--git-dir", cwd=self.path)
        except GitError as error:
            said = "" if "not a git repository" in str(error) else " What git says: %s" % error
            raise GitError(NO_REPOSITORY % self.path + said) from error
        top = self._ask("rev-parse", "--show-cdup").strip()
        if top:
            above = os.path.normpath(os.path.join(self.path, top))
            raise GitError(INNER % (self.path, above, os.path.relpath(self.path, above)))
        if not self._ask("for-each-ref", "--count=1") and not self._ask("rev-parse", "--verify", "--quiet", "HEAD"):
            raise GitError(NO_COMMIT % self.path)

    def history(self, before: str) -> dict | None:
        """The commits between the one that is served and this one, as a plan has them."""
        if before in ("", self.commit):
            return None
        with tempfile.TemporaryDirectory() as folder:
            return history(self.repository, before, self.commit, folder)

    def uncommitted(self) -> str:
        """What is in the folder and not in the commit, if that is the one that is checked out; empty for nothing."""
        if self._ask("rev-parse", "HEAD").strip() != self.commit:
            return ""
        lines = self._ask("status", "--porcelain", "-z", "--no-renames", "--ignore-submodules=untracked").split("\0")
        names = sorted(line[3:] for line in lines if line)
        if not names:
            return ""
        more = " and %d more" % (len(names) - NAMED) if len(names) > NAMED else ""
        count = "%d uncommitted or untracked file%s" % (len(names), "s" * (len(names) > 1))
        return UNCOMMITTED % (count, self.path, "are" if len(names) > 1 else "is", ", ".join(names[:NAMED]) + more)

    def pack(self, folder: str, submodules: object) -> str:
        """A bundle of the version in a folder; its path."""
        packing = Packing(self.path, os.path.join(folder, "repository"))
        packing.take(self.path, self.commit)
        packing.take_submodules(self.commit, wanted_of(dict(submodules=submodules)))
        return packing.write(os.path.join(folder, "source.bundle"))


class Packing:
    """A bare repository, with only the commits that the host gets."""

    def __init__(self, top: str, bare: str) -> None:
        self.top = top
        self.bare = bare
        self.repository = Repository(Controller(), top)
        self.commits, self.large = {}, {}
        self.run("init", "--quiet", "--bare", bare, cwd=None)

    def run(self, *arguments: str, cwd: str | None = "") -> str:
        return self.repository.run(*arguments, cwd=self.bare if cwd == "" else cwd)

    def take(self, path: str, commit: str) -> None:
        """A commit of a repository, and what it has in LFS."""
        if commit not in self.commits:
            reference = "%s%d" % (PLACE, len(self.commits))
            self.run("fetch", "--quiet", "--no-tags", "--depth", "1", "--update-shallow", path, "+%s:%s" % (commit, reference))
            self.commits[commit] = reference
            self._take_large_files(path, commit)

    def take_submodules(self, commit: str, wanted: object, folder: str = "") -> None:
        """Those that are chosen, with all within them, as they are checked out here."""
        for line in filter(None, self.run("ls-tree", "-r", "-z", commit).split("\0")):
            about, name = line.split("\t", 1)
            if about.split()[1] == "commit" and is_wanted(name, wanted):
                self._take_submodule(os.path.join(folder, name), about.split()[2])

    def _take_submodule(self, path: str, commit: str) -> None:
        place = os.path.join(self.top, path)
        try:
            if not os.path.exists(os.path.join(place, ".git")):
                raise GitError("")
            self.take(place, commit)
        except GitError as error:
            raise GitError(NOT_HERE % dict(path=path, top=self.top)) from error
        self.take_submodules(commit, True, path)

    def _take_large_files(self, path: str, commit: str) -> None:
        """The content of each pointer, by its digest."""
        for name in self._pointers(commit):
            digest = digest_of_pointer(self.run("cat-file", "blob", "%s:%s" % (commit, name)).encode("utf-8", "surrogateescape"))
            if digest and digest not in self.large:
                content = self._stored(path, digest)
                if not content:
                    raise GitError(LARGE_NOT_HERE % dict(name=name, top=path))
                self.large[digest] = self.run("hash-object", "-w", "--no-filters", content).strip()

    def _pointers(self, commit: str) -> list:
        """The files of a commit that may be pointers; none where no attribute speaks of LFS."""
        try:
            self.run("grep", "--quiet", "filter=lfs", commit, "--", ":(glob)**/.gitattributes")
            text = self.run("grep", "--name-only", "-z", "--text", "--fixed-strings", "-e", POINTER.decode(), commit)
        except GitError:  # there is none
            return []
        return [name.partition(":")[2] for name in text.split("\0") if name]

    def _stored(self, path: str, digest: str) -> str | None:
        """Where git-lfs keeps a file's content here."""
        common = self.run("rev-parse", "--git-common-dir", cwd=path).strip()
        place = Path(path, common, "lfs/objects", digest[:2], digest[2:4], digest)
        return str(place.resolve()) if place.is_file() else None

    def write(self, path: str) -> str:
        """The bundle of all that was taken."""
        for digest, blob in self.large.items():
            self.run("update-index", "--add", "--cacheinfo", "100644,%s,%s" % (blob, digest))
        if self.large:
            self.run("update-ref", LARGE, self.run("write-tree").strip())
        self.run("bundle", "create", "--quiet", os.path.abspath(path), *self.commits.values(), *[LARGE] * bool(self.large))
        return path
