# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gzip
import io
import json
import os
import socket
import sqlite3
import subprocess
import sys
import tarfile
import time
from contextlib import closing

import pytest

from ansible_collections.selfhost.flask.plugins.module_utils import _backup, _program, _restore, _site
from ansible_collections.selfhost.flask.plugins.module_utils._backup import BackupError
from ansible_collections.selfhost.flask.plugins.module_utils._database import DatabaseError
from ansible_collections.selfhost.flask.plugins.module_utils._sqlite import SQLite
from ansible_collections.selfhost.flask.plugins.module_utils._stream import digest_of


def settings(blog):
    return _backup.read_settings(blog.site.root)


def restore(blog, path, **order):
    manifest = _restore.check(blog.site, str(path))
    with _site.step(blog.site.root):
        return _restore.Restoration(blog.site, _restore.Order(str(path), **order), manifest).run()


def members(path):
    with tarfile.open(path / "shared.tar.gz") as archive:
        return {member.name: member for member in archive}


# Which backups stay

FREE_NAME = _backup._free_name

def at(*hours):
    return ["2026%s0000Z" % hour for hour in hours]


DAYS = ["202601%02dT031700Z" % day for day in range(1, 32)]
MONTHS = ["2025%02d15T031700Z" % month for month in range(1, 13)]


@pytest.mark.parametrize("names, keep, left", [
    ([], {"daily": 7}, []),
    (DAYS, {"daily": 3}, DAYS[-3:]),
    (DAYS, {}, DAYS[-1:]),
    (DAYS, {"daily": 0, "weekly": 0, "monthly": 0}, DAYS[-1:]),
    (DAYS, {"weekly": 3}, ["20260118T031700Z", "20260125T031700Z", "20260131T031700Z"]),
    (MONTHS + DAYS, {"monthly": 3}, ["20251115T031700Z", "20251215T031700Z", "20260131T031700Z"]),
    (MONTHS[:2], {"daily": 7}, MONTHS[:2]),
    (at("0130T01", "0130T22", "0131T23"), {"daily": 7}, at("0130T22", "0131T23")),
    (at("0131T01", "0131T02", "0131T03"), {}, at("0131T01", "0131T02", "0131T03")),
    (["20251229T010000Z", *at("0101T01", "0105T01")], {"weekly": 2}, at("0101T01", "0105T01")),
])
def test_the_newest_of_each_day_week_and_month_stays_and_all_of_the_last_day(names, keep, left):
    assert sorted(_backup.kept(names, keep)) == left


def test_what_is_no_backup_is_never_removed(tmp_path):
    names = ["before-migration", "20260101T000000Z.old", ".20260101T000000Z.new", "20261301T000000Z", *DAYS]
    for name in names:
        (tmp_path / name).mkdir()
    assert _backup.prune(str(tmp_path), {"daily": 1}) == DAYS[:-1]
    assert sorted(os.listdir(tmp_path)) == sorted([*names[:4], DAYS[-1]])


def test_a_name_is_the_moment_in_utc_wherever_the_host_is(monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    assert _backup.moment("20260701T120000Z") == 1782907200
    monkeypatch.undo()
    time.tzset()


# A backup is made

def test_a_backup_has_the_database_the_files_the_settings_and_a_manifest(blog):
    (blog.shared / "instance/photo").write_text("x")
    path = blog.make()
    manifest = json.loads((path / "manifest.json").read_text())
    files = ["database.gz", "database.json", "settings.env", "shared.tar.gz"]
    assert sorted(manifest["files"]) == files and sorted(os.listdir(path)) == sorted([*files, "manifest.json"])
    assert (manifest["release"], manifest["version"], manifest["commit"]) == ("v1-aaaa", "v1", "c" * 40)
    assert manifest["database"]["revision"] == ["a1"] and manifest["database"]["tables"]["post"] == [2, 2]
    assert _backup.verify(blog.site, str(path)) == manifest


def test_nobody_else_can_read_it(blog):
    path = blog.make()
    assert path.stat().st_mode & 0o777 == blog.backups.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in path.iterdir()} == {0o600}


