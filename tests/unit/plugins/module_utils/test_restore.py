# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import sqlite3
import tarfile
from contextlib import closing

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.backup import restore as backup_restore
from ansible_collections.selfhost.flask.plugins.module_utils.backup import store
from ansible_collections.selfhost.flask.plugins.module_utils.backup.store import BackupError
from ansible_collections.selfhost.flask.plugins.module_utils.common.dotenv import read
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.database import data
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import DatabaseError
from ansible_collections.selfhost.flask.plugins.module_utils.database.sqlite import SQLite
from ansible_collections.selfhost.flask.plugins.module_utils.deployment import transaction
from ansible_collections.selfhost.flask.plugins.module_utils.shared import files as shared_files
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.health import Unhealthy
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.slots import Slots
from ansible_collections.selfhost.flask.plugins.module_utils.flask.env_keys import MARK
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import step


def restore(blog, path, **order):
    manifest = backup_restore.check(blog.site, str(path))
    with step(blog.site.root):
        return backup_restore.Restoration(blog.site, backup_restore.Order(str(path), **order), manifest).run()


def test_a_restoration_brings_back_rows_and_files(blog):
    instance = blog.shared / "instance"
    (instance / "folder").mkdir()
    (instance / "folder/photo").write_text("x")
    (instance / "folder").chmod(0o500)
    (instance / "link").symlink_to("/etc/passwd")
    (blog.shared / "logs/app.log").write_text("line")
    path, files = blog.make(), blog.files()
    (instance / "folder").chmod(0o700)
    (instance / "folder/photo").write_text("changed")
    (instance / "link").unlink()
    (instance / "added").touch()
    (instance / "folder").chmod(0o500)
    blog.sql("DELETE FROM post", "INSERT INTO post VALUES ('three')")
    result = restore(blog, path)
    assert blog.posts() == ["one", "two"]
    assert blog.files() == files
    assert (instance / "folder").stat().st_mode & 0o777 == 0o500
    assert result["notice"] == ""


def test_a_restoration_can_be_undone(blog):
    path = blog.make()
    blog.sql("INSERT INTO post VALUES ('three')")
    (blog.shared / "instance/added").write_text("x")
    before = restore(blog, path)["before"]
    assert (blog.posts(), blog.files()) == (["one", "two"], {})
    restore(blog, before)
    assert (blog.posts(), blog.files()) == (["one", "two", "three"], {"instance/added": "x"})


@pytest.mark.parametrize("restarts", [True, False])
def test_a_service_reads_what_was_restored_before_the_requests_are_let_in(restarts, blog, monkeypatch):
    calls = []

    def run(argv):
        calls.append((argv, sorted(blog.files())))
        if "restart" in argv and not restarts:
            raise CommandError("`systemctl restart redis-blog.service` failed")

    (blog.shared / "instance/dump").write_text("x")
    path = blog.make()
    (blog.shared / "instance/dump").unlink()
    monkeypatch.setattr(transaction, "run", run)
    notice = restore(blog, path, readers=("redis-blog.service",))["notice"]
    assert calls[-1][0] == ["systemctl", "restart", "redis-blog.service"] and "instance/dump" in calls[-1][1]
    assert notice == ("" if restarts else "`systemctl restart redis-blog.service` failed")


def test_a_connection_that_is_open_sees_the_restored_rows(blog):
    path = blog.make()
    with closing(sqlite3.connect(blog.database)) as connection:
        connection.execute("INSERT INTO post VALUES ('three')")
        connection.commit()
        restore(blog, path)
        assert len(connection.execute("SELECT * FROM post").fetchall()) == 2


def test_the_settings_stay_unless_they_are_wanted(blog):
    path = blog.make()
    own = "DATABASE_URL=sqlite:///%s" % blog.database
    blog.env.write_text("SECRET_KEY=second\nNEW=1\n%s\n" % own)
    restore(blog, path)
    assert "SECRET_KEY=second" in blog.env.read_text()
    assert "Run `selfhost.flask.update`, so that" in restore(blog, path, settings=True)["notice"]
    assert blog.env.read_text() == own + "\nSECRET_KEY=first\n"


def test_the_address_of_the_database_is_never_the_backups(blog):
    path = blog.make()
    (path / "settings.env").write_text("DATABASE_URL=mysql://x/other\nSECRET_KEY=old\n")
    order = backup_restore.Order(str(path), settings=True)
    backup_restore.Restoration(blog.site, order, {"places": []})._settings()
    assert blog.env.read_text() == "DATABASE_URL=sqlite:///%s\nSECRET_KEY=old\n" % blog.database


def test_what_was_written_for_this_host_stays_but_for_the_secret_key(blog):
    blog.env.write_text(blog.env.read_text() + "AMQP_URL=amqp://first\nOWN=1\n%sAMQP_URL DATABASE_URL SECRET_KEY\n" % MARK)
    path = blog.make()
    blog.env.write_text("DATABASE_URL=x\nAMQP_URL=amqp://second\nSECRET_KEY=second\n%sAMQP_URL SECRET_KEY\n" % MARK)
    order = backup_restore.Order(str(path), settings=True)
    backup_restore.Restoration(blog.site, order, {"places": []})._settings()
    assert read(blog.env.read_text()) == dict(DATABASE_URL="x", AMQP_URL="amqp://second", SECRET_KEY="first", OWN="1")


