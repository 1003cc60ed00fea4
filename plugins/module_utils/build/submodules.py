# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tree's submodules: which there are, which are wanted, and which of them a release was made with."""

from __future__ import annotations

import json
import os

from ansible_collections.selfhost.flask.plugins.module_utils.build.git import GitError, Repository
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import read_json, write_file
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import ReleaseError, remove

RECORD = ".source.json"  # in a release of a repository with submodules: which of them it has
MODULES = ".gitmodules"
UNREADABLE = (
    "The submodule %(path)s of %(url)s can't be read: %(error)s\nGive the deploy key, or the user in flask_repo, access to it, or "
    "leave it out: `flask_submodules: %(others)s`."
)


def submodules_of(repository: Repository, folder: str) -> dict:
    """The commits of the submodules of a tree that is checked out, by their paths."""
    if not os.path.lexists(os.path.join(folder, MODULES)):
        return {}
    return repository.links(folder)


def is_wanted(path: str, wanted: object) -> bool:
    """Whether a submodule is one of `flask_submodules`: all, none, or a list of paths."""
    return path in wanted if isinstance(wanted, list) else bool(wanted)


def wanted_of(params: dict) -> bool | list:
    """What the user has chosen, in the forms in which it comes."""
    value = params.get("submodules", True)
    if isinstance(value, (bool, list)):
        return [os.path.normpath(str(path)) for path in value] if isinstance(value, list) else value
    word = str(value).lower()
    if word not in ("true", "yes", "1", "false", "no", "0"):
        raise ReleaseError("flask_submodules is '%s'. Set it to true, to false, or to a list of their paths." % value)
    return word in ("true", "yes", "1")


def fetch_submodules(repository: Repository, folder: str, wanted: bool | list) -> None:
    """Fills the folders of those that are wanted, and notes which these are."""
    remove(os.path.join(folder, RECORD))  # of somebody else
    found = submodules_of(repository, folder)
    unknown = sorted(set(wanted if isinstance(wanted, list) else ()) - set(found))
    if unknown:
        there = ", ".join(found) or "none"
        raise ReleaseError(
            "flask_submodules has %s. Set it to some of those that the repository has: %s." % (", ".join(unknown), there)
        )
    for path in found:
        if is_wanted(path, wanted):
            fetch_submodule(repository, path, folder, found)
    if found:
        about = {path: is_wanted(path, wanted) for path in found}
        write_file(os.path.join(folder, RECORD), json.dumps({"submodules": about}).encode() + b"\n", 0o644)


def fetch_submodule(repository: Repository, path: str, folder: str, found: dict) -> None:
    """One of them; GitError with what leaves it out."""
    try:
        repository.submodule(path, folder)
    except GitError as error:
        others = [other for other in found if other != path]
        about = dict(path=path, url=repository.url, error=error, others="[%s]" % ", ".join(others) if others else "false")
        raise GitError(UNREADABLE % about) from error


def has_submodules(params: dict, release: str) -> bool:
    """Whether a release was made with those that are wanted now; one from before that was noted has all."""
    wanted = wanted_of(params)
    found = (read_json(os.path.join(release, RECORD)) or {}).get("submodules")
    if found is None:
        return wanted is True or not os.path.lexists(os.path.join(release, MODULES))
    return all(is_wanted(path, wanted) == there for path, there in found.items())