def test_the_archive_has_the_files_as_they_are_without_database_sockets_and_settings(blog):
    instance = blog.shared / "instance"
    (instance / "folder").mkdir(mode=0o500)
    (instance / "program").write_text("#!")
    (instance / "program").chmod(0o755)
    os.link(instance / "program", instance / "same")
    (instance / "link").symlink_to("/etc/passwd")
    (instance / "folder link").symlink_to("/etc")
    os.mkfifo(instance / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(instance / "socket"))
    for suffix in ("-wal", "-shm", "-journal"):
        (instance / ("blog.db" + suffix)).touch()
    found = _backup._archive(blog.site, str(blog.folder / "shared.tar.gz"))
    assert found["places"] == ["instance", "logs"]
    names = members(blog.folder)
    assert sorted(names) == ["instance/" + name for name in ("folder", "folder link", "link", "program", "same")]
    assert names["instance/link"].linkname == "/etc/passwd" and names["instance/same"].isreg()
    assert names["instance/program"].mode == 0o755


def test_a_file_that_shrinks_meanwhile_does_not_spoil_the_archive(blog):
    owner = _backup._shared_owner
    archive = tarfile.open(fileobj=io.BytesIO(), mode="w", format=tarfile.USTAR_FORMAT)
    path = blog.shared / "instance/log"
    path.write_bytes(b"x" * 3000)
    info = archive.gettarinfo(str(path), "log")
    path.write_bytes(b"y" * 10)
    with open(path, "rb") as file:
        archive.addfile(info, owner.Exactly(file, info.size))
    assert archive.fileobj.getvalue()[512:3512] == b"y" * 10 + b"\0" * 2990


def test_a_database_elsewhere_is_no_part_of_the_backup(blog):
    blog.env.write_text("DATABASE_URL=postgresql://db/blog\n")
    path = blog.make()
    assert not (path / "database.gz").exists()
    assert _backup.verify(blog.site, str(path))["database"] is None


