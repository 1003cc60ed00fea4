# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import shutil

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.site import lock

OWNER = dict(id="one", owner="ana@laptop", machine="m", process=1, started="now")
OTHER = dict(id="two", owner="bob@desk", machine="m", process=2, started="now", reason="the deployment of v2")


@pytest.fixture
def backup(blog, run):
    """Runs the module for the blog."""

    def backup(state="present", **arguments):
        given = dict(state=state, name=blog.site.name, root=blog.site.root, log=blog.site.log, folder=str(blog.backups))
        return run("flask_backup", **{**given, **arguments})

    return backup


def test_a_backup_is_made_and_old_ones_are_removed(blog, backup):
    old = blog.backups / "20200101T000000Z"
    old.mkdir(parents=True)
    blog.configure(daily=1)
    result = backup()
    assert result["changed"] and result["pruned"] == [old.name]
    assert os.listdir(blog.backups) == [result["backup"]] and result["path"] == str(blog.backups / result["backup"])
    assert result["manifest"]["release"] == "v1-aaaa"


def test_check_mode_makes_none(blog, backup):
    assert backup(_ansible_check_mode=True)["changed"]
    assert not blog.backups.exists() and not (blog.own / "backup.pyz").exists()


def test_a_backup_is_restored(blog, backup):
    name = backup()["backup"]
    blog.sql("DELETE FROM post")
    result = backup("restored")
    assert result["changed"] and result["backup"] == name and blog.posts() == ["one", "two"]
    assert sorted(os.listdir(blog.backups)) == [name, os.path.basename(result["before"])]


def test_check_mode_says_whether_it_could_be_restored(blog, backup):
    path = backup()["path"]
    blog.sql("DELETE FROM post")
    assert backup("restored", _ansible_check_mode=True)["changed"] and blog.posts() == []
    os.truncate(path + "/shared.tar.gz", 5)
    assert "damaged" in backup("restored", _ansible_check_mode=True)["msg"]


def test_a_damaged_backup_is_refused_before_anything_is_touched(blog, backup):
    path = backup()["path"]
    blog.sql("INSERT INTO post VALUES ('three')")
    os.truncate(path + "/database.gz", 5)
    result = backup("restored", owner=OWNER)
    assert result["failed"] and "The backup is damaged" in result["msg"]
    assert blog.posts() == ["one", "two", "three"] and len(os.listdir(blog.backups)) == 1
    assert not (blog.own / "lock.json").exists() and not (blog.own / "journal.json").exists()


def test_a_restoration_has_the_lock_while_it_runs_and_gives_it_back(blog, backup, monkeypatch):
    backup()
    holders = []
    monkeypatch.setattr(lock.Lock, "touch", lambda self: holders.append(self.holder()))
    result = backup("restored", owner=OWNER, reason="a restoration")
    assert {holder["id"] for holder in holders} == {"one"}
    assert lock.Lock(blog.site).holder() is None
    assert blog.records()[-1]["by"] == "ana@laptop" and blog.records()[-1]["outcome"] == "restored"
    assert "holder" not in result


def test_a_deployment_that_runs_is_not_disturbed(blog, backup):
    backup()
    blog.sql("DELETE FROM post")
    lock.Lock(blog.site).take(OTHER, [])
    result = backup("restored", owner=OWNER)
    assert result["holder"]["owner"] == "bob@desk" and not result["changed"] and blog.posts() == []
    assert lock.Lock(blog.site).holder()["id"] == "two"
    assert backup("restored", owner=OWNER, gone=["two"])["changed"]


def test_a_backup_needs_no_lock(blog, backup):
    lock.Lock(blog.site).take(OTHER, [])
    assert backup(owner=OWNER)["changed"] and backup("drilled", owner=OWNER)["changed"]
    assert lock.Lock(blog.site).holder()["id"] == "two"


def test_a_drill_says_what_it_found(blog, backup):
    made = backup()
    assert backup("drilled")["backup"] == made["backup"]
    os.truncate(made["path"] + "/shared.tar.gz", 5)
    result = backup("drilled")
    assert result["failed"] and "shared.tar.gz" in result["msg"] and result["backup"] == made["backup"]


