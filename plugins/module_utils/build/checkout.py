# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A version's files in a folder: what git has, its submodules, and what is in Git LFS; with nothing of git itself."""

from __future__ import annotations

import os
import shutil

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.build.bundle import Bundle
from ansible_collections.selfhost.flask.plugins.module_utils.build.git import Repository
from ansible_collections.selfhost.flask.plugins.module_utils.build.large_files import fetch_large_files
from ansible_collections.selfhost.flask.plugins.module_utils.build.submodules import fetch_submodules, wanted_of


def repository_of(module: AnsibleModule) -> Repository:
    """Where a module's options say that the source is: at a URL, or in a folder on the controller."""
    params = module.params
    if params.get("source"):
        return Bundle(module, params["source"], params["repo"])
    return Repository(module, params["repo"], params["key"])


def check_out(module: AnsibleModule, repository: Repository, name: str, commit: str, folder: str) -> str:
    """All files of a version in a new folder; its full commit. In check mode nothing is installed, so LFS has to wait."""
    commit = repository.checkout(name, commit, folder)
    fetch_submodules(repository, folder, wanted_of(module.params))
    if not module.check_mode:
        fetch_large_files(module, repository, folder)
    forget_git(folder)
    return commit


def forget_git(folder: str) -> None:
    """Removes what git has of its own in a tree and its submodules."""
    for path, folders, files in os.walk(folder):
        if ".git" in folders:
            folders.remove(".git")
            shutil.rmtree(os.path.join(path, ".git"))
        if ".git" in files:
            os.unlink(os.path.join(path, ".git"))