@pytest.mark.parametrize("broken", ["_dump", "_archive", "_described"])
def test_a_backup_that_fails_leaves_nothing(broken, blog, monkeypatch):
    monkeypatch.setattr(_backup, broken, lambda *dummy: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        blog.make()
    assert os.listdir(blog.backups) == []


def test_what_was_cut_off_is_no_backup_and_is_removed_by_the_next(blog):
    cut = blog.backups / ".20260101T000000Z.new"
    cut.mkdir(parents=True)
    assert _backup.backups(str(blog.backups)) == []
    blog.make()
    assert not cut.exists()


def test_two_backups_in_one_second_do_not_meet(tmp_path):
    first = FREE_NAME(str(tmp_path))
    (tmp_path / first).mkdir()
    assert FREE_NAME(str(tmp_path)) > first


def test_a_full_disk_is_seen_before(blog, monkeypatch):
    monkeypatch.setattr(_backup, "RESERVE", 1 << 60)
    with pytest.raises(BackupError, match="MB free, and a backup needs [0-9]+ MB. Make room."):
        blog.make()


def test_a_deployment_is_waited_for(blog):
    with _site.step(blog.site.root):
        with pytest.raises(_site.Busy):
            blog.make()
    blog.make()


def test_the_files_are_packed_outside_of_the_step(blog, monkeypatch):
    def archive(*dummy):
        with _site.step(blog.site.root, 0):
            return {"places": [], "unpacked": 0}

    monkeypatch.setattr(_backup, "_archive", archive)
    blog.make()


def test_one_backup_at_a_time(blog):
    with _backup.alone(blog.site):
        with pytest.raises(_site.Busy, match="another backup"):
            _backup.back_up(settings(blog), "a test")


@pytest.mark.needs_root
def test_only_what_the_application_may_write_to_is_a_place(tmp_path):
    for name in ("instance/inner", "app/static/uploads"):
        (tmp_path / "shared" / name).mkdir(parents=True)
    for name in ("instance", "instance/inner", "app/static/uploads"):
        os.chown(tmp_path / "shared" / name, 1, 1)
    (tmp_path / "shared/link").symlink_to("/etc")
    assert _backup.places(_site.Site("blog", str(tmp_path), "")) == ["app/static/uploads", "instance"]


# A backup is judged

def damaged(path, name):
    content = bytearray((path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (path / name).write_bytes(content)


@pytest.mark.parametrize("name", ["database.gz", "database.json", "settings.env", "shared.tar.gz"])
def test_a_damaged_file_is_found_and_named(name, blog):
    path = blog.make()
    damaged(path, name)
    with pytest.raises(BackupError, match="damaged: the checksum of .*%s" % name):
        _backup.verify(blog.site, str(path))
    (path / name).write_bytes(b"")
    with pytest.raises(BackupError, match="damaged: .*%s has 0 bytes instead of" % name):
        _backup.verify(blog.site, str(path))
    (path / name).unlink()
    with pytest.raises(BackupError, match="damaged: there is no .*%s" % name):
        _backup.verify(blog.site, str(path))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 2}', None])
def test_without_its_manifest_it_is_no_backup(content, blog):
    path = blog.make()
    (path / "manifest.json").unlink()
    if content is not None:
        (path / "manifest.json").write_text(content)
    with pytest.raises(BackupError, match="no complete backup|another version"):
        _backup.verify(blog.site, str(path))


def test_the_backup_of_another_application_is_refused(blog):
    with pytest.raises(BackupError, match="a backup of .* and not of shop"):
        _backup.verify(blog.site._replace(name="shop"), str(blog.make()))


def test_the_newest_is_chosen_or_what_was_named(blog):
    first, second = blog.make(), blog.make()
    assert _backup.chosen(str(blog.backups), "") == str(second)
    assert _backup.chosen(str(blog.backups), first.name) == str(first)
    for name in ("20200101T000000Z", "../x"):
        with pytest.raises(BackupError, match="There is no backup .* There are: %s, %s" % (first.name, second.name)):
            _backup.chosen(str(blog.backups), name)


def test_the_same_restoration_again_does_not_undo_the_first(blog):
    path = blog.make()
    before = restore(blog, path)["before"]
    assert _backup.chosen(str(blog.backups), "") == str(path)
    assert _backup.chosen(str(blog.backups), os.path.basename(before)) == before


# It is restored

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
    assert "Run update.yml, so that" in restore(blog, path, settings=True)["notice"]
    assert blog.env.read_text() == own + "\nSECRET_KEY=first\n"


def test_the_address_of_the_database_is_never_the_backups(blog):
    path = blog.make()
    (path / "settings.env").write_text("DATABASE_URL=mysql://x/other\nSECRET_KEY=old\n")
    order = _restore.Order(str(path), settings=True)
    _restore.Restoration(blog.site, order, {"places": []})._settings()
    assert blog.env.read_text() == "DATABASE_URL=sqlite:///%s\nSECRET_KEY=old\n" % blog.database


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
        runs = _restore.run
        monkeypatch.setattr(_restore, "run", lambda argv, user: runs(["false"] if "swap" in argv else argv, user))
    else:
        (path / "settings.env").unlink()
        monkeypatch.setattr(_backup, "verify", lambda site, path: json.loads(open(path + "/manifest.json").read()))
    with pytest.raises(BackupError) as problem:
        restore(blog, path, settings=True)
    assert "Everything is as it was before. A copy of that is " in str(problem.value)
    assert (blog.posts(), blog.files(), blog.env.read_text()) == (["one", "two", "three"], files, env)
    assert not (blog.own / "journal.json").exists()
    assert blog.records()[-1]["outcome"] == "failed" and blog.records()[0]["release"] == "v1-aaaa"


def test_a_swap_that_fails_in_between_puts_all_back(tmp_path, monkeypatch):
    owner = _backup._shared_owner
    for place in ("a", "b"):
        for name in ("old", ".restored/new"):
            (tmp_path / place / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / place / name).touch()
    rename = os.rename
    monkeypatch.setattr(os, "rename", lambda old, new: 1 / 0 if new.endswith("b/new") else rename(old, new))
    with pytest.raises(ZeroDivisionError):
        owner.swap(str(tmp_path), ["a", "b"], [])
    for place in ("a", "b"):
        assert sorted(os.listdir(tmp_path / place)) == [".replaced", ".restored", "old"]
        assert os.listdir(tmp_path / place / ".restored") == ["new"]


def test_a_database_deep_in_a_place_stays_where_it_is(tmp_path):
    owner = _backup._shared_owner
    data = tmp_path / "instance/data"
    data.mkdir(parents=True)
    for name in ("blog.db", "blog.db-wal", "other"):
        (data / name).write_text("present")
    (tmp_path / "instance/.restored/data").mkdir(parents=True)
    (tmp_path / "instance/.restored/data/new").touch()
    inode = (data / "blog.db").stat().st_ino
    owner.swap(str(tmp_path), ["instance"], ["instance/data/blog.db", "instance/data/blog.db-wal"])
    assert sorted(os.listdir(data)) == ["blog.db", "blog.db-wal", "new"]
    assert (data / "blog.db").stat().st_ino == inode


def test_what_leads_out_of_its_place_is_not_laid(tmp_path, monkeypatch):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as written:
        for name in ("instance/../../escaped", "elsewhere/x", "instance//etc/x", "instance/good"):
            written.addfile(tarfile.TarInfo(name))
    (tmp_path / "shared/instance").mkdir(parents=True)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(archive.getvalue())))
    _backup._shared_owner.stage(str(tmp_path / "shared"), ["instance"])
    assert os.listdir(tmp_path / "shared/instance/.restored") == ["good"]
    assert os.listdir(tmp_path) == ["shared"]


