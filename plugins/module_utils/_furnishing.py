# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release has beside its source: links to what all releases share, and what is public."""

from __future__ import annotations

import os
import shutil

from ansible_collections.selfhost.flask.plugins.module_utils._release import give_tree, path_inside, remove


def furnish(params: dict, folder: str) -> None:
    """Adds what a release has beside its source: links to what is shared, and what is public."""
    shared = os.path.join(params["root"], "shared")
    link(folder, ".env", os.path.join(shared, ".env"))
    for name in params["shared"]:
        link_shared(folder, shared, name, params["user"])
    static = static_folder(folder, params["static_folder"], params["entrypoint"])
    if static:
        link(folder, os.path.join(".public", params["static_url"].strip("/")), static)


def link(folder: str, name: str, target: str) -> None:
    """A relative link in a release, in place of what the repository has there."""
    path = path_inside(folder, name)
    remove(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.symlink(os.path.relpath(target, os.path.dirname(path)), path)


def link_shared(folder: str, shared: str, name: str, user: str) -> None:
    """Replaces a path of the release by a link; what the repository has there is kept once."""
    inside, outside = path_inside(folder, name), os.path.join(shared, name)
    if not os.path.lexists(outside):
        if os.path.isdir(inside) and not os.path.islink(inside):
            shutil.copytree(inside, outside, symlinks=True)
        os.makedirs(outside, exist_ok=True)
        os.chmod(outside, 0o750)
        give_tree(outside, user)
    link(folder, name, outside)


def static_folder(folder: str, wanted: str, entrypoint: str) -> str | None:
    """Where the static files are, or None."""
    package = entrypoint.partition(":")[0].split(".")[0]
    siblings = sorted(os.path.join(name, "static") for name in os.listdir(folder))
    for candidate in [wanted] if wanted else [package + "/static", "static"] + siblings:
        if os.path.isdir(os.path.join(folder, candidate)):
            return os.path.join(folder, candidate)
    return None
