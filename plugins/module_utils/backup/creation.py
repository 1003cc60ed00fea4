# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup is made of an application: its database, what it writes into shared/, and its settings."""

from __future__ import annotations

import contextlib
import os
import shutil
import time

from ansible_collections.selfhost.flask.plugins.module_utils.backup.store import (
    DATABASE,
    FORMAT,
    MANIFEST,
    NAME,
    SETTINGS,
    SHARED,
    BackupError,
    backups,
    check_room,
    described,
)
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import write_file, write_json
from ansible_collections.selfhost.flask.plugins.module_utils.database.data import data_of
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import Database, members_of
from ansible_collections.selfhost.flask.plugins.module_utils.shared.files import pack
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import step
from ansible_collections.selfhost.flask.plugins.module_utils.site.records import Records
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import read_link
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

PATIENCE = 600  # seconds to wait for a deployment's step, or for another backup


def make(site: Site, folder: str, reason: str, held: bool = False) -> dict:
    """Makes a backup; what its manifest says. Whoever has the application's step already, says so."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    for name in os.listdir(folder):
        if name.startswith(".") and name.endswith(".new"):  # it was cut off
            shutil.rmtree(os.path.join(folder, name))
    _check_room(folder)
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


def _check_room(folder: str) -> None:
    """BackupError where there is no room for one more like the last."""
    last = [os.path.join(folder, name) for name in backups(folder)[-1:]]
    needed = sum(os.path.getsize(os.path.join(path, name)) for path in last for name in os.listdir(path)) * 5 // 4
    check_room(folder, needed, "a backup")


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
            raise BackupError("An interrupted deployment could not be rolled back yet. Make the backup when it is.")
        time.sleep(1)


def _fill(site: Site, folder: str, about: dict, held: bool) -> dict:
    """Writes the files of a backup, its manifest last. The files are copied while a deployment may run."""
    with contextlib.nullcontext() if held else quiet(site):
        data = data_of(site)  # a deployment may change where they are
        about.update(_served(site), time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
        about.update(database=_dump(data.database, os.path.join(folder, DATABASE), about), missing=list(data.missing))
        about.update(notes=data.notes())
        with contextlib.suppress(FileNotFoundError):
            with open(site.path("shared", ".env"), "rb") as file:
                write_file(os.path.join(folder, SETTINGS), file.read(), 0o600)
    about.update(pack(site, os.path.join(folder, SHARED), members_of(data.database)))
    about["files"] = {name: described(os.path.join(folder, name)) for name in sorted(os.listdir(folder))}
    write_json(os.path.join(folder, MANIFEST), about)
    return about


def _served(site: Site) -> dict:
    """The release that is served."""
    link = read_link(site.path("current"))
    release = site.release_name(site.path(link)) if link else ""
    entry = Records(site).served(release)
    return dict(release=release, version=entry.get("version", ""), commit=entry.get("commit", ""))


def _dump(database: Database | None, path: str, about: dict) -> dict | None:
    """Copies the databases; what is in the copy, or None where there is none that can be copied here."""
    if database is None:
        return None
    manifest = database.dump(path, release=about["release"], reason=about["reason"])
    return {name: manifest[name] for name in ("kind", "database", "revision", "tables", "parts") if name in manifest}