def test_a_place_that_the_host_has_not_is_made(blog, monkeypatch):
    (blog.shared / "logs/app.log").write_text("line")
    path = blog.make()
    (blog.shared / "logs/app.log").unlink()
    (blog.shared / "logs").rmdir()
    monkeypatch.setattr(_backup, "places", lambda site: ["instance"])
    monkeypatch.setattr(_restore, "give_tree", lambda path, user: None)
    restore(blog, path)
    assert blog.files() == {"logs/app.log": "line"}


def test_a_database_of_another_kind_is_refused_before_anything_is_touched(blog):
    path = blog.make()
    blog.env.write_text("DATABASE_URL=mysql+pymysql://localhost/blog\n")
    with pytest.raises(BackupError, match="The backup's database is sqlite, and the one .* mysql. Set flask_database"):
        _restore.check(blog.site, str(path))


def test_a_restoration_needs_room(blog, monkeypatch):
    path = blog.make()
    monkeypatch.setattr(_backup, "RESERVE", 1 << 60)
    with pytest.raises(BackupError, match="Make room"):
        _restore.check(blog.site, str(path))


def test_another_revision_is_said_with_the_version_that_belongs_to_it(blog):
    path = blog.make()
    blog.record(release="v1-aaaa", outcome="served", revision=["b2"])
    (blog.folder / "srv/slots/blue").symlink_to("../releases/v1-aaaa")
    (blog.folder / "srv/run/live.sock").symlink_to("blue.sock")
    os.remove(blog.folder / "srv/slots/blue")
    (blog.folder / "srv/slots/blue").symlink_to(blog.folder / "srv/releases/v1-aaaa")
    notice = restore(blog, path)["notice"]
    assert "at revision a1, and the served release v1-aaaa belongs to b2" in notice and "flask_version=v1 " in notice


# It is tried

def test_a_drill_loads_the_backup_and_touches_nothing(blog):
    path = blog.make()
    blog.sql("INSERT INTO post VALUES ('three')")
    report = _backup.drill(settings(blog))
    assert (report["ok"], report["backup"], report["rows"]) == (True, path.name, 3)
    assert blog.posts() == ["one", "two", "three"]
    assert blog.report("drill.json") == report


def resealed(path, name, content):
    """A file with the right checksum, and the wrong content."""
    (path / name).write_bytes(content)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["files"][name] = _backup._described(str(path / name))
    (path / "manifest.json").write_text(json.dumps(manifest))


def test_a_drill_fails_where_the_dump_is_damaged(blog):
    damaged(blog.make(), "database.gz")
    report = _backup.drill(settings(blog))
    assert not report["ok"] and "database.gz" in report["problem"]
    assert blog.report("drill.json")["ok"] is False


@pytest.mark.parametrize("query", ["DELETE FROM post", "UPDATE alembic_version SET version_num = 9", "DROP TABLE post"])
def test_a_drill_fails_where_the_dump_is_not_what_was_said(query, blog):
    path = blog.make()
    content, about = blog.database.read_bytes(), json.loads((path / "database.json").read_text())
    blog.sql(query)
    resealed(path, "database.gz", gzip.compress(blog.database.read_bytes()))
    blog.database.write_bytes(content)
    about["sha256"] = digest_of(str(path / "database.gz"))
    resealed(path, "database.json", json.dumps(about).encode())
    assert not _backup.drill(settings(blog))["ok"]


