# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An installation is stopped and archived, started again with all that it had, and removed; programs are only noted."""

from __future__ import annotations

import getpass
import gzip
import json
import os
import shutil
import subprocess
import tarfile
from types import SimpleNamespace

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.adoption import configuration
from ansible_collections.selfhost.flask.plugins.module_utils.adoption import ending as ending_module
from ansible_collections.selfhost.flask.plugins.module_utils.adoption import folder as folder_module
from ansible_collections.selfhost.flask.plugins.module_utils.adoption import handover, in_use
from ansible_collections.selfhost.flask.plugins.module_utils.adoption import store as store_module
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.data import Data
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.ending import Ending
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.handover import (
    give_back,
    hand_over,
    settle,
)
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.installation import AdoptionError, Installation
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.plan import Plan
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.store import SERVED, Store
from ansible_collections.selfhost.flask.plugins.module_utils.backup.store import BackupError
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.host.foreign_programs import ForeignProgram, Foreigners
from ansible_collections.selfhost.flask.plugins.module_utils.proxy.foreign_sites import ForeignSite, ForeignSites


class Host:
    """An installation in a folder, with a worker that was down, a site, and what the roles change."""

    def __init__(self, top, monkeypatch):
        self.up, self.told = {"web"}, []
        self.folder, self.configuration = top / "home/microblog", top / "etc/manager.service.d"
        (self.folder / "uploads").mkdir(parents=True)
        (self.folder / "uploads/cat.jpg").write_text("cat")
        (self.folder / "microblog.py").write_text("app = None")
        for name in ("etc/web.conf", "etc/worker.conf", "etc/sites/microblog", "etc/proxy/proxy.conf"):
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_text("old")
        host = self

        class Manager(Foreigners):
            kind, unit, changed = "manager", "manager.service", (str(host.configuration),)

            def programs(self):
                return host.programs

            def is_up(self, program):
                return program.name in host.up

            def stop(self, program, put_away):
                host.up.discard(program.name)
                os.makedirs(os.path.dirname(put_away[program.file]), exist_ok=True)
                os.rename(program.file, put_away[program.file])

            def start(self, program, put_away, was):
                if os.path.exists(put_away[program.file]):
                    os.rename(put_away[program.file], program.file)
                host.up |= {program.name} if was.up else set()

        class Sites(ForeignSites):
            kind, unit, test, changed = "proxy", "proxy.service", ("proxy", "-t"), (str(top / "etc/proxy"),)

            def with_files(self, folder):
                return host.sites_with_files

        self.programs = tuple(
            ForeignProgram(name, "manager", str(top / "etc" / (name + ".conf")), "", str(self.folder), getpass.getuser())
            for name in ("web", "worker")
        )
        self.site = top / "etc/sites/microblog"
        sites = ((Sites, ForeignSite(str(self.site))),)
        found = Installation(self.programs, str(self.folder), getpass.getuser(), {"SECRET_KEY": "a"}, sites)
        self.plan = Plan(found, Data(), None, None, ["uploads"], [], [], [], [])
        Sites.paths_of = lambda self, app: [str(host.proxy / app), str(host.proxy / "apps" / app)]
        Sites.enabled = lambda self, app: [str(host.proxy / app)]
        self.proxy, self.refuses = top / "etc/proxy", False
        run = handover.run
        monkeypatch.setattr(store_module, "FOLDER", str(top / "store"))
        for module in (handover, configuration):
            monkeypatch.setattr(module, "run", lambda argv: self.tell(argv) if argv[0] != "cp" else run(argv))
        monkeypatch.setattr(handover, "MANAGERS", {"manager": Manager})
        monkeypatch.setattr(handover, "SITES", (Sites,))
        monkeypatch.setattr(configuration, "SITES", (Sites,))
        monkeypatch.setattr(ending_module, "SITES", ())
        monkeypatch.setattr(in_use, "ROOT", str(top / "srv"))
        monkeypatch.setattr(in_use, "find_installations", lambda: self.others)
        self.others, self.sites_with_files = [], []
        monkeypatch.setattr(folder_module, "PLACES", {str(top): 1})
        monkeypatch.setattr(folder_module, "MANAGERS", {"manager": Manager})
        monkeypatch.setattr(folder_module, "SITES", (Sites,))
        self.store = Store("blog")

    def tell(self, argv):
        self.told.append(" ".join(argv))
        if self.refuses and argv == ["proxy", "-t"]:
            raise CommandError("no such certificate.")

    def serve(self):
        """The move, what the roles write, and the visitors."""
        self.move()
        (self.proxy / "apps/blog").mkdir(parents=True)
        for name in ("proxy.conf", "blog", "apps/blog/headers.conf"):
            (self.proxy / name).write_text("new")
        settle(self.store)

    def move(self):
        return hand_over(self.plan, self.store, "blog", {"SECRET_KEY": "a"}, True)


