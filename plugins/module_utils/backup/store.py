# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups in their folder: their names, which one is meant, and whether it is whole.

A backup is a folder with the time as its name. manifest.json is written last, and then the folder gets
its name, so that what was cut off is never taken for a backup.
"""

from __future__ import annotations

import calendar
import json
import os
import shutil
import tarfile
import time

from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.common.stream import digest_of
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import DatabaseError
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import Busy
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

FORMAT = 1
NAME = "%Y%m%dT%H%M%SZ"  # of a backup's folder
MANIFEST, SHARED, SETTINGS, DATABASE = "manifest.json", "shared.tar.gz", "settings.env", "database"
RESERVE = 100 << 20  # bytes that stay free
BEFORE = "before a restoration"  # the reason of the copy that undoes it
ANOTHER = "Set flask_backup to another one."
FORMER = (
    "%s is by another version of the collection (format %s). Restore it with that version, or set flask_backup to another "
    "one."
)


class BackupError(Exception):
    """What is wrong with a backup, or why none can be made."""


PROBLEMS = (BackupError, DatabaseError, CommandError, Busy, OSError, EOFError, tarfile.TarError)


def moment(name: str) -> float | None:
    """When a backup was made, by its name; None for what is none."""
    try:
        return calendar.timegm(time.strptime(name, NAME))
    except ValueError:
        return None


def backups(folder: str) -> list:
    """The names of the backups, the oldest first."""
    try:
        return sorted(name for name in os.listdir(folder) if moment(name) is not None)
    except FileNotFoundError:
        return []


def check_room(folder: str, needed: int, what: str) -> None:
    """BackupError where a disk has no room for so many bytes more."""
    free, needed = shutil.disk_usage(folder).free, needed + RESERVE
    if free < needed:
        raise BackupError(
            "The disk of %s has %d MB free, and %s needs %d MB. Make room." % (folder, free >> 20, what, needed >> 20)
        )


def described(path: str) -> dict:
    """What a manifest says of a file."""
    return dict(sha256=digest_of(path), size=os.path.getsize(path))


def _read_manifest(path: str) -> dict:
    with open(os.path.join(path, MANIFEST), encoding="utf-8") as file:
        return json.load(file)


def verify(site: Site, path: str, of: str = "") -> dict:
    """What a backup's manifest says; BackupError where the backup is not what was made of the application, or of another one."""
    try:
        manifest = _read_manifest(path)
        if manifest["format"] != FORMAT:
            raise BackupError(FORMER % (path, manifest["format"]))
        about = manifest["name"], manifest["files"], manifest["places"], manifest["database"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupError("%s is no complete backup: %s. %s" % (path, error, ANOTHER)) from error
    if about[0] != (of or site.name):
        remedy = "" if of else " If its data is to become that of %s, add -e flask_backup_of=%s." % (site.name, about[0])
        raise BackupError("%s is a backup of %s, and not of %s. %s%s" % (path, about[0], of or site.name, ANOTHER, remedy))
    for name, expected in about[1].items():
        _verify_file(os.path.join(path, os.path.basename(name)), expected)
    return manifest


def _verify_file(path: str, expected: dict) -> None:
    if not os.path.isfile(path):
        raise BackupError("The backup is damaged: there is no %s. %s" % (path, ANOTHER))
    if os.path.getsize(path) != expected["size"]:
        raise BackupError(
            "The backup is damaged: %s has %d bytes instead of %d. %s"
            % (path, os.path.getsize(path), expected["size"], ANOTHER)
        )
    if digest_of(path) != expected["sha256"]:
        raise BackupError("The backup is damaged: the checksum of %s is not the one in %s. %s" % (path, MANIFEST, ANOTHER))


def chosen(folder: str, name: str) -> str:
    """The path of a backup, or of the newest; BackupError where there is none.

    The newest is none that was made by a restoration, or the same command again would undo that one.
    """
    names = [one for one in backups(folder) if one == name or not _is_from_before(os.path.join(folder, one))]
    if not names or (name and name not in names):
        missing = "There is no backup %s in %s." % (name, folder) if name else "There is no backup in %s." % folder
        raise BackupError("%s Set flask_backup to one of these: %s." % (missing, ", ".join(names) or "none"))
    return os.path.join(folder, name or names[-1])


def _is_from_before(path: str) -> bool:
    try:
        return _read_manifest(path)["reason"] == BEFORE
    except (OSError, ValueError, KeyError, TypeError):
        return False  # what is damaged is said, and not passed over
