# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.backup import creation, store
from ansible_collections.selfhost.flask.plugins.module_utils.backup.store import BackupError
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import Busy, step

FREE_NAME = creation._free_name


def test_a_backup_has_the_database_the_files_the_settings_and_a_manifest(blog):
    (blog.shared / "instance/photo").write_text("x")
    path = blog.make()
    manifest = json.loads((path / "manifest.json").read_text())
    files = ["database.gz", "database.json", "settings.env", "shared.tar.gz"]
    assert sorted(manifest["files"]) == files and sorted(os.listdir(path)) == sorted([*files, "manifest.json"])
    assert (manifest["release"], manifest["version"], manifest["commit"]) == ("v1-aaaa", "v1", "c" * 40)
    assert manifest["database"]["revision"] == ["a1"] and manifest["database"]["tables"]["post"] == [2, 2]
    assert store.verify(blog.site, str(path)) == manifest


def test_nobody_else_can_read_it(blog):
    path = blog.make()
    assert path.stat().st_mode & 0o777 == blog.backups.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in path.iterdir()} == {0o600}


def test_a_database_elsewhere_is_no_part_of_the_backup(blog):
    blog.env.write_text("DATABASE_URL=postgresql://db/blog\n")
    path = blog.make()
    assert not (path / "database.gz").exists()
    manifest = store.verify(blog.site, str(path))
    assert manifest["database"] is None and manifest["missing"] == ["the PostgreSQL database blog on db"]


@pytest.mark.parametrize("broken", ["_dump", "pack", "described"])
def test_a_backup_that_fails_leaves_nothing(broken, blog, monkeypatch):
    monkeypatch.setattr(creation, broken, lambda *dummy: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        blog.make()
    assert os.listdir(blog.backups) == []


def test_what_was_cut_off_is_no_backup_and_is_removed_by_the_next(blog):
    cut = blog.backups / ".20260101T000000Z.new"
    cut.mkdir(parents=True)
    assert store.backups(str(blog.backups)) == []
    blog.make()
    assert not cut.exists()


def test_two_backups_in_one_second_do_not_meet(tmp_path):
    first = FREE_NAME(str(tmp_path))
    (tmp_path / first).mkdir()
    assert FREE_NAME(str(tmp_path)) > first


def test_a_full_disk_is_seen_before(blog, monkeypatch):
    monkeypatch.setattr(store, "RESERVE", 1 << 60)
    with pytest.raises(BackupError, match="MB free, and a backup needs [0-9]+ MB. Make room."):
        blog.make()


def test_a_deployment_is_waited_for(blog):
    with step(blog.site.root):
        with pytest.raises(Busy):
            blog.make()
    blog.make()


def test_the_files_are_packed_outside_of_the_step(blog, monkeypatch):
    def pack(*dummy):
        with step(blog.site.root, 0):
            return {"places": [], "unpacked": 0}

    monkeypatch.setattr(creation, "pack", pack)
    blog.make()