@pytest.fixture
def host(tmp_path, monkeypatch):
    return Host(tmp_path, monkeypatch)


def test_it_is_stopped_and_archived_as_a_backup_of_the_new_application(host):
    manifest = host.move()
    assert host.up == set() and not host.site.exists() and not os.path.exists(host.programs[0].file)
    archive = host.store.archive()
    about = json.loads(open(os.path.join(archive, "manifest.json")).read())
    assert (about["name"], about["places"], about["counts"]) == ("blog", ["uploads"], {"uploads": [1, 3]})
    assert about["database"] is None and set(about["files"]) == {"settings.env", "shared.tar.gz"}
    with gzip.open(os.path.join(archive, "shared.tar.gz")) as file, tarfile.open(fileobj=file) as packed:
        assert packed.getnames() == ["uploads/cat.jpg"]
    assert os.stat(archive).st_mode & 0o77 == 0 and manifest["backup"] == os.path.basename(archive)


@pytest.mark.parametrize("same_host, needed", [(True, 3000), (False, 6000)])
def test_the_folders_need_room_and_a_file_that_travels_as_well(host, monkeypatch, same_host, needed):
    (host.folder / "uploads/cat.jpg").write_bytes(b"x" * 3000)
    (host.folder / "uploads/link").symlink_to("/proc/kcore")
    asked = []

    def check_room(folder, size, what):
        asked.append((folder, size))
        raise BackupError("no room")

    monkeypatch.setattr(handover, "check_room", check_room)
    with pytest.raises(BackupError):
        hand_over(host.plan, host.store, "blog", {}, same_host)
    assert asked == [(host.store.folder, needed)] and host.up == {"web"} and host.store.state == {}


def test_what_fails_starts_it_again(host, monkeypatch):
    monkeypatch.setattr(handover, "make_archive", lambda *arguments: (_ for _ in ()).throw(AdoptionError("no room")))
    with pytest.raises(AdoptionError, match="no room"):
        host.move()
    assert host.up == {"web"} and host.site.exists() and os.path.exists(host.programs[1].file)
    assert host.store.state["stage"] == "returned"


def test_what_fails_is_said_also_if_it_does_not_start_again(host, monkeypatch):
    monkeypatch.setattr(handover, "make_archive", lambda *arguments: (_ for _ in ()).throw(AdoptionError("no room.")))
    monkeypatch.setattr(handover, "give_back", lambda *arguments: (_ for _ in ()).throw(AdoptionError("no supervisor.")))
    with pytest.raises(AdoptionError, match="no room. The old installation could not be started again: no supervisor"):
        host.move()
    assert host.store.state["stage"] == "begun"


def test_it_is_started_again_with_the_configuration_that_it_had(host):
    host.move()
    host.configuration.mkdir()
    (host.configuration / "selfhost.conf").write_text("confined")
    (host.configuration.parent / "proxy/proxy.conf").write_text("new")
    give_back(Store("blog"))
    assert host.up == {"web"} and host.site.exists() and not host.configuration.exists()
    assert (host.configuration.parent / "proxy/proxy.conf").read_text() == "old"
    assert "systemctl restart manager.service" in host.told and "systemctl reload-or-restart proxy.service" in host.told
    assert "systemctl restart proxy.service" not in host.told


def test_what_nobody_else_has_changed_since_is_as_it_was(host):
    host.serve()
    (host.proxy / "blog").write_text("with a certificate")
    assert give_back(host.store) == []
    assert sorted(os.listdir(host.proxy)) == ["proxy.conf"] and (host.proxy / "proxy.conf").read_text() == "old"
    assert host.site.exists() and host.up == {"web"} and host.store.state["stage"] == "returned"


