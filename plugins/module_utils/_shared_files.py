# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an application has written into shared/. Its user packs and replaces it: root follows none of its links."""

from __future__ import annotations

import gzip
import json
import os
import tarfile

from ansible_collections.selfhost.flask.plugins.module_utils import _shared_owner
from ansible_collections.selfhost.flask.plugins.module_utils._database_url import database_of
from ansible_collections.selfhost.flask.plugins.module_utils._site import Site
from ansible_collections.selfhost.flask.plugins.module_utils._sqlite import SQLite
from ansible_collections.selfhost.flask.plugins.module_utils._stream import output_of, write_compressed


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


def database_files(site: Site) -> list:
    """The files of a SQLite database in shared/, which is copied and restored as a database."""
    database = database_of(site)
    if not isinstance(database, SQLite):
        return []
    shared = os.path.realpath(site.path("shared"))
    path = os.path.relpath(os.path.realpath(database.name), shared)
    return [path + suffix for suffix in ("", "-wal", "-shm", "-journal")]


def owner_argv(site: Site, action: str, folders: list) -> list:
    """What the application's user runs to do something with its files."""
    source = _shared_owner.__loader__.get_source(_shared_owner.__name__)
    about = {"places": folders, "kept": database_files(site)}
    return ["/usr/bin/python3", "-I", "-c", source, site.path("shared"), action, json.dumps(about)]


def pack(site: Site, path: str) -> dict:
    """Packs them; what the manifest says of them."""
    folders, size = places(site), 0

    def counted():
        nonlocal size
        for piece in output_of(owner_argv(site, "pack", folders), site.name):
            size += len(piece)
            yield piece

    write_compressed(path, counted())
    return dict(places=folders, unpacked=size)


def count(path: str) -> int:
    """The number of files in an archive, which is read to its end."""
    with gzip.open(path) as file:
        with tarfile.open(fileobj=file, mode="r|") as archive:
            return sum(member.isreg() for member in archive)
