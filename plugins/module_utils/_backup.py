# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of an application: its database, what it writes into shared/, and its settings.

A backup is a folder with the time as its name. manifest.json is written last, and then the folder gets
its name, so that what was cut off is never taken for a backup.
"""

from __future__ import annotations

import calendar
import contextlib
import gzip
import json
import os
import shutil
import sys
import tarfile
import time
from collections.abc import Callable
from typing import NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils import _shared_owner
from ansible_collections.selfhost.flask.plugins.module_utils._database import DatabaseError
from ansible_collections.selfhost.flask.plugins.module_utils._database_url import database_of
from ansible_collections.selfhost.flask.plugins.module_utils._files import write_file
from ansible_collections.selfhost.flask.plugins.module_utils._records import Records
from ansible_collections.selfhost.flask.plugins.module_utils._release import read_link
from ansible_collections.selfhost.flask.plugins.module_utils._restic import Restic, restic_of
from ansible_collections.selfhost.flask.plugins.module_utils._site import (
    Busy,
    CommandError,
    Site,
    _wait_for,
    step,
)
from ansible_collections.selfhost.flask.plugins.module_utils._sqlite import SQLite
from ansible_collections.selfhost.flask.plugins.module_utils._stream import digest_of, output_of, write_compressed

FORMAT = 1
NAME = "%Y%m%dT%H%M%SZ"  # of a backup's folder
MANIFEST, SHARED, SETTINGS, DATABASE = "manifest.json", "shared.tar.gz", "settings.env", "database"
PATIENCE = 600  # seconds to wait for a deployment's step, or for another backup
RECENT = 24 * 3600  # seconds for which every backup is kept
RESERVE = 100 << 20  # bytes that stay free
PERIODS = {"daily": "%Y-%m-%d", "weekly": "%G-%V", "monthly": "%Y-%m"}
BEFORE = "before a restoration"  # the reason of the copy that undoes it
PROGRAM = "backup.pyz"
PARTS = (
    "_backup _database _database_url _dotenv _files _mysql _records _release _restic _shared_owner _site _sqlite "
    "_sqlite_owner _stream"
).split()
MAIN = "from %s import main\n\nmain()\n" % __name__


class BackupError(Exception):
    """What is wrong with a backup, or why none can be made."""


PROBLEMS = (BackupError, DatabaseError, CommandError, Busy, OSError, EOFError, tarfile.TarError)


class Settings(NamedTuple):
    """What the host was told of the backups of an application."""

    site: Site
    folder: str
    keep: dict


def read_settings(root: str) -> Settings:
    """BackupError where the host was told nothing yet."""
    try:
        with open(os.path.join(root, "deployment", "backup.json"), encoding="utf-8") as file:
            about = json.load(file)
    except FileNotFoundError as error:
        raise BackupError("Backups are not set up here: there is no %s. Run site.yml." % error.filename) from error
    return Settings(Site(about["name"], root, about["log"]), about["folder"], about["keep"])


@contextlib.contextmanager
def alone(site: Site):
    """One process at a time makes, restores, removes or tries backups; Busy where it takes too long."""
    descriptor = os.open(site.own("backup.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _wait_for(descriptor, PATIENCE)
        yield
    except Busy as error:
        raise Busy("After %d s, another backup, restoration or deployment is still at work." % PATIENCE) from error
    finally:
        os.close(descriptor)


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


def kept(names: list, keep: dict) -> set:
    """The backups that stay: all of the last day's, and the newest of each of the last days, weeks and months."""
    newest_first = sorted(names, reverse=True)
    if not newest_first:
        return set()
    result = {name for name in newest_first if moment(newest_first[0]) - moment(name) < RECENT}
    for period, form in PERIODS.items():
        seen = {}
        for name in newest_first:
            seen.setdefault(time.strftime(form, time.strptime(name, NAME)), name)
        result.update(list(seen.values())[:keep.get(period, 0)])
    return result


def prune(folder: str, keep: dict) -> list:
    """Removes the backups that the rule does not keep."""
    names = backups(folder)
    removed = sorted(set(names) - kept(names, keep))
    for name in removed:
        shutil.rmtree(os.path.join(folder, name))
    return removed


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


