# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import shutil

import pytest
from hosts import host, restic  # noqa: F401

from ansible_collections.selfhost.flask.plugins.module_utils import _site

OWNER = dict(id="one", owner="ana@laptop", machine="m", process=1, started="now")
OTHER = dict(id="two", owner="bob@desk", machine="m", process=2, started="now", reason="the deployment of v2")


@pytest.fixture
def backup(host, run):
    """Runs the module for the host's application."""

    def backup(state="present", **arguments):
        given = dict(state=state, name=host.site.name, root=host.site.root, log=host.site.log, folder=str(host.backups))
        return run("flask_backup", **{**given, **arguments})

    return backup


def test_a_backup_is_made_and_old_ones_are_removed(host, backup):
    old = host.backups / "20200101T000000Z"
    old.mkdir(parents=True)
    host.configure(daily=1)
    result = backup()
    assert result["changed"] and result["pruned"] == [old.name]
    assert os.listdir(host.backups) == [result["backup"]] and result["path"] == str(host.backups / result["backup"])
    assert result["manifest"]["release"] == "v1-aaaa"


def test_check_mode_makes_none(host, backup):
    assert backup(_ansible_check_mode=True)["changed"]
    assert not host.backups.exists() and not (host.own / "backup.pyz").exists()


def test_a_backup_is_restored(host, backup):
    name = backup()["backup"]
    host.sql("DELETE FROM post")
    result = backup("restored")
    assert result["changed"] and result["backup"] == name and host.posts() == ["one", "two"]
    assert sorted(os.listdir(host.backups)) == [name, os.path.basename(result["before"])]


def test_check_mode_says_whether_it_could_be_restored(host, backup):
    path = backup()["path"]
    host.sql("DELETE FROM post")
    assert backup("restored", _ansible_check_mode=True)["changed"] and host.posts() == []
    os.truncate(path + "/shared.tar.gz", 5)
    assert "damaged" in backup("restored", _ansible_check_mode=True)["msg"]


def test_a_damaged_backup_is_refused_before_anything_is_touched(host, backup):
    path = backup()["path"]
    host.sql("INSERT INTO post VALUES ('three')")
    os.truncate(path + "/database.gz", 5)
    result = backup("restored", owner=OWNER)
    assert result["failed"] and "The backup is damaged" in result["msg"]
    assert host.posts() == ["one", "two", "three"] and len(os.listdir(host.backups)) == 1
    assert not (host.own / "lock.json").exists() and not (host.own / "journal.json").exists()


def test_a_restoration_has_the_lock_while_it_runs_and_gives_it_back(host, backup, monkeypatch):
    backup()
    holders = []
    monkeypatch.setattr(_site.Lock, "touch", lambda self: holders.append(self.holder()))
    result = backup("restored", owner=OWNER, reason="a restoration")
    assert {holder["id"] for holder in holders} == {"one"}
    assert _site.Lock(host.site).holder() is None
    assert host.records()[-1]["by"] == "ana@laptop" and host.records()[-1]["outcome"] == "restored"
    assert "holder" not in result


def test_a_deployment_that_runs_is_not_disturbed(host, backup):
    backup()
    host.sql("DELETE FROM post")
    _site.Lock(host.site).take(OTHER, [])
    result = backup("restored", owner=OWNER)
    assert result["holder"]["owner"] == "bob@desk" and not result["changed"] and host.posts() == []
    assert _site.Lock(host.site).holder()["id"] == "two"
    assert backup("restored", owner=OWNER, gone=["two"])["changed"]


def test_a_backup_needs_no_lock(host, backup):
    _site.Lock(host.site).take(OTHER, [])
    assert backup(owner=OWNER)["changed"] and backup("drilled", owner=OWNER)["changed"]
    assert _site.Lock(host.site).holder()["id"] == "two"


def test_a_drill_says_what_it_found(host, backup):
    made = backup()
    assert backup("drilled")["backup"] == made["backup"]
    os.truncate(made["path"] + "/shared.tar.gz", 5)
    result = backup("drilled")
    assert result["failed"] and "shared.tar.gz" in result["msg"] and result["backup"] == made["backup"]


def test_a_fresh_host_fetches_the_backup_first(host, backup, restic):
    name = backup()["backup"]
    shutil.rmtree(host.backups)
    host.sql("DELETE FROM post")
    host.env.write_text("DATABASE_URL=sqlite:///%s\nSECRET_KEY=fresh\n" % host.database)
    result = backup("restored", from_restic=True, settings=True)
    assert result["backup"] == name and host.posts() == ["one", "two"]
    assert "SECRET_KEY=first" in host.env.read_text()


def test_a_copy_that_failed_is_a_failure(host, backup, restic, monkeypatch):
    monkeypatch.setenv("FAILS", "backup")
    result = backup()
    assert result["failed"] and "it is not off the host" in result["msg"]
    assert os.listdir(host.backups) == [result["backup"]]


def test_the_program_is_installed_once_and_brought_up_to_date(host, backup):
    program = host.own / "backup.pyz"
    assert backup("installed", _ansible_check_mode=True)["changed"] and not program.exists()
    assert backup("installed")["changed"] and program.stat().st_mode & 0o777 == 0o600
    assert not backup("installed")["changed"] and not backup("installed", _ansible_check_mode=True)["changed"]
    program.write_text("older")
    assert backup()["changed"] and program.stat().st_size > 1000


def test_a_host_that_is_not_set_up_says_so(host, backup):
    (host.own / "backup.json").unlink()
    assert "Run site.yml" in backup()["msg"]
    shutil.rmtree(host.own)
    assert "Run site.yml" in backup("installed")["msg"]


def test_the_manifest_is_not_in_the_report_on_the_host(host, backup):
    backup()
    report = json.loads((host.own / "last-backup.json").read_text())
    assert sorted(report) == ["backup", "ok", "problem", "pruned", "seconds", "time"] and report["ok"]
