# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import socket
import sqlite3
import tarfile
from contextlib import closing

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.database.sqlite import SQLite
from ansible_collections.selfhost.flask.plugins.module_utils.shared import files as shared_files
from ansible_collections.selfhost.flask.plugins.module_utils.shared.files import count, pack, places
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site


def members(path):
    with tarfile.open(path / "shared.tar.gz") as archive:
        return {member.name: member for member in archive}


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
    found = pack(blog.site, str(blog.folder / "shared.tar.gz"), [SQLite(str(blog.database), blog.site.name)])
    assert found["places"] == ["instance", "logs"]
    names = members(blog.folder)
    assert sorted(names) == ["instance/" + name for name in ("folder", "folder link", "link", "program", "same")]
    assert names["instance/link"].linkname == "/etc/passwd" and names["instance/same"].isreg()
    assert names["instance/program"].mode == 0o755


@pytest.mark.needs_root
def test_only_what_the_application_may_write_to_is_a_place(tmp_path):
    for name in ("instance/inner", "app/static/uploads"):
        (tmp_path / "shared" / name).mkdir(parents=True)
    for name in ("instance", "instance/inner", "app/static/uploads"):
        os.chown(tmp_path / "shared" / name, 1, 1)
    (tmp_path / "shared/link").symlink_to("/etc")
    assert places(Site("blog", str(tmp_path), "")) == ["app/static/uploads", "instance"]


def live(path, *rows, mode="wal"):
    """A SQLite file of any name, and a connection that has it open and has written to it."""
    connection = sqlite3.connect(path)
    for query in ("PRAGMA journal_mode = " + mode, "CREATE TABLE event (name TEXT)"):
        connection.execute(query)
    connection.executemany("INSERT INTO event VALUES (?)", [(row,) for row in rows])
    connection.commit()
    return connection


def events(path):
    with closing(sqlite3.connect(path)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM event")]


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_sqlite_file_of_any_name_is_packed_as_it_is_at_one_moment(mode, blog, tmp_path):
    (blog.shared / "instance/data").mkdir()
    with closing(live(blog.shared / "instance/data/events", "one", "two", mode=mode)) as connection:
        connection.execute("INSERT INTO event VALUES ('not committed')")
        found = pack(blog.site, str(blog.folder / "shared.tar.gz"), [SQLite(str(blog.database), blog.site.name)])
    with tarfile.open(blog.folder / "shared.tar.gz") as archive:
        assert archive.getnames() == ["instance/data", "instance/data/events"]
        archive.extractall(tmp_path / "out")
    assert events(tmp_path / "out/instance/data/events") == ["one", "two"]
    assert found["unpacked"] > 8192
    assert count(str(blog.folder / "shared.tar.gz")) == dict(files=1, sqlite=["instance/data/events"])


def test_a_damaged_sqlite_file_is_packed_as_it_is(blog):
    content = b"SQLite format 3\0" + b"x" * 5000
    (blog.shared / "instance/broken.db").write_bytes(content)
    (blog.shared / "instance/notes-wal").write_text("no database's")
    pack(blog.site, str(blog.folder / "shared.tar.gz"), [SQLite(str(blog.database), blog.site.name)])
    with tarfile.open(blog.folder / "shared.tar.gz") as archive:
        assert archive.extractfile("instance/broken.db").read() == content
        assert "instance/notes-wal" in archive.getnames()


def test_a_sqlite_file_that_stays_locked_is_named(blog, monkeypatch):
    argv = shared_files.owner_argv
    monkeypatch.setattr(shared_files, "owner_argv", lambda *about: [
        word.replace("TIMEOUT = 60", "TIMEOUT = 0.1") for word in argv(*about)
    ])
    with closing(live(blog.shared / "instance/events", mode="delete")) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(CommandError, match="SQLite file .*instance/events can't be copied: database is locked"):
            pack(blog.site, str(blog.folder / "shared.tar.gz"))