def test_a_drill_reads_the_archive_to_its_end(blog):
    (blog.shared / "instance/photo").write_bytes(os.urandom(100000))
    path = blog.make()
    resealed(path, "shared.tar.gz", (path / "shared.tar.gz").read_bytes()[:50000])
    assert not _backup.drill(settings(blog))["ok"]


def test_a_drill_without_a_backup_fails(blog):
    assert "There is no backup" in _backup.drill(settings(blog))["problem"]


# It is kept elsewhere

def test_a_backup_is_copied_into_a_repository_that_is_made_at_first(blog, restic):
    for dummy in range(2):
        report = _backup.back_up(settings(blog), "a test")
        assert report["ok"], report
    made = [call[0] for call in restic()]
    assert made == ["cat", "init", "backup", "unlock", "forget", "cat", "backup", "unlock", "forget"]
    assert "--keep-daily 7" in " ".join(restic()[-1]) and "--prune" in restic()[-1]


def test_nothing_secret_is_an_argument(blog, restic):
    _backup.back_up(settings(blog), "a test")
    said = json.dumps(restic())
    assert "s3cret" not in said and "passw0rd" not in said and "repository" not in said


def test_a_repository_that_fails_is_a_failure_with_a_backup(blog, restic, monkeypatch):
    monkeypatch.setenv("FAILS", "backup")
    report = _backup.back_up(settings(blog), "a test")
    assert not report["ok"] and "was made, but it is not off the host" in report["problem"]
    assert "no route to host" in report["problem"]
    assert _backup.backups(str(blog.backups)) == [report["backup"]]
    assert blog.report("last-backup.json")["ok"] is False


@pytest.mark.parametrize("named", [True, False])
def test_a_backup_comes_back_from_the_repository(named, blog, restic):
    name = _backup.back_up(settings(blog), "a test")["backup"]
    _backup.shutil.rmtree(blog.backups)
    assert _backup.fetched(blog.site, str(blog.backups), name if named else "") == name
    assert _backup.verify(blog.site, str(blog.backups / name))
    assert os.listdir(blog.backups) == [name]


def test_a_damaged_backup_is_replaced_by_the_one_of_the_repository(blog, restic):
    name = _backup.back_up(settings(blog), "a test")["backup"]
    damaged(blog.backups / name, "database.gz")
    _backup.fetched(blog.site, str(blog.backups), name)
    assert _backup.verify(blog.site, str(blog.backups / name))
    calls = len(restic())
    _backup.fetched(blog.site, str(blog.backups), name)
    assert [call[0] for call in restic()[calls:]] == ["snapshots"]


def test_what_the_repository_has_not_is_said(blog, restic):
    _backup.back_up(settings(blog), "a test")
    with pytest.raises(BackupError, match="The repository has no backup x. There are: 2"):
        _backup.fetched(blog.site, str(blog.backups), "x")


def test_without_a_repository_there_is_none_to_fetch_from(blog):
    with pytest.raises(BackupError, match="Set backup_restic_repository"):
        _backup.fetched(blog.site, str(blog.backups), "")


# The program of the units

def test_the_program_makes_and_tries_backups_with_the_systems_python_alone(blog):
    program = blog.folder / "backup.pyz"
    _program.write_program(str(program), _program.packed(_backup.PARTS, _backup.MAIN))
    blog.env.write_text("")  # a database would be asked by its user

    def run(action):
        argv = [sys.executable, "-I", str(program), blog.site.root, action]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    failed = run("drill")
    assert failed.returncode == 1 and "There is no backup" in failed.stderr
    for name in ("instance", "logs"):  # to root's, so that no other user is needed
        os.chown(blog.shared / name, 0 if os.geteuid() == 0 else -1, -1)
    made = run("make")
    if os.geteuid() == 0:
        assert made.returncode == 0 and made.stdout.startswith("made 2"), made
        assert run("drill").returncode == 0
    (blog.own / "backup.json").unlink()
    assert "Run site.yml" in run("make").stderr