@pytest.mark.parametrize("step", ["database", "swap", "settings"])
def test_a_restoration_that_fails_is_taken_back(step, blog, monkeypatch):
    path = blog.make()
    (blog.shared / "instance/added").write_text("x")
    blog.sql("INSERT INTO post VALUES ('three')")
    env, files = blog.env.read_text(), blog.files()
    if step == "database":
        restored, failures = SQLite.restore, [DatabaseError("differs")]

        def fails_once(self, dump):
            restored(self, dump)
            if failures:
                raise failures.pop()

        monkeypatch.setattr(SQLite, "restore", fails_once)
    elif step == "swap":
        runs = backup_restore.run
        monkeypatch.setattr(backup_restore, "run", lambda argv, user: runs(["false"] if "swap" in argv else argv, user))
    else:
        (path / "settings.env").unlink()
        monkeypatch.setattr(store, "verify", lambda dummy, path, *of: json.load(open(path + "/manifest.json")))
    with pytest.raises(BackupError) as problem:
        restore(blog, path, settings=True)
    assert "Everything is as it was before. A copy of that is " in str(problem.value)
    assert (blog.posts(), blog.files(), blog.env.read_text()) == (["one", "two", "three"], files, env)
    assert not (blog.own / "journal.json").exists()
    assert blog.records()[-1]["outcome"] == "failed" and blog.records()[0]["release"] == "v1-aaaa"


def test_the_same_restoration_again_does_not_undo_the_first(blog):
    path = blog.make()
    before = restore(blog, path)["before"]
    assert store.chosen(str(blog.backups), "") == str(path)
    assert store.chosen(str(blog.backups), os.path.basename(before)) == before


def test_a_place_that_the_host_has_not_is_made(blog, monkeypatch):
    (blog.shared / "logs/app.log").write_text("line")
    path = blog.make()
    (blog.shared / "logs/app.log").unlink()
    (blog.shared / "logs").rmdir()
    monkeypatch.setattr(shared_files, "places", lambda site: ["instance"])
    monkeypatch.setattr(backup_restore, "give_tree", lambda path, user: None)
    restore(blog, path)
    assert blog.files() == {"logs/app.log": "line"}


def test_a_database_of_another_kind_is_refused_before_anything_is_touched(blog):
    path = blog.make()
    blog.env.write_text("DATABASE_URL=mysql+pymysql://localhost/blog\n")
    with pytest.raises(BackupError, match="The backup's database is sqlite, and the one .* mysql. Set flask_database"):
        backup_restore.check(blog.site, str(path))


def says(monkeypatch, *names):
    """The served application said that it has these SQLite files."""
    databases = [dict(kind="sqlite", name=str(name), host="", port=0, bind="") for name in names]
    monkeypatch.setattr(data, "application", lambda site, folder="": {"databases": databases})


def make_as_before(blog):
    """A backup as it was when DATABASE_URL alone counted: of the empty database there, with the real one as a file."""
    blog.env.write_text("DATABASE_URL=sqlite:///%s\n" % (blog.folder / "unused.db"))
    path = blog.make()
    manifest = json.loads((path / "manifest.json").read_text())
    del manifest["missing"]
    manifest["database"]["kind"] = "mysql"
    (path / "manifest.json").write_text(json.dumps(manifest))
    blog.env.write_text("DATABASE_URL=mysql+pymysql://localhost/blog\n")
    return path


def test_a_backup_of_the_version_before_has_the_real_database_among_its_files(blog, monkeypatch):
    path = make_as_before(blog)
    says(monkeypatch, blog.database)
    with closing(sqlite3.connect(blog.database)) as connection:
        connection.execute("DELETE FROM post")
        connection.commit()
        result = restore(blog, path)
        assert len(connection.execute("SELECT * FROM post").fetchall()) == 2
    assert "copy of %s was left out" % (blog.folder / "unused.db") in result["notice"]
    assert "keeps its data in the SQLite file %s, and not in the MySQL database blog" % blog.database in result["notice"]
    assert not list(blog.shared.rglob("*-wal")) and blog.files() == {}


def test_all_binds_come_back_together(blog, monkeypatch):
    log = blog.shared / "instance/log"
    says(monkeypatch, blog.database, log)
    with closing(sqlite3.connect(log)) as connection, connection:
        connection.execute("CREATE TABLE line (text TEXT)")
    path = blog.make()
    with tarfile.open(path / "shared.tar.gz") as archive:
        assert archive.getnames() == []
    blog.sql("DELETE FROM post")
    with closing(sqlite3.connect(log)) as connection, connection:
        connection.execute("DROP TABLE line")
    restore(blog, path)
    with closing(sqlite3.connect(log)) as connection:
        assert connection.execute("SELECT * FROM line").fetchall() == []
    assert blog.posts() == ["one", "two"]


