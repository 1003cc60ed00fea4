#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flask_plan
short_description: Says what an update of a Flask application would change
version_added: 0.1.0
description:
  - Compares the release that is served with a version in the git repository. Returns the commits
    between them, the requirements that differ, the database migrations that are pending, and the keys
    that are new or missing in C(.env).
  - Changes nothing. The version is checked out into a temporary folder, and its source is read, not
    run; neither the database nor the application is asked.
  - No value of C(.env) is ever part of a result or a diff.
extends_documentation_fragment:
  - selfhost.flask.site
  - selfhost.flask.site.migrations
  - selfhost.flask.repository
  - selfhost.flask.reading
attributes:
  diff_mode:
    description: Shows the plan as a text.
    support: full
options:
  requirements:
    description:
      - The requirements' file, relative to the application's folder.
      - Without it, C(requirements.txt), or the dependencies of C(pyproject.toml).
    type: str
    default: ""
  revision:
    description:
      - The revisions that the database is at; an empty list for a new one.
      - Without it, those in the last record of a served release in C(<root>/releases.json), or else
        those that the served release's migrations lead to.
    type: list
    elements: str
  values:
    description: The keys that the deployment sets in C(.env), without their values.
    type: list
    elements: str
    default: []
  required:
    description:
      - The keys that the application needs in C(.env).
      - Without it, those that have a value in the C(.env.example) of the version.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Say what the update would change
  selfhost.flask.flask_plan:
    root: /srv/blog
    repo: https://git.example.com/blog
    version: v1.3
    values: [DATABASE_URL, SECRET_KEY]
  register: plan

- name: Refuse an update that would change the database
  ansible.builtin.assert:
    that: not plan.migrations.pending
    fail_msg: "{{ plan.text }}"
"""

RETURN = r"""
changed:
  description: Whether the version's commit is another one than the served release's.
  type: bool
  returned: always
served:
  description: The release that is served; null where none is yet.
  type: dict
  returned: success
  contains:
    release:
      description: Name of the release.
      type: str
    version:
      description: Name of its version.
      type: str
    commit:
      description: Its full commit; empty where there is no record of it.
      type: str
  sample: {release: v1.2-7f7c99a2, version: v1.2, commit: 7f7c99a2c1e0b7c3d0c0a6f8f3f2f0a4d9f2b611}
version:
  description: Name of the version; the tag where V(latest_tag) was asked for.
  type: str
  returned: success
commit:
  description: The version's full commit; empty where git is not installed yet.
  type: str
  returned: success
direction:
  description:
    - V(forward) where the served commit led to the version's, V(backward) where it is the other way
      round, V(unrelated) where neither did.
    - Null where nothing is served yet or the commit is the same.
  type: str
  returned: success
  sample: forward
commits:
  description:
    - The commits between the served release and the version, from the newest, at most 50. Those that
      would be taken back where RV(direction) is V(backward).
    - None where the repository does not have the served commit any more.
  type: list
  elements: dict
  returned: success
  contains:
    commit:
      description: The first 8 characters of the commit.
      type: str
    subject:
      description: First line of its message.
      type: str
  sample: [{commit: 1b7a2dd9, subject: Likes}]
commits_total:
  description: The number of commits between them.
  type: int
  returned: success
requirements:
  description:
    - The requirements and constraints that differ, with the files that are included; without hashes,
      options, and users and queries in URLs.
  type: dict
  returned: success
  contains:
    added:
      description: Requirements of the version alone.
      type: list
      elements: str
    removed:
      description: Requirements of the served release alone.
      type: list
      elements: str
    changed:
      description: The projects that both require, but not alike, with C(name), C(before) and C(after).
      type: list
      elements: dict
  sample: {added: [humanize==4.9], removed: [], changed: [{name: flask, before: 3.0.2, after: 3.0.3}]}
migrations:
  description: What the version's migrations would do to the database.
  type: dict
  returned: success
  contains:
    present:
      description: The revisions that the database is at.
      type: list
      elements: str
    assumed:
      description: Whether that follows only from the served release's migrations.
      type: bool
    pending:
      description: What would be applied, in this order, each with C(revision), C(message) and C(file).
      type: list
      elements: dict
    undone:
      description:
        - What the database has and the version does not know, from the newest. It would have to be
          undone before, with the release that is served.
      type: list
      elements: dict
  sample:
    present: [1f6d0a93b7c1]
    assumed: false
    pending:
      - revision: 2b8e4c75d0f2
        message: likes and languages
        file: migrations/versions/2b8e4c75d0f2_likes_and_languages.py
    undone: []
env:
  description: The keys that differ in C(.env).
  type: dict
  returned: success
  contains:
    added:
      description: Keys in O(values) that C(.env) lacks.
      type: list
      elements: str
    missing:
      description: Keys in O(required) that are neither in C(.env) nor in O(values).
      type: list
      elements: str
  sample: {added: [API_TOKEN], missing: [MAIL_KEY]}
text:
  description: All of this for a person to read.
  type: str
  returned: success
  sample: |
    update of blog: v1.2 (7f7c99a2) -> v1.3 (1b7a2dd9)
    1 commit:
      1b7a2dd9 Likes
    requirements: + humanize==4.9, ~ flask 3.0.2 -> 3.0.3
    database: 1 revision pending: 2b8e4c75d0f2 likes and languages
    .env: + API_TOKEN; missing: MAIL_KEY