def make(site: Site, folder: str, reason: str, held: bool = False) -> dict:
    """Makes a backup; what its manifest says. Whoever has the application's step already, says so."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    for name in os.listdir(folder):
        if name.startswith(".") and name.endswith(".new"):  # it was cut off
            shutil.rmtree(os.path.join(folder, name))
    check_room(folder)
    name = _free_name(folder)
    temporary = os.path.join(folder, ".%s.new" % name)
    os.mkdir(temporary, 0o700)
    try:
        manifest = _fill(site, temporary, dict(format=FORMAT, name=site.name, backup=name, reason=reason), held)
        os.rename(temporary, os.path.join(folder, name))
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return manifest


def check_room(folder: str) -> None:
    """BackupError where there is no room for one more like the last."""
    free = shutil.disk_usage(folder).free
    last = [os.path.join(folder, name) for name in backups(folder)[-1:]]
    needed = sum(os.path.getsize(os.path.join(path, name)) for path in last for name in os.listdir(path)) * 5 // 4
    needed += RESERVE
    if free < needed:
        raise BackupError(
            "The disk of %s has %d MB free, and a backup needs %d MB. Make room." % (folder, free >> 20, needed >> 20)
        )


def _free_name(folder: str) -> str:
    while True:
        name = time.strftime(NAME, time.gmtime())
        if not os.path.exists(os.path.join(folder, name)):
            return name
        time.sleep(0.1)


@contextlib.contextmanager
def quiet(site: Site):
    """Keeps the application when nobody changes it, and nothing is left to be taken back."""
    end = time.monotonic() + PATIENCE
    while True:
        with step(site.root, PATIENCE):
            if not os.path.exists(site.own("journal.json")):
                yield
                return
        if time.monotonic() > end:
            raise BackupError("A deployment was interrupted and could not be taken back yet. Make a backup then.")
        time.sleep(1)


def _fill(site: Site, folder: str, about: dict, held: bool) -> dict:
    """Writes the files of a backup, its manifest last. The files are copied while a deployment may run."""
    with contextlib.nullcontext() if held else quiet(site):
        about.update(_served(site), time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
        about.update(database=_dump(site, os.path.join(folder, DATABASE), about))
        with contextlib.suppress(FileNotFoundError):
            with open(site.path("shared", ".env"), "rb") as file:
                write_file(os.path.join(folder, SETTINGS), file.read(), 0o600)
    about.update(_archive(site, os.path.join(folder, SHARED)))
    about["files"] = {name: _described(os.path.join(folder, name)) for name in sorted(os.listdir(folder))}
    write_file(os.path.join(folder, MANIFEST), json.dumps(about, indent=2).encode() + b"\n", 0o600)
    return about


def _served(site: Site) -> dict:
    """The release that is served."""
    link = read_link(site.path("current"))
    release = site.release_name(site.path(link)) if link else ""
    entry = Records(site).served(release)
    return dict(release=release, version=entry.get("version", ""), commit=entry.get("commit", ""))


def _dump(site: Site, path: str, about: dict) -> dict | None:
    """Copies the database; what is in the copy, or None where there is none that can be copied here."""
    database = database_of(site)
    if database is None:
        return None
    manifest = database.dump(path, release=about["release"], reason=about["reason"])
    return {name: manifest[name] for name in ("kind", "database", "revision", "tables")}


def _archive(site: Site, path: str) -> dict:
    """Packs the application's files; its user reads them, so that root follows none of its links."""
    folders, size = places(site), 0

    def counted():
        nonlocal size
        for piece in output_of(owner_argv(site, "pack", folders), site.name):
            size += len(piece)
            yield piece

    write_compressed(path, counted())
    return dict(places=folders, unpacked=size)


def _described(path: str) -> dict:
    return dict(sha256=digest_of(path), size=os.path.getsize(path))