def test_sites_of_others_that_came_since_stay_with_what_they_need(host):
    host.serve()
    (host.proxy / "shop").write_text("shop")
    (said,) = give_back(host.store)
    assert "changes since the move in 1 file, such as shop" in said
    assert (host.proxy / "shop").exists() and (host.proxy / "proxy.conf").read_text() == "new"
    assert not (host.proxy / "blog").exists() and host.site.exists() and host.up == {"web"}


def test_what_is_replaced_is_kept(host):
    host.move()
    (host.proxy / "hand.conf").write_text("edited")
    give_back(host.store)
    assert not (host.proxy / "hand.conf").exists()
    (kept,) = [name for name in os.listdir(host.store.folder) if name.startswith("replaced-")]
    with open(host.store.path(kept, str(host.proxy).lstrip("/"), "hand.conf")) as file:
        assert file.read() == "edited"


@pytest.mark.parametrize("others", [False, True])
def test_a_configuration_that_the_proxy_refuses_changes_nothing(host, others):
    host.serve()
    if others:
        (host.proxy / "shop").write_text("shop")
    before, host.refuses = configuration.listing(str(host.proxy)), True
    with pytest.raises(AdoptionError, match="no such certificate. Nothing was changed"):
        give_back(host.store)
    assert configuration.listing(str(host.proxy)) == before and not host.site.exists()
    assert host.up == set() and host.store.state["stage"] == SERVED
    host.refuses = False
    give_back(host.store)
    assert host.site.exists() and host.up == {"web"}


def test_another_move_archives_what_came_since(host):
    host.move()
    give_back(host.store)
    (host.folder / "uploads/dog.jpg").write_text("dogs")
    host.store.note(backup="")
    for path in os.listdir(host.store.folder):
        if path.endswith("Z"):
            os.rename(host.store.path(path), host.store.path("earlier"))
    assert host.move()["counts"] == {"uploads": [2, 7]}


def test_what_was_not_moved_is_not_removed(host):
    with pytest.raises(AdoptionError, match="was not moved"):
        Ending(Store("blog"), "blog")
    host.move()
    with pytest.raises(AdoptionError, match="was not moved"):
        Ending(host.store, "blog")
    give_back(host.store)
    with pytest.raises(AdoptionError, match="was not moved"):
        Ending(host.store, "blog")


def test_all_of_it_is_packed_and_removed(host):
    host.move()
    host.store.note(stage=SERVED)
    (host.folder / "venv/bin").mkdir(parents=True)
    (host.folder / "venv/bin/python").write_text("")
    ending = Ending(host.store, "blog")
    assert "folder %s" % host.folder in ending.found() and len(ending.found()) == 4
    with tarfile.open(ending.pack()) as packed:
        names = [os.path.basename(name) for name in packed.getnames()]
    assert {"cat.jpg", "web.conf", "worker.conf", "microblog", "manifest.json"} <= set(names) and "python" not in names
    assert ending.remove() == []
    assert not host.folder.exists() and not os.path.exists(host.store.folder) and not host.site.exists()


