# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done with the backups of an application: they are made, tried, copied off the host and fetched."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.backup.creation import PATIENCE, make
from ansible_collections.selfhost.flask.plugins.module_utils.backup.restic import restic_of
from ansible_collections.selfhost.flask.plugins.module_utils.backup.retention import prune
from ansible_collections.selfhost.flask.plugins.module_utils.backup.store import (
    DATABASE,
    PROBLEMS,
    SHARED,
    BackupError,
    chosen,
    moment,
    verify,
)
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import write_json
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.common.words import count_of
from ansible_collections.selfhost.flask.plugins.module_utils.database.data import database_of
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import members_of
from ansible_collections.selfhost.flask.plugins.module_utils.database.dump import match, parts_of
from ansible_collections.selfhost.flask.plugins.module_utils.database.several import as_one
from ansible_collections.selfhost.flask.plugins.module_utils.shared.files import count
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import Busy, locked
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

PROGRAM = "backup.pyz"
MAIN = "from %s import main\n\nmain()\n" % __name__


class Settings(NamedTuple):
    """What the host was told of the backups of an application."""

    site: Site
    folder: str
    keep: dict
    readers: tuple = ()  # units that have read what is in shared/


def read_settings(root: str) -> Settings:
    """BackupError where the host was told nothing yet."""
    try:
        with open(os.path.join(root, "deployment", "backup.json"), encoding="utf-8") as file:
            about = json.load(file)
    except FileNotFoundError as error:
        raise BackupError("Backups are not set up here: there is no %s. Run `selfhost.flask.site`." % error.filename) from error
    return Settings(Site(about["name"], root, about["log"]), about["folder"], about["keep"], tuple(about.get("readers", ())))


@contextlib.contextmanager
def alone(site: Site):
    """One process at a time makes, restores, removes or tries backups; Busy where it takes too long."""
    try:
        with locked(site.own("backup.lock"), PATIENCE):
            yield
    except Busy as error:
        raise Busy(
            "Another backup, restoration or deployment is still at work after %d s. Wait until it has ended." % PATIENCE
        ) from error


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
            restic.save(path)
            restic.forget(settings.keep)
        except CommandError as error:
            raise BackupError("The backup %s was made, but it is not off the host. %s" % (path, error)) from error


def fetched(site: Site, folder: str, name: str, of: str = "") -> str:
    """Brings a backup, or the newest, from the repository, unless it is here undamaged; its name."""
    restic = restic_of(site, of)
    if restic is None:
        raise BackupError("No repository is set up. Set backup_restic_repository, and run `selfhost.flask.site`.")
    snapshots = restic.snapshots()
    if not snapshots or (name and name not in snapshots):
        found = ", ".join(sorted(snapshots)) or "none"
        what = name or "of " + (of or site.name)
        raise BackupError("The repository has no backup %s. Set flask_backup to one of these: %s." % (what, found))
    name = name or max(snapshots)
    if moment(name) is None:
        raise BackupError("What the repository has is no backup: %s. Set flask_backup to another one." % name)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    try:
        verify(site, os.path.join(folder, name), of)
    except BackupError:
        restic.fetch(*snapshots[name], os.path.join(folder, name))
    return name


def drill(settings: Settings, name: str = "") -> dict:
    """Tries a backup without touching anything; what the report says."""
    with alone(settings.site):
        return reported(settings.site, "drill.json", lambda report: _drill(settings, name, report))


def _drill(settings: Settings, name: str, report: dict) -> None:
    site, path = settings.site, chosen(settings.folder, name)
    report["backup"] = os.path.basename(path)
    manifest = verify(site, path)
    report.update(count(os.path.join(path, SHARED)), missing=manifest.get("missing", []))
    report["databases"] = [part["database"] for part in parts_of(manifest["database"] or dict(parts=[]))]
    if manifest["database"]:
        database = database_of(site)
        if database is None:
            raise BackupError(
                "The backup has a database, and the application has none here. Set flask_database, and run "
                "`selfhost.flask.site`."
            )
        members = members_of(database)
        copied = [one for one in match(parts_of(manifest["database"]), members) if one]  # it may use more since then
        as_one(copied or members).restore(os.path.join(path, DATABASE), scratch=True)
        report["rows"] = sum(after for dummy, after in manifest["database"]["tables"].values())
    restic = restic_of(site)
    if restic:
        restic.check()
    report["summary"] = summarise(report)


def summarise(report: dict) -> str:
    """What was found in a good backup, and what it has nothing of."""
    lacks, names = (" and ".join(report[key]) for key in ("missing", "databases"))
    lacks = " as far as it goes, but has nothing of %s" % lacks if lacks else ""
    files = count_of(report["files"], "file")
    files += " (with %s)" % count_of(len(report["sqlite"]), "SQLite database") if report["sqlite"] else ""
    rows = "%s of %s" % (count_of(report["rows"], "row"), names) if names else "no database"
    return "is good%s: %s and %s." % (lacks, files, rows)


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
    write_json(site.own(name), shown)
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
    done = "%s %s" % ("tried" if action == "drill" else "made", report["backup"])
    sys.stdout.write("%s, %.1f s. It %s\n" % (done, report["seconds"], report.get("summary", "is there.")))
