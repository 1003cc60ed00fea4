# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A data directory of which nobody knows whether it is whole."""

from __future__ import annotations

import contextlib

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.host.packages import Packages
from ansible_collections.selfhost.flask.plugins.modules import mysql_data

CHECK = {"_ansible_check_mode": True}
PROBLEM = "Unable to start service mysql"
# What a full disk, or a kill, leaves behind.
HALVES = {
    "nothing": [],
    "MariaDB, without a log": ["aria_log.00000001", "aria_log_control", "debian-10.11.flag", "ib_logfile101"],
    "MariaDB, without privileges": ["ibdata1", "ib_logfile0", "undo001", "mysql/user.frm", "debian-10.11.flag"],
    "MySQL": ["#innodb_redo/#ib_redo1", "#ib_16384_0.dblwr", "ibdata1", "auto.cnf", "undo_001", "mysql.ibd", "ca-key.pem"],
    "on a disk of its own": ["lost+found/#12", "ibdata1"],
}
# What somebody would miss, or a server that once was well has written.
BELONGINGS = ["guestbook/posts.ibd", "test/db.opt", "dump.sql", "mysql_upgrade_info", "blog.frm"]


@pytest.fixture
def done():
    """The programs that ran, each with what was in the directory then."""
    return []


@pytest.fixture
def data(tmp_path, monkeypatch, done):
    """A data directory."""
    folder = tmp_path / "mysql"
    folder.mkdir()

    def run_command(module, argv, **ignored):
        done.append((argv[0], sorted(path.name for path in folder.iterdir())))
        return (1, "", "No space left on device\n") if (tmp_path / "full").exists() and "reconf" in argv[0] else (0, "", "")

    @contextlib.contextmanager
    def alone(self):
        yield 0

    monkeypatch.setattr(AnsibleModule, "run_command", run_command)
    monkeypatch.setattr(mysql_data, "data_folder", lambda module: str(folder))
    monkeypatch.setattr(mysql_data, "package", lambda: "mariadb-server")
    monkeypatch.setattr(Packages, "__init__", lambda *ignored: None)
    monkeypatch.setattr(Packages, "alone", alone)
    return folder


def fill(folder, names):
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize("case", HALVES)
def test_half_a_directory_is_made_again_by_its_package(case, data, done, run):
    fill(data, HALVES[case])
    before = sorted(data.rglob("*"))
    assert run("mysql_data", problem=PROBLEM, **CHECK)["changed"] and sorted(data.rglob("*")) == before
    assert run("mysql_data", problem=PROBLEM)["changed"]
    kept = ["lost+found"] if case == "on a disk of its own" else []
    assert done == [("systemctl", sorted({path.relative_to(data).parts[0] for path in before}))] + [("dpkg-reconfigure", kept)]


@pytest.mark.parametrize("name", BELONGINGS)
def test_anybody_s_data_is_left_as_it_is(name, data, done, run):
    fill(data, [*HALVES["MariaDB, without privileges"], name])
    before = sorted(data.rglob("*"))
    answer = run("mysql_data", problem=PROBLEM)
    assert answer["failed"] and PROBLEM in answer["msg"] and "because of %s in it" % name.split("/")[0] in answer["msg"]
    assert sorted(data.rglob("*")) == before and done == []


def test_link_is_not_followed(data, run, tmp_path):
    fill(tmp_path, ["elsewhere/posts.ibd"])
    (data / "mysql").symlink_to(tmp_path / "elsewhere")
    assert run("mysql_data", problem=PROBLEM)["failed"]
    assert (tmp_path / "elsewhere/posts.ibd").exists()


def test_package_that_fails_is_said(data, run, tmp_path):
    (tmp_path / "full").touch()
    said = run("mysql_data", problem=PROBLEM)["msg"]
    assert "could not be created again: No space left on device\nMake room on its disk" in said


def test_package_is_the_one_whose_script_makes_the_directory(tmp_path, monkeypatch):
    monkeypatch.setattr(mysql_data, "SCRIPTS", str(tmp_path))
    scripts = {"default-mysql-server": "true", "mysql-server-8.0": "mysqld --initialize-insecure", "mariadb-client": "install_db"}
    for name, text in scripts.items():
        (tmp_path / (name + ".postinst")).write_text(text)
    assert mysql_data.package() == "mysql-server-8.0"
