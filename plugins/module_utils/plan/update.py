# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an update from the served release to a version of the repository would change."""

from __future__ import annotations

import os
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.build.checkout import check_out
from ansible_collections.selfhost.flask.plugins.module_utils.build.git import Repository
from ansible_collections.selfhost.flask.plugins.module_utils.build.requirements import (
    compare_requirements,
    requirements,
)
from ansible_collections.selfhost.flask.plugins.module_utils.common.tree import Tree, printable
from ansible_collections.selfhost.flask.plugins.module_utils.database.data import is_without
from ansible_collections.selfhost.flask.plugins.module_utils.flask.env_keys import compare_keys, example_keys
from ansible_collections.selfhost.flask.plugins.module_utils.flask.revisions import compare_revisions, heads, revisions
from ansible_collections.selfhost.flask.plugins.module_utils.plan.served import Served, database_revision, read, site_at
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import application_folder

COMMITS = 50  # that are named; the others are counted
UNREADABLE = "%s can't be read as Python on this host: what it does to the database is not in the plan."


def plan(module: AnsibleModule, repository: Repository, served: Served | None) -> dict:
    """What the module returns, but for the text."""
    version, commit = repository.resolve(module.params["version"])
    with tempfile.TemporaryDirectory(prefix="selfhost-plan-") as folder:
        top = os.path.join(folder, "tree")
        commit = check_out(module, repository, version, commit, top)
        result = compare(module, served, Tree(top, application_folder(top, module.params["subfolder"])))
        changed = served is None or served.commit != commit
        result.update(direction=None, commits=[], commits_total=0)
        if served and changed:
            result.update(known_history(module) or history(repository, served.commit, commit, os.path.join(folder, "history")))
    about = served.about() if served else None
    return dict(result, changed=changed, served=about, version=version, commit=commit)


def compare(module: AnsibleModule, served: Served | None, tree: Tree) -> dict:
    """What differs between the served release and the version's tree."""
    params, before = module.params, served.tree if served else None
    return dict(
        requirements=compare_requirements(*(requirements(each, params) for each in (before, tree))),
        migrations=migrations(module, before, tree),
        env=settings(params, tree),
    )


def migrations(module: AnsibleModule, before: Tree | None, after: Tree) -> dict:
    """What the version would do to the database."""
    params = module.params
    if is_without(site_at(params["root"])):
        return no_migrations()
    old = revisions(before, params["migrations"])[0]
    new, unreadable = revisions(after, params["migrations"])
    for file in unreadable:
        module.warn(UNREADABLE % file)
    present = params["revision"]
    if present is None:
        present = database_revision(params["root"])
    assumed = present is None and bool(old)
    present = heads(old) if present is None else present
    return dict(present=present, assumed=assumed, **compare_revisions(old, new, present))


def no_migrations() -> dict:
    return dict(present=[], assumed=False, **compare_revisions({}, {}, []))


def settings(params: dict, tree: Tree) -> dict:
    """The keys that would be new in .env, those that would be gone, and those that would be missing."""
    text = read(os.path.join(params["root"], "shared", ".env"))
    required = example_keys(tree) if params["required"] is None else params["required"]
    return compare_keys(text, params["values"], required)


def known_history(module: AnsibleModule) -> dict | None:
    """The same as the controller has found it, where the repository is there."""
    return (module.params["source"] or {}).get("history")


def history(repository: Repository, before: str, after: str, folder: str) -> dict:
    """The commits between two, and in which direction they lie."""
    result = dict(direction="unrelated", commits=[], commits_total=0)
    if before:
        repository.fetch_history(folder, before, after)
    if not before or not repository.has(before, folder):
        return result
    ends = before, after
    if repository.is_ancestor(before, after, folder):
        result["direction"] = "forward"
    elif repository.is_ancestor(after, before, folder):
        result["direction"], ends = "backward", (after, before)
    log = repository.log(*ends, COMMITS, folder)
    result["commits"] = [dict(commit=commit[:8], subject=printable(subject)) for commit, subject in log]
    return dict(result, commits_total=repository.count(*ends, folder))


def without_git(params: dict) -> dict:
    """What can be said about a host that is yet to be installed."""
    nothing = dict(served=None, commit="", direction=None, commits=[], commits_total=0)
    return dict(
        nothing,
        changed=True,
        version=params["version"],
        requirements=compare_requirements([], []),
        migrations=no_migrations(),
        env=compare_keys("", params["values"], []),
        text="git is not installed yet: what the deployment would change can't be said.\n",
    )
