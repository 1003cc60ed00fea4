# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data of an installation, as a backup of the new application: whatever restores one moves it."""

from __future__ import annotations

import json
import os
import shutil
import time

from ansible_collections.selfhost.flask.plugins.module_utils.adoption.data import count_files
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.plan import Plan
from ansible_collections.selfhost.flask.plugins.module_utils.backup import store as backups
from ansible_collections.selfhost.flask.plugins.module_utils.common.dotenv import edit
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import write_file, write_json
from ansible_collections.selfhost.flask.plugins.module_utils.common.stream import output_of, write_compressed
from ansible_collections.selfhost.flask.plugins.module_utils.common.user_program import user_argv
from ansible_collections.selfhost.flask.plugins.module_utils.database import sqlite_owner
from ansible_collections.selfhost.flask.plugins.module_utils.shared import owner

REASON = "an adoption"


def pack(plan: Plan, path: str) -> int:
    """Packs the folders, as the old installation's user; how many bytes they have."""
    size = 0

    def counted():
        nonlocal size
        about = json.dumps({"places": plan.places, "kept": plan.kept})
        argv = user_argv((sqlite_owner, owner), plan.installation.folder, "pack", about)
        for piece in output_of(argv, plan.installation.user):
            size += len(piece)
            yield piece

    write_compressed(path, counted())
    return size


def make_archive(plan: Plan, name: str, settings: dict, folder: str) -> dict:
    """A backup in a folder, under the name of the new application; what its manifest says."""
    backup = time.strftime(backups.NAME, time.gmtime())
    temporary, path = os.path.join(folder, ".%s.new" % backup), os.path.join(folder, backup)
    os.makedirs(temporary, mode=0o700)
    try:
        about = dict(format=backups.FORMAT, name=name, backup=backup, reason=REASON, release="", version=plan.data.version)
        about.update(commit=plan.data.commit, time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), missing=[], notes=[])
        about["database"] = dump(plan, os.path.join(temporary, backups.DATABASE))
        about.update(external=bool(plan.external), places=plan.places)
        about.update(unpacked=pack(plan, os.path.join(temporary, backups.SHARED)))
        write_file(os.path.join(temporary, backups.SETTINGS), edit("", settings, []).encode("utf-8", "surrogateescape"), 0o600)
        names = sorted(os.listdir(temporary))
        about["files"] = {one: backups.described(os.path.join(temporary, one)) for one in names}
        about["counts"] = count_files(plan.installation.folder, plan.places, plan.kept)
        write_json(os.path.join(temporary, backups.MANIFEST), about)
        os.rename(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return about


def dump(plan: Plan, path: str) -> dict | None:
    """Copies the database; what is in the copy, or None where there is none here."""
    if plan.database is None:
        return None
    manifest = plan.database.dump(path, release="", reason=REASON)
    return {key: manifest[key] for key in ("kind", "database", "revision", "tables", "parts") if key in manifest}
