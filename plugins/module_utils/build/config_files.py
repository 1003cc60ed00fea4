# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the user's that a release has beside its source, such as config.py; nobody but the application reads them.

One at a shared path comes to shared/ as the repository's own files do.
"""

from __future__ import annotations

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import read_json, write_file, write_json
from ansible_collections.selfhost.flask.plugins.module_utils.common.tree import Tree
from ansible_collections.selfhost.flask.plugins.module_utils.shared.content import BROUGHT
from ansible_collections.selfhost.flask.plugins.module_utils.shared.record import bring_shared
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import (
    give_tree,
    path_inside,
    remove,
    seal_tree,
)
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

RECORD = ".config-files.json"  # beside them: their paths
MODE = 0o640


def establish_config_files(module: AnsibleModule, tree: Tree) -> None:
    """Adds the files to a release that is made but for them: no build has read them, and none leads root elsewhere."""
    if module.check_mode or not (module.params["config_files"] or os.path.lexists(os.path.join(tree.folder, RECORD))):
        return
    seal_tree(tree.top)
    configure(module.params, tree.folder)
    give_tree(tree.top, module.params["user"])
    bring_shared(Site(module.params["user"], module.params["root"], ""), tree.folder, replace=False)


def configure(params: dict, folder: str) -> None:
    """Writes the files, in place of what the repository has there."""
    wanted, record = places(params), path_inside(folder, RECORD)
    remove(record)
    for name, content in wanted.items():
        path = path_inside(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        remove(path)
        write_file(path, content, MODE)
    if wanted:
        write_json(record, sorted(wanted), MODE)


def is_configured(params: dict, folder: str) -> bool:
    """Whether a release has these files, and no other ones."""
    wanted = places(params)
    if (read_json(os.path.join(folder, RECORD)) or []) != sorted(wanted):
        return False
    try:
        return all(read(os.path.join(folder, name)) == content for name, content in wanted.items())
    except OSError:
        return False


def private_files(folder: str) -> frozenset:
    """The paths of these files in a release that has some."""
    names = read_json(os.path.join(folder, RECORD)) or []
    return frozenset(os.path.join(folder, name) for name in [*names, RECORD])


def places(params: dict) -> dict:
    """Where in the release each file is, and its content."""
    shared = tuple(os.path.normpath(name) + os.sep for name in params["shared"])
    found = {os.path.normpath(name): text.encode() for name, text in (params.get("config_files") or {}).items()}
    return {os.path.join(BROUGHT, name) if name.startswith(shared) else name: text for name, text in found.items()}


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
