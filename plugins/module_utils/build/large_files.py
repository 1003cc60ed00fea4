# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are in Git LFS: git itself has pointers in their place, which must not become a release."""

from __future__ import annotations

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.build.git import GitError, Repository
from ansible_collections.selfhost.flask.plugins.module_utils.common.words import count_of
from ansible_collections.selfhost.flask.plugins.module_utils.host.packages import PackageError, Packages

POINTER = b"version https://git-lfs.github.com/spec/"
LONGEST = 1024  # bytes of a pointer
PATIENCE = 300  # seconds, for somebody else who installs packages
NOT_THERE = (
    "%(url)s has %(number)s in Git LFS (%(names)s), and they can't be fetched: %(error)s\nSee that the LFS server lets this "
    "host read them, by the user in flask_repo or the deploy key, and run the playbook again."
)
LEFT_OUT = "git-lfs has left them out."
NO_PROGRAM = "%s has %s in Git LFS (%s), and git-lfs, which fetches them, is not there. %s"


def pointers(repository: Repository, folder: str) -> dict:
    """The files of a tree that are only pointers to what LFS has, with the digests of that."""
    names = repository.run("ls-files", "-z", "--", ":(attr:filter=lfs)", cwd=folder).split("\0")
    found = {name: digest_in(os.path.join(folder, name)) for name in filter(None, names)}
    return {name: digest for name, digest in found.items() if digest}


def digest_in(path: str) -> str:
    """The digest of the content that a pointer stands for; empty where a file is none."""
    if os.path.islink(path) or not os.path.isfile(path):
        return ""
    with open(path, "rb") as file:
        return digest_of_pointer(file.read(LONGEST))


def digest_of_pointer(text: bytes) -> str:
    lines = text.decode("utf-8", "replace").splitlines()
    found = [line[len("oid sha256:"):] for line in lines if line.startswith("oid sha256:")]
    return found[0] if text.startswith(POINTER) and found else ""


def fetch_large_files(module: AnsibleModule, repository: Repository, folder: str) -> None:
    """Puts the files themselves in place of their pointers, in a tree and its submodules."""
    for place in repositories_in(folder):
        if pointers(repository, place):
            fetch(module, repository, place)


def repositories_in(folder: str) -> list:
    """A tree, and the submodules in it that are repositories of their own."""
    return [path for path, folders, files in os.walk(folder) if ".git" in folders or ".git" in files]


def fetch(module: AnsibleModule, repository: Repository, place: str) -> None:
    """Of one repository; GitError where one of them is a pointer afterwards, too."""
    missing = pointers(repository, place)
    about = dict(url=repository.url, number=count_of(len(missing), "file"), names=listed(missing))
    try:
        install_programs(module, repository.programs)
        repository.large_files(place)
    except PackageError as problem:
        raise GitError(NO_PROGRAM % (*about.values(), problem)) from problem
    except GitError as problem:
        raise GitError(NOT_THERE % dict(about, error=problem)) from problem
    if pointers(repository, place):
        raise GitError(NOT_THERE % dict(about, error=LEFT_OUT))


def install_programs(module: AnsibleModule, names: tuple) -> None:
    """Debian's packages, which only an application with such files needs."""
    missing = [name for name in names if not module.get_bin_path(name)]
    if missing:
        Packages(module, PATIENCE).complete(missing)


def listed(names: dict) -> str:
    """A few of them."""
    first = ", ".join(sorted(names)[:3])
    return first if len(names) <= 3 else first + " …"