def test_a_database_that_came_after_the_backup_stays(blog, monkeypatch):
    path = blog.make()
    log = blog.shared / "instance/log"
    with closing(sqlite3.connect(log)) as connection, connection:
        connection.execute("CREATE TABLE line (text TEXT)")
    says(monkeypatch, blog.database, log)
    blog.sql("DELETE FROM post")
    assert "The backup has nothing of %s, which is as it was." % log in restore(blog, path)["notice"]
    assert blog.posts() == ["one", "two"] and log.exists()


@pytest.mark.parametrize("fails", [False, True])
def test_a_sqlite_file_that_is_open_gets_the_content_of_the_backup(fails, blog, monkeypatch):
    events = blog.shared / "instance/data/events"
    events.parent.mkdir()
    with closing(sqlite3.connect(events)) as connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute("CREATE TABLE event (name TEXT)")
        path = blog.make()
        connection.execute("INSERT INTO event VALUES ('later')")
        connection.commit()
        if fails:
            (blog.shared / "instance/file").touch()
            argv = shared_files.owner_argv
            broken = ("    replace(here, new)\\n", "    replace(here, new)\\n    raise OSError(28)\\n")
            monkeypatch.setattr(shared_files, "owner_argv", lambda *about: [word.replace(*broken) for word in argv(*about)])
            with pytest.raises(BackupError, match="Everything is as it was before"):
                restore(blog, path)
        else:
            restore(blog, path)
        assert connection.execute("SELECT * FROM event").fetchall() == ([("later",)] if fails else [])
        connection.execute("INSERT INTO event VALUES ('after')")
        connection.commit()
    with closing(sqlite3.connect(events)) as connection:
        assert ("after",) in connection.execute("SELECT * FROM event").fetchall()
    assert (blog.shared / "instance/file").exists() is fails
    assert sorted(os.listdir(events.parent)) == ["events"]


def test_a_restoration_needs_room(blog, monkeypatch):
    path = blog.make()
    monkeypatch.setattr(store, "RESERVE", 1 << 60)
    with pytest.raises(BackupError, match="Make room"):
        backup_restore.check(blog.site, str(path))


def test_another_revision_is_said_with_the_version_that_belongs_to_it(blog):
    path = blog.make()
    blog.record(release="v1-aaaa", outcome="served", revision=["b2"])
    (blog.folder / "srv/slots/blue").symlink_to("../releases/v1-aaaa")
    (blog.folder / "srv/run/live.sock").symlink_to("blue.sock")
    os.remove(blog.folder / "srv/slots/blue")
    (blog.folder / "srv/slots/blue").symlink_to(blog.folder / "srv/releases/v1-aaaa")
    notice = restore(blog, path)["notice"]
    assert "at revision a1, and the served release v1-aaaa belongs to b2" in notice and "flask_version=v1`" in notice


@pytest.fixture
def live(blog, monkeypatch):
    """The application runs in the slot blue; what is done with the slots, and whether a file was there then that was added."""
    (blog.folder / "srv/slots/blue").symlink_to(blog.folder / "srv/releases/v1-aaaa")
    (blog.folder / "srv/run/live.sock").symlink_to("blue.sock")
    said, added = [], blog.shared / "instance/added"
    monkeypatch.setattr(Slots, "renew", lambda slots, *names: said.append((*names, added.exists())))
    for verb in ("switch", "retire"):
        monkeypatch.setattr(Slots, verb, lambda slots, name, verb=verb: said.append((verb, name)))
    return said


def test_the_application_is_started_anew_with_what_is_restored(blog, live):
    path = blog.make()
    (blog.shared / "instance/added").write_text("x")
    restore(blog, path)
    assert live == [("blue", "green", False), ("switch", "green"), ("retire", "blue")]


def test_an_application_that_can_not_be_started_anew_goes_on_and_is_said(blog, live, monkeypatch):
    path = blog.make()
    monkeypatch.setattr(Slots, "renew", lambda *dummy: (_ for _ in ()).throw(Unhealthy("it ended at its start.")))
    notice = restore(blog, path)["notice"]
    assert "what it has in memory is from before: it ended at its start. Fix that, and run `selfhost.flask.update`." in notice
    assert live == [("retire", "green")] and not (blog.own / "journal.json").exists()


def test_a_restoration_that_fails_before_anything_is_replaced_is_noted(blog, monkeypatch):
    path = blog.make()
    monkeypatch.setattr(backup_restore, "feed", lambda *dummy: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError):
        restore(blog, path, by="ana@laptop")
    entry = json.loads((blog.shared.parent / "releases.json").read_text())[-1]
    assert (entry["release"], entry["outcome"], entry["by"]) == ("backup-" + path.name, "failed", "ana@laptop")
    assert "No space left" in entry["problem"]


@pytest.mark.parametrize("is_external", [True, False])
def test_a_database_that_is_external_to_a_backup_stays(is_external, blog):
    path = blog.make()
    manifest = dict(store.verify(blog.site, str(path)), database=None, external=is_external)
    if is_external:
        assert backup_restore.plan_of(blog.site, str(path), manifest).copied == []
    else:
        with pytest.raises(BackupError, match="The backup's database is none"):
            backup_restore.plan_of(blog.site, str(path), manifest)
