# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release has beside its source: links to what all releases share, and what is public."""

from __future__ import annotations

import os
from typing import Iterator

from ansible_collections.selfhost.flask.plugins.module_utils.common.manifest import walk
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import run
from ansible_collections.selfhost.flask.plugins.module_utils.shared.content import BROUGHT
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import (
    ReleaseError,
    give_tree,
    path_inside,
    remove,
)

PUBLIC = ".public"


def furnish(params: dict, folder: str) -> None:
    """Adds what a release has beside its source, in place of what the repository has there."""
    remove(path_inside(folder, BROUGHT))
    for name in params["shared"]:
        set_aside(folder, name)
        make_shared(os.path.join(params["root"], "shared"), name, params["user"])
        link(folder, name, os.path.join(params["root"], "shared", name))  # static files may be in it
    publish(params, folder)


def publish(params: dict, folder: str) -> None:
    """Makes the links of a release, also once commands have made what is public in it."""
    remove(path_inside(folder, PUBLIC))
    for name, target in links(params, folder).items():
        link(folder, name, target)


def links(params: dict, folder: str) -> dict:
    """The links of a release, and what they lead to."""
    shared = os.path.join(params["root"], "shared")
    found = {os.path.normpath(name): os.path.join(shared, name) for name in [".env", *params["shared"]]}
    static = static_folder(folder, params["static_folder"], params["entrypoint"])
    if static:
        found[os.path.normpath(os.path.join(PUBLIC, params["static_url"].strip("/")))] = static
    return found


def is_furnished(params: dict, folder: str) -> bool:
    """Whether a release has the links that the settings ask for, and no other ones."""
    if not os.path.isdir(folder):
        return False
    wanted, shared = links(params, folder), os.path.join(params["root"], "shared") + os.sep
    present = {name: leads_to(entry.path) for name, entry in walk(folder) if entry.is_symlink()}
    ours = {name for name, target in present.items() if target.startswith(shared) or is_public(name)}
    return ours == set(wanted) and all(present[name] == os.path.normpath(wanted[name]) for name in wanted)


def is_public(name: str) -> bool:
    return (name + os.sep).startswith(PUBLIC + os.sep)


def leads_to(path: str) -> str:
    return os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))


def link(folder: str, name: str, target: str) -> None:
    """A relative link in a release, in place of what the repository has there."""
    path = path_inside(folder, name)
    remove(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.symlink(os.path.relpath(target, os.path.dirname(path)), path)


def set_aside(folder: str, name: str) -> None:
    """Keeps what the repository has at a shared path, for the application's user to bring it to shared/."""
    inside = path_inside(folder, name)
    if os.path.isfile(inside) and not os.path.islink(inside):
        raise ReleaseError(
            "%s is a file in the repository, and flask_shared_paths has folders. Set the folder that it is in." % name
        )
    if os.path.isdir(inside) and not os.path.islink(inside):
        aside = os.path.join(folder, BROUGHT, name)
        os.makedirs(os.path.dirname(aside), exist_ok=True)
        os.rename(inside, aside)


def make_shared(shared: str, name: str, user: str) -> None:
    """Makes a folder in shared/ for the user; in a folder of his own, he does it himself."""
    path, whole = shared, os.path.join(shared, os.path.normpath(name))
    for part in os.path.normpath(name).split(os.sep):
        if os.lstat(path).st_uid != os.geteuid():
            run(["mkdir", "-p", "--", whole], user)
            return
        path = os.path.join(path, part)
        if not os.path.lexists(path):
            os.mkdir(path)
            os.chmod(path, 0o750 if path == whole else 0o755)
            if path == whole:
                give_tree(path, user)


def is_package(entry: os.DirEntry) -> bool:
    """Whether it may be one of the application's: what a release has beside its source is hidden or a link."""
    return not entry.name.startswith(".") and not entry.is_symlink()


def static_folder(folder: str, wanted: str, entrypoint: str) -> str | None:
    """Where the static files are, or None."""
    packages = list(packages_of(entrypoint))
    siblings = sorted(os.path.join(entry.name, "static") for entry in os.scandir(folder) if is_package(entry))
    usual = [packages[0] + "/static", "static", *("src/%s/static" % name for name in packages)]
    for candidate in [wanted] if wanted else [*usual, *(name + "/static" for name in packages[1:]), *siblings]:
        if os.path.isdir(os.path.join(folder, candidate)):
            return os.path.join(folder, candidate)
    return None


def packages_of(entrypoint: str) -> Iterator[str]:
    """The folders in which the module may be that is imported, from the outermost."""
    names = entrypoint.partition(":")[0].split(".")
    for count in range(1, len(names) + 1):
        yield os.path.join(*names[:count])
