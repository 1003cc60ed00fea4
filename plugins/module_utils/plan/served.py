# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an application serves, and where its database is, as the host's own records say."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.common.files import read_json
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.common.tree import Tree
from ansible_collections.selfhost.flask.plugins.module_utils.database.data import database_of
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import DatabaseError
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import SEAL, read_link
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site


class Served(NamedTuple):
    """The release that is served."""

    release: str
    version: str
    commit: str
    tree: Tree

    def about(self) -> dict:
        return dict(release=self.release, version=self.version, commit=self.commit)


def served_release(root: str) -> Served | None:
    """What `current` points to; the application may be in a subfolder."""
    link = read_link(os.path.join(root, "current"))
    if not link:
        return None
    releases, folder = os.path.join(root, "releases"), os.path.normpath(os.path.join(root, link))
    name = os.path.relpath(folder, releases).split(os.sep)[0]
    top = os.path.join(releases, name)
    about = read_json(os.path.join(top, SEAL)) or {}
    commit = about.get("commit", "")
    commit = commit if re.fullmatch("[0-9a-f]{40,64}", commit) else ""
    return Served(name, about.get("version", ""), commit, Tree(top, folder))


def site_at(root: str) -> Site:
    """The application whose folder it is."""
    return Site(os.path.basename(os.path.normpath(root)), root, "")


def database_revision(root: str) -> list | None:
    """The revisions that the database says it is at, or else those that were recorded."""
    database = database_of(site_at(root))
    try:
        return database.revision() if database else recorded_revision(root)
    except (CommandError, DatabaseError):
        return recorded_revision(root)


def recorded_revision(root: str) -> list | None:
    """The database's revisions after the last deployment that ended well, where they were recorded."""
    entries = read_json(os.path.join(root, "releases.json")) or []
    revision = next((entry.get("revision") for entry in reversed(entries) if entry["outcome"] == "served"), None)
    return [revision] if isinstance(revision, str) else revision


def read(path: str) -> str:
    """A file's text; an empty one where there is no file."""
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
