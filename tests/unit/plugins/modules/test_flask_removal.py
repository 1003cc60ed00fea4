# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application leaves a host that has another one; what systemd, a server and a firewall are told is only noted."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.selfhost.flask.plugins.module_utils.access.admins import Refused
from ansible_collections.selfhost.flask.plugins.module_utils.access.farewell import Parting
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.host import services, settled
from ansible_collections.selfhost.flask.plugins.module_utils.process.manager import ProcessError
from ansible_collections.selfhost.flask.plugins.module_utils.removal import remains, removal
from ansible_collections.selfhost.flask.plugins.modules import flask_removal

UNITS = ["flask-blog-backup.timer", "flask-blog-backup.service", "redis-blog.service"]
FOREIGN_UNITS = ["flask-blog-x-backup.timer", "redis-shop.service"]
OWN = ["srv/blog/deployment/backup.json", "srv/blog/shared/uploads/cat.jpg", "etc/sites/blog", "log/blog.access.log"]
FOREIGN = ["srv/blog-x/deployment/backup.json", "etc/sites/shop", "etc/sites/blog-x", "log/shop.access.log"]


class Cut(BaseException):
    """The run ends here."""


class Host:
    """Files below a folder, and what is beside them on a host."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.told, self.cut_at, self.down = folder, [], "", False
        self.programs = ["blog-blue", "blog-green", "blog.tick", "blog-x-blue", "shop-blue"]
        self.databases, self.accounts, self.users = {"blog", "shop"}, {"blog", "shop"}, {"blog", "shop"}
        self.rules, self.notes = ["`ufw --force delete allow 8080/tcp`"], []
        self.units = str(folder / "units") + "/"
        for name in [*OWN, *FOREIGN, *("units/" + unit for unit in UNITS + FOREIGN_UNITS)]:
            self.write(name)
        self.write("units/timers.target.wants/flask-blog-backup.timer")
        self.write("stamp-flask-blog-backup.timer")
        self.write("loaded/blog.user.json")
        self.write("loaded/shop.user.json")
        self.write("loaded/redis-blog.json")
        for name, dest in (("1", "etc/sites/blog"), ("2", "etc/sites/shop"), ("3", "srv/blog/deployment/x")):
            self.write("settled/%s.json" % name, json.dumps({"files": [{"dest": str(folder / dest)}]}))
        for name, asked in (("4", "blog"), ("5-shop", "blog-x")):
            self.write("settled/%s.json" % name, json.dumps({"files": [{"dest": "/etc/db.cnf"}], "ask": "echo '%s'" % asked}))
        for room in (remains, removal):
            monkeypatch.setattr(room, "UNITS", self.units)
        monkeypatch.setattr(remains, "STAMP", str(folder / "stamp-"))
        monkeypatch.setattr(removal, "BEGUN", str(folder / "removing"))
        monkeypatch.setattr(services, "KEPT", str(folder / "loaded"))
        monkeypatch.setattr(services, "RUNNING", str(folder / "run"))
        monkeypatch.setattr(settled, "FOLDER", str(folder / "settled"))
        monkeypatch.setattr(removal, "run", self.tell)
        monkeypatch.setattr(removal, "manager_of", lambda site: self)
        monkeypatch.setattr(removal, "find_user", lambda name: name in self.users)
        monkeypatch.setattr(removal, "find_group", lambda name: False)
        monkeypatch.setattr(removal, "remove_account", lambda name: self.leave(self.users, name))
        monkeypatch.setattr(removal, "parting_of", lambda module, name: self.parting())
        for module in (removal, flask_removal):
            monkeypatch.setattr(module, "DRIVERS", {"mysql": self.database, "other": self.database})

    def write(self, name, text="{}"):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def files(self):
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file()}

    def reach(self, words):
        self.told.append(words)
        if self.cut_at and self.cut_at in words:
            self.cut_at = ""
            raise Cut

    def tell(self, command):
        self.reach(" ".join(command))
        if self.down and "reload" in command[-1]:
            raise CommandError("`sh` ended with exit code 1: the shop's site is broken")

    def names(self, prefix):
        return [name for name in self.programs if name.startswith(prefix)]

    def stop(self, *names):
        self.reach("stop %s" % " ".join(names))

    def forget(self, name):
        self.programs.remove(name)

    def leave(self, found, name):
        self.reach("remove %s" % name)
        found.remove(name)

    def database(self, name, user):
        login = SimpleNamespace(is_there=lambda: name in self.accounts, remove=lambda: self.leave(self.accounts, name))
        return SimpleNamespace(
            is_there=lambda: name in self.databases, remove=lambda: self.leave(self.databases, name), login=lambda account: login
        )

    def parting(self):
        parting = SimpleNamespace(words=self.rules, notes=self.notes, stays=[], make=self.rules.clear)
        assert set(vars(parting)) < {*Parting._fields, "make"}
        return parting


@pytest.fixture
def host(tmp_path, monkeypatch):
    return Host(tmp_path, monkeypatch)


@pytest.fixture
def remove(host, capsys):
    """What the module answers."""

    def remove(check=False, **given):
        top = str(host.folder)
        parts = [
            dict(paths=[top + "/etc/sites/blog", top + "/log/blog.*"], reload="reload proxy"),
            dict(units=["redis-blog.service"]),
            dict(paths=[top + "/srv/blog"], look="[ ! -e %s/queue ] || echo the queue $app" % top, take="rm queue of $app"),
            dict(units=["flask-blog-backup.timer", "flask-blog-backup.service", "flask-blog.*.timer"]),
        ]
        own = [dict(kind="mysql", name="blog", account="blog")]
        about = dict(name="blog", root=top + "/srv/blog", log=top + "/log/blog", remains=parts, databases=own)
        with patch_module_args({**about, **given, "_ansible_check_mode": check}), pytest.raises((SystemExit, Cut)):
            flask_removal.main()
        said = capsys.readouterr().out
        return json.loads(said) if said else {}

    return remove


def left(host):
    return {name for name in host.files() if "shop" not in name and "blog-x" not in name and name != "settled/2.json"}


def test_check_mode_says_what_there_is_and_touches_nothing(host, remove):
    before = host.files()
    answer = remove(check=True)
    assert answer["changed"] and answer["set_up"] and not answer["begun"]
    assert host.files() == before and host.told == [] and len(host.programs) == 5
    said = " ".join(answer["found"])
    for words in ("program blog.tick", "unit redis-blog.service", "folder %s/srv/blog" % host.folder, "user blog", "ufw --force delete"):
        assert words in said
    assert "the MySQL database blog" in answer["found"] and "shop" not in said and "blog-x" not in said


def test_nothing_of_it_is_left_and_all_of_the_others(host, remove):
    foreign = host.files() - left(host)
    assert remove()["changed"]
    assert left(host) == set() and host.files() == foreign
    assert host.programs == ["blog-x-blue", "shop-blue"] and host.rules == []
    assert host.databases == host.accounts == host.users == {"shop"}
    assert not (host.folder / "removing").exists()


def test_a_second_run_finds_nothing(host, remove):
    remove()
    host.told.clear()
    answer = remove()
    assert not answer["changed"] and answer["found"] == [] and host.told == []


def test_who_reads_the_files_is_told_once_they_are_gone_and_systemd_last(host, remove):
    remove()
    at = host.told.index
    assert at("stop blog-blue") < at("systemctl stop redis-blog.service") < at("sh -c reload proxy") < at("systemctl daemon-reload")
    assert at("systemctl daemon-reload") < at("remove blog")


@pytest.mark.parametrize("moment", ["stop blog-green", "stop redis-blog", "sh -c reload proxy", "daemon-reload", "remove blog"])
def test_a_run_that_was_cut_off_is_ended_by_the_next_one(moment, host, remove):
    host.cut_at = moment
    assert remove() == {}
    assert remove(check=True)["begun"]
    answer = remove()
    assert answer["changed"] and left(host) == set() and host.databases == {"shop"}
    assert host.told.count("sh -c reload proxy") >= 1 and host.told.count("systemctl daemon-reload") >= 1
    assert not remove()["changed"]


def test_what_can_t_be_told_goes_on_with_the_next_run(host, remove):
    host.down = True
    answer = remove()
    assert answer["failed"] and "removed in part only" in answer["msg"] and "the shop's site is broken" in answer["msg"]
    host.down = False
    assert remove()["changed"] and left(host) == set()


def test_what_a_part_finds_by_itself_is_taken(host, remove):
    host.write("queue")
    assert "the queue blog" in remove(check=True)["found"]
    remove()
    assert "env app=blog sh -euc rm queue of $app" in host.told


def test_a_database_that_is_not_used_any_more_stays_and_is_said(host, remove):
    host.databases.add("older")
    answer = remove(former=[dict(kind="other", name="older"), dict(kind="other", name="none"), dict(kind="unknown", name="older")])
    assert answer["stays"] == ["the other database older, which the application does not use any more, and which no backup has"]
    assert "older" in host.databases


def test_a_process_manager_that_is_down_runs_nothing(host, remove, monkeypatch):
    monkeypatch.setattr(host, "names", lambda prefix: (_ for _ in ()).throw(ProcessError("x", "no answer")))
    assert remove()["changed"] and left(host) == set()


def test_a_mount_is_refused_before_anything_is_touched(host, remove, monkeypatch):
    before = host.files()
    monkeypatch.setattr(removal, "mounts_in", lambda paths: [next(path for path in paths if path.endswith("srv/blog")) + "/shared/uploads"])
    answer = remove()
    assert answer["failed"] and "srv/blog/shared/uploads on this host is a mount" in answer["msg"]
    assert answer["msg"].endswith("Nothing was changed.") and host.files() == before and host.told == []


def test_mounts_are_those_in_a_folder_and_it_itself():
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        assert "/proc" in [line.split()[4] for line in file]
    assert "/proc" in remains.mounts_in(["/proc"]) and remains.mounts_in(["/pro", "/procedure"]) == []


@pytest.mark.parametrize("about", [dict(paths=["/srv"]), dict(paths=["/srv/weblog"]), dict(paths=["/srv/blogs/*"]), dict(units=["nginx"])])
def test_a_path_without_the_application_s_name_is_refused(about, host, remove):
    before = host.files()
    answer = remove(remains=[about])
    assert answer["failed"] and "does not have its name" in answer["msg"] and host.files() == before


def test_a_refusal_of_the_firewall_is_said_with_what_to_do(host, remove, monkeypatch):
    def refuse():
        raise Refused("a change of sshd or the firewall is not confirmed yet")

    monkeypatch.setattr(host, "parting", lambda: SimpleNamespace(words=["x"], notes=[], stays=[], make=refuse))
    answer = remove()
    assert answer["failed"] and answer["msg"].endswith("run `selfhost.flask.remove` again: it goes on from there.")


def test_somebody_else_who_is_at_work_is_not_disturbed(host, remove):
    lock = dict(id="bob", owner="bob@desk", machine="m", process=1, started="s", reason="an update", since=0)
    host.write("srv/blog/deployment/lock.json", json.dumps(lock))
    before = host.files()
    answer = remove(owner=dict(id="ana", owner="ana@laptop", machine="m", process=2, started="s"))
    assert answer["holder"]["owner"] == "bob@desk" and not answer["changed"]
    assert host.files() - {"srv/blog/deployment/step"} == before and host.told == []
    os.unlink(host.folder / "srv/blog/deployment/lock.json")
    assert remove(owner=dict(id="ana", owner="ana@laptop", machine="m", process=2, started="s"))["changed"]
    assert left(host) == set()