def test_a_fresh_host_fetches_the_backup_first(blog, backup, restic):
    name = backup()["backup"]
    shutil.rmtree(blog.backups)
    blog.sql("DELETE FROM post")
    blog.env.write_text("DATABASE_URL=sqlite:///%s\nSECRET_KEY=fresh\n" % blog.database)
    result = backup("restored", from_restic=True, settings=True)
    assert result["backup"] == name and blog.posts() == ["one", "two"]
    assert "SECRET_KEY=first" in blog.env.read_text()


@pytest.fixture
def shop(blog):
    """Another application of this host, whose backups are at a place of their own; this one's become its."""
    home = blog.folder / "shop/deployment"
    home.mkdir(parents=True)
    about = dict(name="shop", log="/var/log/shop", folder=str(blog.folder / "shops"), keep={"daily": 7})
    (home / "backup.json").write_text(json.dumps(about))

    def shop(path):
        manifest = json.loads((path / "manifest.json").read_text())
        manifest["database"]["database"] = str(blog.folder / "shop/shared/instance/shop.db")
        (path / "manifest.json").write_text(json.dumps(dict(manifest, name="shop")))
        (blog.folder / "shops").mkdir(exist_ok=True)
        return path.rename(blog.folder / "shops" / path.name)

    return shop


def test_the_backup_of_another_application_is_found_where_that_has_it(blog, backup, shop):
    path = shop(blog.make())
    blog.sql("DELETE FROM post")
    assert backup("restored", backup_of="shop", _ansible_check_mode=True)["path"] == str(path)
    result = backup("restored", backup_of="shop")
    assert result["path"] == str(path) and blog.posts() == ["one", "two"]
    assert os.listdir(blog.backups) == [os.path.basename(result["before"])]


def test_the_backup_of_another_application_is_found_in_the_folder_that_it_was_brought_to(blog, backup, shop):
    path = shop(blog.make())
    shutil.rmtree(blog.folder / "shop")
    refused = backup("restored", backup_of="shop")
    assert refused["failed"] and "no application shop with backups on this host" in refused["msg"]
    assert "flask_backup_source=FILE" in refused["msg"] and refused["msg"].endswith("Nothing was changed.")
    assert backup("restored", backup_of="shop", source=str(path.parent))["changed"]


def test_the_backup_of_another_application_is_not_restored_without_its_name(blog, backup, shop):
    shop(blog.make()).rename(blog.backups / "20260131T000000Z")
    refused = backup("restored")
    assert refused["failed"] and "add -e flask_backup_of=shop. Nothing was changed." in refused["msg"]
    assert not (blog.own / "journal.json").exists()


def test_a_repository_is_asked_for_the_backups_of_another_application(blog, backup, restic, shop):
    name = backup()["backup"]
    copy = blog.folder / "repository" / name / str(blog.backups).lstrip("/") / name / "manifest.json"
    copy.write_text(json.dumps(dict(json.loads(copy.read_text()), name="shop")))
    source = blog.backups / ".brought"
    assert backup("restored", backup_of="shop", from_restic=True, source=str(source))["backup"] == name
    assert ["snapshots", "--json", "--tag", "flask-shop"] in restic() and os.listdir(source) == [name]


def test_a_copy_that_failed_is_a_failure(blog, backup, restic, monkeypatch):
    monkeypatch.setenv("FAILS", "backup")
    result = backup()
    assert result["failed"] and "it is not off the host" in result["msg"]
    assert os.listdir(blog.backups) == [result["backup"]]


def test_the_program_is_installed_once_and_brought_up_to_date(blog, backup):
    program = blog.own / "backup.pyz"
    assert backup("installed", _ansible_check_mode=True)["changed"] and not program.exists()
    assert backup("installed")["changed"] and program.stat().st_mode & 0o777 == 0o600
    assert not backup("installed")["changed"] and not backup("installed", _ansible_check_mode=True)["changed"]
    program.write_text("older")
    assert backup()["changed"] and program.stat().st_size > 1000


def test_a_host_that_is_not_set_up_says_so(blog, backup):
    (blog.own / "backup.json").unlink()
    assert "Run `selfhost.flask.site`" in backup()["msg"]
    shutil.rmtree(blog.own)
    assert "Run `selfhost.flask.site`" in backup("installed")["msg"]


def test_the_manifest_is_not_in_the_report_on_the_host(blog, backup):
    backup()
    report = json.loads((blog.own / "last-backup.json").read_text())
    assert sorted(report) == ["backup", "ok", "problem", "pruned", "seconds", "time"] and report["ok"]