"""

import json
import os
import re
import tempfile
from typing import NamedTuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils._arguments import MIGRATIONS, REPOSITORY, SITE
from ansible_collections.selfhost.flask.plugins.module_utils._database import DatabaseError
from ansible_collections.selfhost.flask.plugins.module_utils._database_url import database_of
from ansible_collections.selfhost.flask.plugins.module_utils._env_keys import assigned_keys, compare_keys, example_keys
from ansible_collections.selfhost.flask.plugins.module_utils._git import GitError, Repository
from ansible_collections.selfhost.flask.plugins.module_utils._plan import text_of
from ansible_collections.selfhost.flask.plugins.module_utils._release import (
    SEAL,
    ReleaseError,
    path_inside,
    read_link,
)
from ansible_collections.selfhost.flask.plugins.module_utils._requirements import compare_requirements, requirements
from ansible_collections.selfhost.flask.plugins.module_utils._results import diff_result
from ansible_collections.selfhost.flask.plugins.module_utils._revisions import compare_revisions, heads, revisions
from ansible_collections.selfhost.flask.plugins.module_utils._site import CommandError, Site
from ansible_collections.selfhost.flask.plugins.module_utils._tree import Tree, printable

COMMITS = 50  # that are named; the others are counted
UNREADABLE = "%s can't be read as Python on this host: what it does to the database is not in the plan."


class Served(NamedTuple):
    """The release that is served."""

    release: str
    version: str
    commit: str
    tree: Tree

    def about(self) -> dict:
        return dict(release=self.release, version=self.version, commit=self.commit)


def read(path: str) -> str:
    """A file's text; an empty one where there is no file."""
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def read_record(path: str) -> dict | list | None:
    """What a deployment recorded, or None."""
    try:
        return json.loads(read(path))
    except ValueError:
        return None


def served_release(root: str) -> Served | None:
    """What `current` points to; the application may be in a subfolder."""
    link = read_link(os.path.join(root, "current"))
    if not link:
        return None
    releases, folder = os.path.join(root, "releases"), os.path.normpath(os.path.join(root, link))
    name = os.path.relpath(folder, releases).split(os.sep)[0]
    top = os.path.join(releases, name)
    about = read_record(os.path.join(top, SEAL)) or {}
    commit = about.get("commit", "")
    commit = commit if re.fullmatch("[0-9a-f]{40,64}", commit) else ""
    return Served(name, about.get("version", ""), commit, Tree(top, folder))


def database_revision(root: str) -> list | None:
    """The revisions that the database says it is at, or else those that were recorded."""
    database = database_of(Site(os.path.basename(os.path.normpath(root)), root, ""))
    try:
        return database.revision() if database else recorded_revision(root)
    except (CommandError, DatabaseError):
        return recorded_revision(root)


def recorded_revision(root: str) -> list | None:
    """The database's revisions after the last deployment that ended well, where they were recorded."""
    entries = read_record(os.path.join(root, "releases.json")) or []
    revision = next((entry.get("revision") for entry in reversed(entries) if entry["outcome"] == "served"), None)
    return [revision] if isinstance(revision, str) else revision


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


def migrations(module: AnsibleModule, before: Tree | None, after: Tree) -> dict:
    """What the version would do to the database."""
    params = module.params
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


def settings(params: dict, tree: Tree) -> dict:
    """The keys that would be new in .env, and those that would be missing."""
    present = assigned_keys(read(os.path.join(params["root"], "shared", ".env")))
    required = example_keys(tree) if params["required"] is None else params["required"]
    return compare_keys(present, params["values"], required)


def compare(module: AnsibleModule, served: Served | None, tree: Tree) -> dict:
    """What differs between the served release and the version's tree."""
    params, before = module.params, served.tree if served else None
    return dict(
        requirements=compare_requirements(*(requirements(each, params["requirements"]) for each in (before, tree))),
        migrations=migrations(module, before, tree),
        env=settings(params, tree),
    )


def plan(module: AnsibleModule, repository: Repository, served: Served | None) -> dict:
    """What the module returns, but for the text."""
    version, commit = repository.resolve(module.params["version"])
    with tempfile.TemporaryDirectory(prefix="selfhost-plan-") as folder:
        top = os.path.join(folder, "tree")
        commit = repository.checkout(version, commit, top)
        inside = path_inside(top, os.path.join(module.params["subfolder"], ".env"))
        result = compare(module, served, Tree(top, os.path.dirname(inside)))
        changed = served is None or served.commit != commit
        result.update(direction=None, commits=[], commits_total=0)
        if served and changed:
            result.update(history(repository, served.commit, commit, os.path.join(folder, "history")))
    about = served.about() if served else None
    return dict(result, changed=changed, served=about, version=version, commit=commit)


def without_git(module: AnsibleModule) -> dict:
    """What can be said about a host that is yet to be installed."""
    if not module.check_mode:
        module.fail_json(msg="git is not installed. Install the package git.")
    nothing = dict(served=None, commit="", direction=None, commits=[], commits_total=0)
    return dict(
        nothing,
        changed=True,
        version=module.params["version"],
        requirements=compare_requirements([], []),
        migrations=dict(present=[], assumed=False, **compare_revisions({}, {}, [])),
        env=compare_keys([], module.params["values"], []),
        text="git is not installed yet: what the deployment would change can't be said.\n",
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            SITE,
            **MIGRATIONS,
            **REPOSITORY,
            requirements=dict(type="str", default=""),
            revision=dict(type="list", elements="str"),
            values=dict(type="list", elements="str", default=[]),
            required=dict(type="list", elements="str"),
        ),
        supports_check_mode=True,
    )
    repository = Repository(module, module.params["repo"], module.params["key"])
    try:
        if repository.git is None:
            result = without_git(module)
        else:
            with repository.access():
                result = plan(module, repository, served_release(module.params["root"]))
            name = os.path.basename(os.path.normpath(module.params["root"]))
            result["text"] = text_of(name, result)
    except (GitError, ReleaseError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**diff_result(module, [dict(prepared=result["text"])]), **result)


if __name__ == "__main__":
    main()