@pytest.mark.parametrize("change, why", [
    ("replaced", "which is not the one that was moved"), ("owner", "which is not the one that was moved"),
    ("unnoted", "which is not the one that was moved"), ("linked", "whose path has a link in it"),
    ("place", "which is where more than applications may be"), ("above home", "which has the home of ana in it"),
    ("home", "which has the home of ana in it"), ("mount", "which has the file system"), ("empty", "which has no source"),
    ("program", "which the program shop may use"), ("site", "which the site /etc/shop may use"),
    ("setting", "which shop may use"), ("process", "which process"), ("repositories", "has repositories in it"),
])
def test_a_folder_that_may_have_more_than_the_application_stays(host, change, why, tmp_path, monkeypatch):
    ending, stop = served(host), None
    if change == "replaced":
        (host.folder.parent / "other").mkdir()
        host.folder.rename(tmp_path / "moved")
        (host.folder.parent / "other").rename(host.folder)
    elif change == "linked":
        host.folder.parent.rename(tmp_path / "moved")
        host.folder.parent.symlink_to(tmp_path / "moved")
        ending.state["identity"]["real"] = os.path.realpath(host.folder)
    elif change in ("owner", "unnoted"):
        ending.state["identity"] = dict(ending.state["identity"], owner=4711) if change == "owner" else None
    elif change == "place":
        monkeypatch.setattr(folder_module, "PLACES", {str(tmp_path): 3})
    elif change in ("home", "above home"):
        home = host.folder / ("ana" if change == "above home" else "")
        monkeypatch.setattr(folder_module.pwd, "getpwall", lambda: [SimpleNamespace(pw_dir=str(home), pw_name="ana")])
    elif change == "mount":
        monkeypatch.setattr(folder_module, "mount_points", lambda: [str(host.folder / "uploads")])
    elif change in ("empty", "repositories"):
        (host.folder / "microblog.py").unlink() if change == "empty" else (host.folder / "shop/.git").mkdir(parents=True)
    elif change == "program":
        host.programs += (host.programs[0]._replace(name="shop", file="/etc/shop.conf", folder=str(host.folder / "shop")),)
    elif change == "site":
        host.sites_with_files.append("/etc/shop")
    elif change == "setting":
        (tmp_path / "srv/shop/deployment").mkdir(parents=True)
        (tmp_path / "srv/shop/shared").mkdir()
        (tmp_path / "srv/shop/shared/.env").write_text("UPLOADS=%s/uploads\n" % host.folder)
    elif change == "process":
        stop = subprocess.Popen(["sleep", "60"], cwd=host.folder)
    try:
        stays, = ending.remove()
    finally:
        if stop:
            stop.kill()
            stop.wait()
    assert why in stays and stays.endswith("sudo rm -r -- %s" % host.folder) and host.folder.exists()
    if change not in ("replaced", "linked"):
        assert (host.folder / "uploads/cat.jpg").exists()


def test_a_folder_that_is_exchanged_in_the_last_moment_stays(host, tmp_path):
    identity = folder_module.identity_of(str(host.folder))
    victim = tmp_path / "victim/microblog"
    victim.mkdir(parents=True)
    host.folder.parent.rename(tmp_path / "moved")
    host.folder.parent.symlink_to(victim.parent)
    with pytest.raises(OSError):
        folder_module.remove_folder(str(host.folder), identity)
    host.folder.parent.unlink()
    victim.parent.rename(host.folder.parent)
    with pytest.raises(OSError, match="not the one that was moved"):
        folder_module.remove_folder(str(host.folder), identity)
    assert host.folder.is_dir()


def test_a_file_whose_path_its_user_could_exchange_stays(host, tmp_path):
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim/site.conf").write_text("somebody else's")
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    ending = served(host)
    ending.state["files"].append(str(tmp_path / "link/site.conf"))
    stays, = ending.remove()
    assert stays.endswith("sudo rm -- %s/link/site.conf" % tmp_path) and (tmp_path / "victim/site.conf").exists()
    assert not host.folder.exists()


MICROBLOG = ["mysql", "microblog", "localhost", 0, "", "microblog"]


@pytest.fixture
def mysql(monkeypatch):
    """What was removed of a server that has all databases, and an account that nobody else needs."""
    removed, driver = [], ending_module.DRIVERS["mysql"]
    monkeypatch.setattr(driver, "is_there", lambda self: "database " + self.name not in removed)
    monkeypatch.setattr(driver, "remove", lambda self: removed.append("database " + self.name))
    for name, answer in (("is_there", True), ("has_rights", False)):
        monkeypatch.setattr(driver.login, name, lambda self, answer=answer: answer)
    monkeypatch.setattr(driver.login, "remove", lambda self: removed.append("account " + self.name))
    return removed


def served(host, **about):
    host.move()
    host.store.note(stage=SERVED, **about)
    return Ending(host.store, "blog")


def test_its_database_is_removed_with_its_account(host, mysql):
    assert served(host, address=MICROBLOG).remove() == []
    assert mysql == ["database microblog", "account microblog"]


