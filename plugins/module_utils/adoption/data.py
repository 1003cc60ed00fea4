# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an installation has written into its folder, among its source: by what git does not know of, or by names."""

from __future__ import annotations

import os
import pwd
import re
import stat
from typing import NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError, run
from ansible_collections.selfhost.flask.plugins.module_utils.database.sqlite_owner import is_database

# What is made again, or is of no use elsewhere.
LEFT_OUT = re.compile(
    r"(^|/)(__pycache__|node_modules|bower_components|\.git|\.idea|\.vscode|\.\w+_cache|\.webassets-cache)(/|$)"
    r"|(^|/)(logs?|[^/]+\.egg-info)(/|$)"
    r"|\.(py[co]|mo|log(\.\d+)?|pid|sock|swp)$|~$|(^|/)(\.DS_Store|\.coverage|\.flaskenv|\.env(\.[\w.-]+)?)$"
)
COMPANIONS = ("-wal", "-shm", "-journal")
DATA_FOLDERS = {"instance", "uploads", "upload", "media", "files", "attachments", "data", "photos", "images", "avatars"}


class Data(NamedTuple):
    """All paths are relative to the folder; those of folders end with a slash."""

    commit: str = ""  # empty where it is no repository
    version: str = ""  # its tag, if it has one
    changed: tuple = ()  # files of the repository that were edited
    files: tuple = ()  # what git does not know of and nobody makes again, without the SQLite files
    databases: tuple = ()  # the SQLite files


def find_data(folder: str, certificates: list) -> Data:
    """What there is beside the source; `certificates` are paths that are a site's, and no data."""
    owner = owner_of(folder)
    if not owner:
        return Data()
    try:
        top = git(folder, owner, "rev-parse", "--show-toplevel").strip()
    except CommandError:
        return sorted_out(folder, walk(folder), certificates)
    options = ("--porcelain=v1", "-z", "--no-renames", "--ignored=traditional", "--untracked-files=normal")
    entries = git(folder, owner, "status", *options).split("\0")
    inner = os.path.relpath(folder, top)
    unknown, changed = read_status(entries, "" if inner == "." else inner + "/")
    found = sorted_out(folder, unknown, certificates)
    try:
        version = git(folder, owner, "describe", "--tags", "--exact-match").strip()
    except CommandError:
        version = ""
    return found._replace(commit=git(folder, owner, "rev-parse", "HEAD").strip(), version=version, changed=tuple(changed))


def owner_of(folder: str) -> str:
    """The name of a folder's owner; empty if there is no such folder, or no such user."""
    try:
        return pwd.getpwuid(os.stat(folder).st_uid).pw_name if os.path.isdir(folder) else ""
    except KeyError:
        return ""


def git(folder: str, owner: str, *words: str) -> str:
    """What git says to whoever owns a repository; it refuses others."""
    argv = ["env", "HOME=/", "GIT_OPTIONAL_LOCKS=0", "git", "-C", folder, *words]
    return run(argv, owner if owner != "root" else "").decode("utf-8", "surrogateescape")


def read_status(entries: list, inner: str) -> tuple:
    """The paths that git does not know of, and those that were changed, of a folder in the repository."""
    pairs = [(entry[:2], entry[3:]) for entry in entries if entry]
    mine = [(code, path[len(inner):]) for code, path in pairs if path.startswith(inner) and path != inner]
    return [path for code, path in mine if code in ("??", "!!")], [path for code, path in mine if code not in ("??", "!!")]


def walk(folder: str) -> list:
    """Without git: the folders whose names are those of data, and SQLite files."""
    found = []
    for path, folders, files in os.walk(folder):
        inner = os.path.relpath(path, folder)
        names = [os.path.normpath(os.path.join(inner, name)) for name in sorted(folders)]
        data = [name for name in names if os.path.basename(name) in DATA_FOLDERS]
        folders[:] = [os.path.basename(name) for name in names if name not in data and not is_left_out(folder, name + "/")]
        found += [name + "/" for name in data]
        found += [os.path.normpath(os.path.join(inner, name)) for name in files if is_database(os.path.join(path, name))]
    return found


def is_left_out(folder: str, path: str) -> bool:
    return bool(LEFT_OUT.search(path)) or os.path.exists(os.path.join(folder, path, "pyvenv.cfg"))


def sorted_out(folder: str, paths: list, certificates: list) -> Data:
    """Data and SQLite files, of what git does not know of. In a folder of the first, there may be some of the latter."""
    paths = [path for path in paths if not is_left_out(folder, path)]
    secret = {os.path.realpath(path) for path in certificates}
    paths = [path for path in paths if not holds(os.path.join(folder, path), secret)]
    databases = [path for path in paths if is_database(os.path.join(folder, path))]
    for top in (path for path in paths if path.endswith("/")):
        for inside, dummy, files in os.walk(os.path.join(folder, top)):
            names = [os.path.relpath(os.path.join(inside, name), folder) for name in files]
            databases += [name for name in names if is_database(os.path.join(folder, name))]
    companions = [path + end for path in databases for end in COMPANIONS]
    files = [path for path in paths if path not in databases + companions and not os.path.islink(os.path.join(folder, path))]
    return Data(files=tuple(sorted(files)), databases=tuple(sorted(databases)))


def holds(path: str, secret: set) -> bool:
    """Whether it is a site's certificate or key, or the folder of one."""
    real = os.path.realpath(path)
    return any(one == real or os.path.dirname(one) == real for one in secret)


def is_inside(path: str, places: list) -> bool:
    return any(path.rstrip("/") == place or path.startswith(place + "/") for place in places)


def count_files(folder: str, places: list, kept: list) -> dict:
    """[files, bytes] of each place; no link is followed. SQLite files are counted, but their size is their own affair."""
    found = {}
    for place in places:
        files = size = 0
        for path, dummy, names in os.walk(os.path.join(folder, place)):
            for full in (os.path.join(path, name) for name in names):
                relative = os.path.relpath(full, folder)
                if relative in kept or is_companion(full) or os.path.islink(full) or not os.path.isfile(full):
                    continue
                files += 1
                size += 0 if is_database(full) else os.path.getsize(full)
        found[place] = [files, size]
    return found


def size_of(folder: str, places: list) -> int:
    """How many bytes the files of the places have, databases among them."""
    paths = (os.path.join(path, name) for place in places for path, dummy, names in os.walk(os.path.join(folder, place))
             for name in names)
    return sum(about.st_size for about in map(os.lstat, paths) if stat.S_ISREG(about.st_mode))


def is_companion(path: str) -> bool:
    return any(path.endswith(end) and is_database(path[:-len(end)]) for end in COMPANIONS)
