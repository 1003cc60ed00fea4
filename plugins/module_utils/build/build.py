# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a version of the repository becomes a release."""

from __future__ import annotations

import glob
import os
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.build.checkout import check_out
from ansible_collections.selfhost.flask.plugins.module_utils.build.commands import RECORD
from ansible_collections.selfhost.flask.plugins.module_utils.build.furnishing import furnish
from ansible_collections.selfhost.flask.plugins.module_utils.build.git import Repository
from ansible_collections.selfhost.flask.plugins.module_utils.build.identity import Identity
from ansible_collections.selfhost.flask.plugins.module_utils.build.needs import Needs
from ansible_collections.selfhost.flask.plugins.module_utils.build.needs_check import check_needs
from ansible_collections.selfhost.flask.plugins.module_utils.build.pythons import find_interpreter
from ansible_collections.selfhost.flask.plugins.module_utils.build.scm import version_of
from ansible_collections.selfhost.flask.plugins.module_utils.build.sources import Sources
from ansible_collections.selfhost.flask.plugins.module_utils.common.tree import Tree
from ansible_collections.selfhost.flask.plugins.module_utils.flask.entrypoint import check_entrypoint, module_source
from ansible_collections.selfhost.flask.plugins.module_utils.shared.record import bring_shared
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import application_folder, give_tree, remove
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

FULL = 40  # characters of a commit that is not abbreviated
UNINSTALLED = (
    "%(source)s is where Python finds it only if the project is installed, and %(file)s does not ask for that. Set "
    "app_requirements to pyproject.toml or setup.py, or add the line `-e .` to %(file)s."
)


def establish(module: AnsibleModule, repository: Repository) -> dict:
    """Makes the release where it is not there yet; what the module returns."""
    params, identity = module.params, Identity(module)
    name, commit = repository.resolve(params["version"])
    params["scm_version"] = version_of(name, commit)
    # an abbreviated commit does not say which one it is
    release, launched = identity.find(name, commit) if len(commit) == FULL else ("", False)
    if not launched:
        commit, release, launched = build(module, repository, identity, name, commit)
    folder = os.path.normpath(os.path.join(release, params["subfolder"]))
    return dict(
        changed=not launched,
        launched=launched,
        id=os.path.basename(release),
        path=folder,
        version=name,
        commit=commit,
        commits=identity.commits,
        scm_version=params["scm_version"],
        **found_in(folder, params["migrations"]),
    )


def build(
    module: AnsibleModule, repository: Repository, identity: Identity, name: str, commit: str
) -> tuple[str, str, bool]:
    """Makes a version a release, but for check mode: its full commit, its path, and whether it was launched."""
    params = module.params
    place = None if module.check_mode else os.path.join(params["root"], "releases")
    with tempfile.TemporaryDirectory(prefix=".incoming-", dir=place) as incoming:
        top = os.path.join(incoming, "tree")
        commit = check_out(module, repository, name, commit, top)
        tree = Tree(top, application_folder(top, params["subfolder"]))
        check_entrypoint(params["entrypoint"], tree.folder, params.get("config_files") or params.get("written") or ())
        warn_of_source(module, tree, check_needs(tree, params))
        if not module.check_mode:
            find_interpreter(module, tree)  # or refuse, before there is anything of a release
        release, launched = identity.find(name, commit)
        if not launched and not module.check_mode:
            identity.resolve(tree)
            place_tree(params, top, release)
    return commit, release, launched


def warn_of_source(module: AnsibleModule, tree: Tree, needs: Needs) -> None:
    """Says where the application's module is in a folder that Python does not look into, and nothing installs it."""
    source = module_source(module.params["entrypoint"].partition(":")[0], tree.folder) or ""
    if source.startswith(os.path.join(tree.folder, "src", "")) and needs.how == "files" and not Sources(tree, needs).local:
        about = dict(source=os.path.relpath(source, tree.folder), file=os.path.relpath(needs.path, tree.folder))
        module.warn(UNINSTALLED % about)


def place_tree(params: dict, tree: str, release: str) -> None:
    """Puts a checked out tree where its user builds it, with what a release has beside its source."""
    remove(release)
    remove(os.path.join(tree, RECORD))  # of somebody else
    os.rename(tree, release)
    folder = application_folder(release, params["subfolder"])
    furnish(params, folder)
    give_tree(release, params["user"])
    bring_shared(Site(params["user"], params["root"], ""), folder, replace=False)


def found_in(folder: str, migrations: str) -> dict:
    """What of the following steps a release has a use for."""
    catalogues = glob.iglob(os.path.join(folder, "**", "LC_MESSAGES", "*.po"), recursive=True)
    return dict(
        built=os.path.isdir(folder),
        migrations=bool(migrations) and os.path.isdir(os.path.join(folder, migrations)),
        translations=any(catalogues),
    )