@pytest.mark.parametrize("env", [
    "DATABASE_URL=mysql+pymysql://microblog:x@localhost/microblog", "SHOP_DB=mysql://x@127.0.0.1:3306/microblog",
    "DATABASE_URL=mysql://x@blog.example.com/microblog",
])
def test_the_database_that_an_application_of_this_host_has_is_never_removed(host, mysql, env, tmp_path):
    (tmp_path / "srv/blog/deployment").mkdir(parents=True)
    (tmp_path / "srv/blog/shared").mkdir()
    (tmp_path / "srv/blog/shared/.env").write_text(env + "\n")
    ending = served(host, address=MICROBLOG)
    assert not [line for line in ending.found() if "microblog and" in line]
    stays, = ending.remove()
    assert "the MySQL database microblog, which blog may use" in stays and "DROP DATABASE `microblog`" in stays
    assert mysql == [] and not host.folder.exists()


def test_a_database_that_an_application_has_by_its_own_word_is_never_removed(host, mysql, tmp_path, monkeypatch):
    (tmp_path / "srv/blog/deployment").mkdir(parents=True)
    said = {"databases": [{"kind": "mysql", "name": "microblog", "host": "localhost"}]}
    monkeypatch.setattr(in_use.data, "application", lambda site: said)
    assert "blog may use" in served(host, address=MICROBLOG).remove()[0] and mysql == []


def test_the_database_of_another_installation_by_hand_is_never_removed(host, mysql):
    url = {"DATABASE_URL": "mysql://microblog:x@localhost/microblog"}
    host.others = [Installation(host.programs[:1], "/opt/wiki", "ana", url)]
    assert "web may use" in served(host, address=MICROBLOG).remove()[0] and mysql == []


def test_an_external_database_stays(host, mysql):
    host.plan = host.plan._replace(external="the MySQL database microblog")
    said = "its data in the MySQL database microblog, which flask_database: external leaves where it is"
    assert served(host).remove() == [said]
    assert mysql == []


def test_a_certificate_of_certbots_stays_and_is_named(host, tmp_path, monkeypatch):
    monkeypatch.setattr(ending_module, "LIVE", str(tmp_path) + "/live/")
    (tmp_path / "live/blog.example.com").mkdir(parents=True)
    names = ("live/blog.example.com/fullchain.pem", "live/blog.example.com/privkey.pem", "live/gone/privkey.pem", "own.pem")
    said, = served(host, certificates=[str(tmp_path / name) for name in names]).remove()
    assert said.startswith("certbot's certificate blog.example.com, ") and "certbot delete --cert-name blog.example.com" in said


def test_an_archive_says_that_its_database_is_external(host):
    assert host.move()["external"] is False
    give_back(host.store)
    shutil.rmtree(host.store.archive())
    host.plan = host.plan._replace(external="the MySQL database microblog")
    assert host.move()["external"] is True


@pytest.mark.parametrize("user", ["root", "mysql", "mariadb.sys", "mysql.sys", "debian-sys-maint"])
def test_an_account_of_the_servers_own_is_never_removed(host, mysql, user):
    ending = served(host, address=[*MICROBLOG[:5], user])
    assert ending.found()[-1] == "the MySQL database microblog"
    assert ending.remove() == ["the database user %s, who is the server's own, and no application's" % user]
    assert mysql == ["database microblog"]


def test_an_account_that_has_other_rights_stays_with_the_command_that_removes_it(host, mysql, monkeypatch):
    monkeypatch.setattr(ending_module.DRIVERS["mysql"].login, "has_rights", lambda self: True)
    stays, = served(host, address=MICROBLOG).remove()
    assert "may have rights on more" in stays and "DROP USER" in stays and mysql == ["database microblog"]


def test_a_sqlite_file_beside_the_folder_stays_and_is_said(host, tmp_path):
    address = ["sqlite", str(tmp_path / "app.db"), "", 0, "", ""]
    (tmp_path / "app.db").write_text("")
    ending = served(host, address=address)
    assert ending.found()[0].startswith("stays: the SQLite file")
    stays, = ending.remove()
    assert "app.db, which is not in its folder" in stays and stays.endswith("sudo rm -- %s" % address[1])


def test_a_folder_with_the_file_that_an_application_has_its_data_in_stays(host, tmp_path, monkeypatch):
    (tmp_path / "srv/blog/deployment").mkdir(parents=True)
    said = {"databases": [{"kind": "sqlite", "name": str(host.folder / "app.db")}]}
    monkeypatch.setattr(in_use.data, "application", lambda site: said)
    assert "blog may use" in served(host).remove()[0] and host.folder.exists()
