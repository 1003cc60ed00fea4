# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder on the controller, of which the action plugin sends a version when the host has no release of it."""

from __future__ import annotations

import hashlib
import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.build.git import GitError, Repository
from ansible_collections.selfhost.flask.plugins.module_utils.build.large_files import pointers
from ansible_collections.selfhost.flask.plugins.module_utils.common import process

# The references of a bundle: the commits of the version and its submodules, and a tree of what is in LFS by its digests.
PLACE = "refs/source/"
LARGE = PLACE + "large"
SPOILT = "%s was damaged on its way from the controller. Run the playbook again."


class SourceWanted(Exception):
    """The host has no release of the version, and the controller has not sent it yet."""


class Bundle(Repository):
    """A version that the controller has found, and packed where it was asked for it."""

    programs = ()

    def __init__(self, module: AnsibleModule, about: dict, place: str) -> None:
        super().__init__(module, place)
        self.about = about

    def resolve(self, version: str) -> tuple[str, str]:
        """As the controller has found it."""
        return self.about["version"], self.about["commit"]

    def checkout(self, name: str, commit: str, folder: str) -> str:
        """The commit's tree. A bundle has no history, which git accepts if it is told so before."""
        if not self.about.get("bundle"):
            raise SourceWanted
        self.run("init", "--quiet", folder)
        lines = self.run("bundle", "list-heads", self.about["bundle"]).splitlines()
        commits = sorted({line.split()[0] for line in lines if not line.endswith(LARGE)})
        with open(os.path.join(folder, ".git/shallow"), "w", encoding="ascii") as file:
            file.writelines(line + "\n" for line in commits)
        self.run("fetch", "--quiet", "--no-tags", self.about["bundle"], "%s*:%s*" % (PLACE, PLACE), cwd=folder)
        os.unlink(self.about["bundle"])  # so that it is gone also where the controller doesn't come to it
        self.run("checkout", "--quiet", commit, cwd=folder)
        return commit

    def submodule(self, path: str, folder: str) -> None:
        """It is in the bundle, and becomes a part of the tree; so do those in it."""
        commit = self.links(folder)[path]
        self.run("update-index", "--force-remove", path, cwd=folder)
        self.run("read-tree", "--prefix=%s/" % path, "-u", commit, cwd=folder)
        for inner in self.links(folder):
            if inner.startswith(path + "/"):
                self.submodule(inner, folder)

    def large_files(self, folder: str) -> None:
        """They are in the bundle, too."""
        for name, digest in pointers(self, folder).items():
            path = os.path.join(folder, name)
            content = process.run([self.git, "-C", folder, "cat-file", "blob", "%s:%s" % (LARGE, digest)])
            if hashlib.sha256(content).hexdigest() != digest:
                raise GitError(SPOILT % name)
            with open(path, "wb") as file:
                file.write(content)
