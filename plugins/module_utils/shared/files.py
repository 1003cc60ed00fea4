# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an application has written into shared/. Its user packs and replaces it: root follows none of its links."""

from __future__ import annotations

import gzip
import json
import os
import tarfile
from typing import Iterable

from ansible_collections.selfhost.flask.plugins.module_utils.common.stream import output_of, write_compressed
from ansible_collections.selfhost.flask.plugins.module_utils.common.user_program import user_argv
from ansible_collections.selfhost.flask.plugins.module_utils.database import sqlite_owner
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import Database
from ansible_collections.selfhost.flask.plugins.module_utils.database.sqlite import SQLite
from ansible_collections.selfhost.flask.plugins.module_utils.shared import owner
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site


def places(site: Site) -> list:
    """The folders in shared/ that are the application's. All above them is root's, so no link leads out."""
    found, rest = [], [""]
    while rest:
        inner = rest.pop()
        for entry in os.scandir(site.path("shared", inner)):
            if entry.is_dir(follow_symlinks=False):
                mine = entry.stat(follow_symlinks=False).st_uid == 0
                (rest if mine else found).append(os.path.join(inner, entry.name))
    return sorted(found)


def inside(site: Site, database: Database) -> str:
    """The path in shared/ of a SQLite database; empty for any other."""
    path = os.path.relpath(os.path.realpath(database.name), os.path.realpath(site.path("shared")))
    return path if database.kind == SQLite.kind and not path.startswith("..") else ""


def owner_argv(site: Site, action: str, folders: list, databases: Iterable[Database] = ()) -> list:
    """What the application's user runs to do something with its files; these databases are left alone."""
    files = list(filter(None, [inside(site, one) for one in databases]))
    about = {"places": folders, "kept": [path + end for path in files for end in ("", *owner.COMPANIONS)]}
    return user_argv((sqlite_owner, owner), site.path("shared"), action, json.dumps(about))


def pack(site: Site, path: str, databases: Iterable[Database] = ()) -> dict:
    """Packs them, but for these databases, which are copied as such; what the manifest says of them."""
    folders, size = places(site), 0

    def counted():
        nonlocal size
        for piece in output_of(owner_argv(site, "pack", folders, databases), site.name):
            size += len(piece)
            yield piece

    write_compressed(path, counted())
    return dict(places=folders, unpacked=size)


def count(path: str) -> dict:
    """The files in an archive, which is read to its end, and those of them that are SQLite databases."""
    files, databases = 0, []
    with gzip.open(path) as file:
        with tarfile.open(fileobj=file, mode="r|") as archive:
            for member in filter(tarfile.TarInfo.isreg, archive):
                files += 1
                if archive.extractfile(member).read(len(sqlite_owner.HEADER)) == sqlite_owner.HEADER:
                    databases.append(member.name)
    return dict(files=files, sqlite=databases)
