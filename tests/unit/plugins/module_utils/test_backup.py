# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import sys

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.backup import backup
from ansible_collections.selfhost.flask.plugins.module_utils.backup.store import BackupError, backups, described, verify
from ansible_collections.selfhost.flask.plugins.module_utils.common.stream import digest_of
from ansible_collections.selfhost.flask.plugins.module_utils.database.drivers import databases_at
from ansible_collections.selfhost.flask.plugins.module_utils.deployment import program as deployment_program
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import Busy


def settings(blog):
    return backup.read_settings(blog.site.root)


def test_one_backup_at_a_time(blog):
    with backup.alone(blog.site):
        with pytest.raises(Busy, match="Another backup"):
            backup.back_up(settings(blog), "a test")


# It is tried


def test_a_drill_loads_the_backup_and_touches_nothing(blog):
    path = blog.make()
    blog.sql("INSERT INTO post VALUES ('three')")
    report = backup.drill(settings(blog))
    assert (report["ok"], report["backup"], report["rows"]) == (True, path.name, 3)
    assert blog.posts() == ["one", "two", "three"]
    assert blog.report("drill.json") == report


def test_a_drill_of_a_backup_from_before_the_application_had_another_database(blog, monkeypatch):
    blog.make()
    other = blog.shared / "instance/cache.db"
    with contextlib.closing(sqlite3.connect(other)) as connection, connection:
        connection.execute("CREATE TABLE kept (name TEXT)")
    both = [["sqlite", str(blog.database)], ["sqlite", str(other)]]
    monkeypatch.setattr(backup, "database_of", lambda site: databases_at(both, site.name))
    assert backup.drill(settings(blog))["rows"] == 3


def test_a_drill_says_what_the_backup_has_not_and_which_of_its_files_are_databases(blog):
    blog.env.write_text("DATABASE_URL=postgresql://db/blog\n")
    blog.make()
    report = backup.drill(settings(blog))
    assert report["missing"] == ["the PostgreSQL database blog on db"] and "rows" not in report
    assert (report["files"], report["sqlite"]) == (1, ["instance/blog.db"])
    assert report["summary"] == (
        "is good as far as it goes, but has nothing of the PostgreSQL database blog on db: 1 file (with 1 SQLite "
        "database) and no database."
    )


def resealed(path, name, content):
    """A file with the right checksum, and the wrong content."""
    (path / name).write_bytes(content)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["files"][name] = described(str(path / name))
    (path / "manifest.json").write_text(json.dumps(manifest))


def test_a_drill_fails_where_the_dump_is_damaged(blog):
    blog.damage(blog.make() / "database.gz")
    report = backup.drill(settings(blog))
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
    assert not backup.drill(settings(blog))["ok"]


def test_a_drill_reads_the_archive_to_its_end(blog):
    (blog.shared / "instance/photo").write_bytes(os.urandom(100000))
    path = blog.make()
    resealed(path, "shared.tar.gz", (path / "shared.tar.gz").read_bytes()[:50000])
    assert not backup.drill(settings(blog))["ok"]


def test_a_drill_without_a_backup_fails(blog):
    assert "There is no backup" in backup.drill(settings(blog))["problem"]


# It is kept elsewhere


def test_a_backup_is_copied_into_a_repository_that_is_made_at_first(blog, restic):
    for dummy in range(2):
        report = backup.back_up(settings(blog), "a test")
        assert report["ok"], report
    made = [call[0] for call in restic()]
    assert made == ["cat", "init", "backup", "unlock", "forget", "cat", "backup", "unlock", "forget"]
    assert "--keep-daily 7" in " ".join(restic()[-1]) and "--prune" in restic()[-1]


def test_nothing_secret_is_an_argument(blog, restic):
    backup.back_up(settings(blog), "a test")
    said = json.dumps(restic())
    assert "s3cret" not in said and "passw0rd" not in said and "repository" not in said


def test_a_repository_that_fails_is_a_failure_with_a_backup(blog, restic, monkeypatch):
    monkeypatch.setenv("FAILS", "backup")
    report = backup.back_up(settings(blog), "a test")
    assert not report["ok"] and "was made, but it is not off the host" in report["problem"]
    assert "no route to host" in report["problem"]
    assert backups(str(blog.backups)) == [report["backup"]]
    assert blog.report("last-backup.json")["ok"] is False


@pytest.mark.parametrize("named", [True, False])
def test_a_backup_comes_back_from_the_repository(named, blog, restic):
    name = backup.back_up(settings(blog), "a test")["backup"]
    shutil.rmtree(blog.backups)
    assert backup.fetched(blog.site, str(blog.backups), name if named else "") == name
    assert verify(blog.site, str(blog.backups / name))
    assert os.listdir(blog.backups) == [name]


def test_a_damaged_backup_is_replaced_by_the_one_of_the_repository(blog, restic):
    name = backup.back_up(settings(blog), "a test")["backup"]
    blog.damage(blog.backups / name / "database.gz")
    backup.fetched(blog.site, str(blog.backups), name)
    assert verify(blog.site, str(blog.backups / name))
    calls = len(restic())
    backup.fetched(blog.site, str(blog.backups), name)
    assert [call[0] for call in restic()[calls:]] == ["snapshots"]


def test_what_the_repository_has_not_is_said(blog, restic):
    backup.back_up(settings(blog), "a test")
    with pytest.raises(BackupError, match="The repository has no backup x. Set flask_backup to one of these: 2"):
        backup.fetched(blog.site, str(blog.backups), "x")


def test_without_a_repository_there_is_none_to_fetch_from(blog):
    with pytest.raises(BackupError, match="Set backup_restic_repository"):
        backup.fetched(blog.site, str(blog.backups), "")


# The program of the units


def test_the_program_makes_and_tries_backups_with_the_systems_python_alone(blog):
    program = blog.folder / "backup.pyz"
    deployment_program.write_program(str(program), deployment_program.packed(backup.MAIN))
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
    assert "Run `selfhost.flask.site`" in run("make").stderr