def verify(site: Site, path: str) -> dict:
    """What a backup's manifest says; BackupError where the backup is not what was made."""
    try:
        with open(os.path.join(path, MANIFEST), encoding="utf-8") as file:
            manifest = json.load(file)
        if manifest["format"] != FORMAT:
            raise BackupError("%s is by another version of the collection (format %s)." % (path, manifest["format"]))
        about = manifest["name"], manifest["files"], manifest["places"], manifest["database"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupError("%s is no complete backup: %s." % (path, error)) from error
    if about[0] != site.name:
        raise BackupError("%s is a backup of %s, and not of %s." % (path, about[0], site.name))
    for name, expected in about[1].items():
        _verify_file(os.path.join(path, os.path.basename(name)), expected)
    return manifest


def _verify_file(path: str, expected: dict) -> None:
    if not os.path.isfile(path):
        raise BackupError("The backup is damaged: there is no %s." % path)
    if os.path.getsize(path) != expected["size"]:
        raise BackupError(
            "The backup is damaged: %s has %d bytes instead of %d." % (path, os.path.getsize(path), expected["size"])
        )
    if digest_of(path) != expected["sha256"]:
        raise BackupError("The backup is damaged: the checksum of %s is not the one in %s." % (path, MANIFEST))


def chosen(folder: str, name: str) -> str:
    """The path of a backup, or of the newest; BackupError where there is none.

    The newest is none that was made by a restoration, or the same command again would undo that one.
    """
    names = [one for one in backups(folder) if one == name or not _is_from_before(os.path.join(folder, one))]
    if not names or (name and name not in names):
        missing = "There is no backup %s in %s." % (name, folder) if name else "There is no backup in %s." % folder
        raise BackupError("%s There are: %s." % (missing, ", ".join(names) or "none"))
    return os.path.join(folder, name or names[-1])


def _is_from_before(path: str) -> bool:
    try:
        with open(os.path.join(path, MANIFEST), encoding="utf-8") as file:
            return json.load(file)["reason"] == BEFORE
    except (OSError, ValueError, KeyError, TypeError):
        return False  # what is damaged is said, and not passed over


def fetched(site: Site, folder: str, name: str) -> str:
    """Brings a backup, or the newest, from the repository, unless it is here undamaged; its name."""
    restic = restic_of(site)
    if restic is None:
        raise BackupError("No repository is set up. Set backup_restic_repository, and run site.yml.")
    snapshots = restic.snapshots()
    if not snapshots or (name and name not in snapshots):
        found = ", ".join(sorted(snapshots)) or "none"
        raise BackupError("The repository has no backup %s. There are: %s." % (name or "of " + site.name, found))
    name = name or max(snapshots)
    if moment(name) is None:
        raise BackupError("What the repository has is no backup: %s." % name)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    try:
        verify(site, os.path.join(folder, name))
    except BackupError:
        restic.fetch(*snapshots[name], os.path.join(folder, name))
    return name


def back_up(settings: Settings, reason: str) -> dict:
    """Makes a backup, copies it off the host, and removes the old ones; what the report says."""
    with alone(settings.site):
        return reported(settings.site, "last-backup.json", lambda report: _back_up(settings, reason, report))


def _back_up(settings: Settings, reason: str, report: dict) -> None:
    manifest = make(settings.site, settings.folder, reason)
    report.update(backup=manifest["backup"], manifest=manifest, pruned=prune(settings.folder, settings.keep))
    restic = restic_of(settings.site)
    if restic:
        path = os.path.join(settings.folder, manifest["backup"])
        try:
            _copy_off(restic, path, settings.keep)
        except CommandError as error:
            raise BackupError("The backup %s was made, but it is not off the host. %s" % (path, error)) from error


def _copy_off(restic: Restic, path: str, keep: dict) -> None:
    restic.save(path)
    restic.forget(keep)


def drill(settings: Settings, name: str = "") -> dict:
    """Tries a backup without touching anything; what the report says."""
    with alone(settings.site):
        return reported(settings.site, "drill.json", lambda report: _drill(settings, name, report))


def _drill(settings: Settings, name: str, report: dict) -> None:
    site, path = settings.site, chosen(settings.folder, name)
    report["backup"] = os.path.basename(path)
    manifest = verify(site, path)
    with gzip.open(os.path.join(path, SHARED)) as file:
        with tarfile.open(fileobj=file, mode="r|") as archive:
            report["files"] = sum(member.isreg() for member in archive)
    if manifest["database"]:
        database = database_of(site)
        if database is None:
            raise BackupError("The backup has a database, and the application's settings name none of this host's.")
        database.restore(os.path.join(path, DATABASE), scratch=True)
        report["rows"] = sum(after for dummy, after in manifest["database"]["tables"].values())
    restic = restic_of(site)
    if restic:
        restic.check()


def reported(site: Site, name: str, work: Callable) -> dict:
    """Does something, and writes down how it went."""
    begin = time.monotonic()
    report = dict(time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), backup="", ok=True, problem="")
    try:
        work(report)
    except PROBLEMS as error:
        report.update(ok=False, problem=str(error) or type(error).__name__)
    report["seconds"] = round(time.monotonic() - begin, 1)
    shown = {key: value for key, value in report.items() if key != "manifest"}
    write_file(site.own(name), json.dumps(shown, indent=2).encode() + b"\n", 0o600)
    return report


def main() -> None:
    """What the units run: ROOT make, or ROOT drill."""
    root, action = sys.argv[1:3]
    try:
        settings = read_settings(root)
        report = drill(settings) if action == "drill" else back_up(settings, "the schedule")
    except PROBLEMS as error:
        raise SystemExit(str(error)) from error
    if not report["ok"]:
        raise SystemExit(report["problem"])
    done = "tried" if action == "drill" else "made"
    sys.stdout.write("%s %s, %.1f s\n" % (done, report["backup"], report["seconds"]))
