# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a version of the repository becomes a release."""

from __future__ import annotations

import glob
import os
import re
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils._entrypoint import check_entrypoint
from ansible_collections.selfhost.flask.plugins.module_utils._furnishing import furnish
from ansible_collections.selfhost.flask.plugins.module_utils._git import Repository
from ansible_collections.selfhost.flask.plugins.module_utils._release import (
    application_folder,
    give_tree,
    is_sealed,
    remove,
)

FULL = 40  # characters of a commit that is not abbreviated


def establish(module: AnsibleModule, repository: Repository) -> dict:
    """Makes the release where it is not there yet; what the module returns."""
    params = module.params
    name, commit = repository.resolve(params["version"])
    sealed = was_launched(params, name, commit)
    if not sealed:
        commit, sealed = build(module, repository, name, commit)
    folder = os.path.normpath(os.path.join(release_path(params, name, commit), params["subfolder"]))
    return dict(
        changed=not sealed,
        id=release_id(name, commit),
        path=folder,
        version=name,
        commit=commit,
        **found_in(folder, params["migrations"]),
    )


def build(module: AnsibleModule, repository: Repository, name: str, commit: str) -> tuple[str, bool]:
    """Makes a version a release, but for check mode; its full commit, and whether it was one before."""
    params = module.params
    place = None if module.check_mode else os.path.join(params["root"], "releases")
    with tempfile.TemporaryDirectory(prefix=".incoming-", dir=place) as incoming:
        tree = os.path.join(incoming, "tree")
        commit = repository.checkout(name, commit, tree)
        check_entrypoint(params["entrypoint"], application_folder(tree, params["subfolder"]))
        sealed, release = was_launched(params, name, commit), release_path(params, name, commit)
        if not sealed and not module.check_mode:
            remove(release)
            os.rename(tree, release)
            furnish(params, application_folder(release, params["subfolder"]))
            give_tree(release, params["user"])
    return commit, sealed


def was_launched(params: dict, name: str, commit: str) -> bool:
    """Whether a version was launched before; an abbreviated commit does not say which one it is."""
    return len(commit) == FULL and is_sealed(release_path(params, name, commit))


def release_path(params: dict, name: str, commit: str) -> str:
    return os.path.join(params["root"], "releases", release_id(name, commit))


def release_id(name: str, commit: str) -> str:
    """A folder's name that says the version and is never shared by two commits."""
    slug = re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.")
    return commit[:12] if commit.startswith(slug) else "%s-%s" % (slug, commit[:8])


def found_in(folder: str, migrations: str) -> dict:
    """What of the following steps a release has a use for."""
    catalogues = glob.iglob(os.path.join(folder, "**", "LC_MESSAGES", "*.po"), recursive=True)
    return dict(
        built=os.path.isdir(folder),
        migrations=os.path.isdir(os.path.join(folder, migrations)),
        translations=any(catalogues),
    )
