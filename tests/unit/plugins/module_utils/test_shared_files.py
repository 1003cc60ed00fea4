# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import socket
import tarfile

import pytest

from ansible_collections.selfhost.flask.plugins.module_utils._shared_files import pack, places
from ansible_collections.selfhost.flask.plugins.module_utils._site import Site


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
    found = pack(blog.site, str(blog.folder / "shared.tar.gz"))
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
