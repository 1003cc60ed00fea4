# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A driver that nothing else knows of, of each kind: one file, and one line in the registry."""

from __future__ import annotations

import getpass
import os
import sys

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import write_json
from ansible_collections.selfhost.flask.plugins.module_utils.database.data import data_of
from ansible_collections.selfhost.flask.plugins.module_utils.database.drivers import DRIVERS
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.health import Health, Unhealthy
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.slots import Slots
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks import data, serving
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks.workers import workers
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.inside import Inside, Settings
from ansible_collections.selfhost.flask.plugins.module_utils.process.managers import MANAGERS
from ansible_collections.selfhost.flask.plugins.module_utils.proxy.proxies import PROXIES
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site
from database.folder import FolderDatabase
from process.start_stop_daemon import StartStopDaemon
from proxy.toy import Toy

HEALTH = Health(deadline=20)
SERVE = """#!%s
import http.server, os, socketserver, sys
slot = sys.argv[0].rpartition("-")[2]
release = os.path.basename(os.readlink("%s/slots/" + slot))

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("X-Release", release)
        self.end_headers()

    def address_string(self):
        return "nobody"

path = "%s/run/" + slot + ".sock"
if os.path.exists(path):
    os.unlink(path)
socketserver.UnixStreamServer(path, Answer).serve_forever()
"""


@pytest.fixture
def site(short_path, monkeypatch):
    """An application's folders, with the drivers of this test."""
    found = Site("shop", str(short_path / "shop"), str(short_path / "log"), ("mail",))
    for name in ("releases/v1", "releases/v2", "run", "slots", "shared", "deployment", "programs", "manager"):
        (short_path / "shop" / name).mkdir(parents=True)
    (short_path / "log").mkdir()
    monkeypatch.setattr(StartStopDaemon, "folder", found.path("manager"))
    monkeypatch.setattr(StartStopDaemon, "pids", found.path("run"))
    monkeypatch.setattr(FolderDatabase, "top", short_path / "databases")
    monkeypatch.setitem(MANAGERS, "start-stop-daemon", StartStopDaemon)
    monkeypatch.setitem(DRIVERS, "folder", FolderDatabase)
    write_json(found.path("deployment/drivers.json"), {"process": "start-stop-daemon"})
    return found


def add_program(site, name, text):
    with open(site.path("programs", name), "w", encoding="utf-8") as file:
        file.write(text)
        os.fchmod(file.fileno(), 0o755)
    with open(site.path("manager", site.name), "a", encoding="utf-8") as file:
        file.write("%s %s /dev/null %s\n" % (name, getpass.getuser(), site.path("programs", name)))


@pytest.fixture
def slots(site):
    """Both slots serve what is put into them; the worker sleeps."""
    for slot in ("blue", "green"):
        add_program(site, "shop-" + slot, SERVE % (sys.executable, site.root, site.root))
    add_program(site, "shop.mail", "#!/bin/sh\nexec sleep 600\n")
    found = Slots(site)
    yield found
    found.processes.stop(*found.processes.names("shop"))


class TestProcessManager:
    def test_a_version_takes_the_place_of_another(self, site, slots):
        slots.launch("blue", site.path("releases/v1"), [], HEALTH)
        slots.switch("blue")
        slots.launch("green", site.path("releases/v2"), [], HEALTH)
        slots.switch("green")
        slots.retire("blue")
        slots.check("green", HEALTH)
        assert slots.live() == "green"
        assert [slots.processes.look("shop-" + slot).is_up for slot in ("blue", "green")] == [False, True]

    def test_one_that_does_not_start_is_said(self, site, slots):
        add_program(site, "shop-blue", "#!/bin/sh\nexit 1\n")
        with pytest.raises(Unhealthy):
            slots.launch("blue", site.path("releases/v1"), [], Health(deadline=0.2))

    def test_workers_run_and_a_dead_one_is_said_in_the_manager_s_words(self, site, slots):
        assert slots.start_workers() == []
        slots.stop_workers()
        (said,) = slots.dead_workers()
        assert said.startswith("The worker mail does not run: it is down in start-stop-daemon.")

    def test_the_doctor_says_how_it_is_started(self, site, slots):
        (found,) = workers(slots)
        assert found.id == "worker-stopped"
        assert "`sudo start-stop-daemon --start --pidfile %s`" % site.path("run/shop.mail.pid") in found.remedy
        slots.launch("blue", site.path("releases/v1"), [], HEALTH)
        slots.switch("blue")
        way = serving.Way(site, Health("/", "shop"))
        assert list(way.application()) == []
        slots.processes.stop("shop-blue")
        (found,) = way.application()
        assert found.id == "slot-stopped" and "is down in start-stop-daemon" in found.what


class TestDatabase:
    @pytest.fixture
    def folder(self, site, short_path):
        """The database that DATABASE_URL names, with two rows."""
        folder = short_path / "databases/shop"
        folder.mkdir(parents=True)
        (folder / "posts").write_text("one\ntwo\n")
        (folder / "alembic_version").write_text("a1\n")
        (short_path / "shop/shared/.env").write_text("DATABASE_URL=folder://shop@localhost/shop\n")
        return folder

    def test_is_copied_and_brought_back(self, site, folder, tmp_path):
        database = data_of(site).database
        assert database.dump(str(tmp_path / "dump"))["tables"] == {"alembic_version": [1, 1], "posts": [2, 2]}
        (folder / "posts").unlink()
        (folder / "likes").write_text("three\n")
        database.restore(str(tmp_path / "dump"))
        assert sorted(path.name for path in folder.iterdir()) == ["alembic_version", "posts"]
        assert (folder / "posts").read_text() == "one\ntwo\n"

    def test_the_doctor_says_what_is_wrong_with_it(self, site, folder, monkeypatch):
        monkeypatch.setattr(FolderDatabase, "units", ("folder.service",))
        assert list(data.database(site, "")) == []
        folder.rename(folder.with_name("gone"))
        monkeypatch.setattr(data, "state_of", lambda unit: "active")
        assert [found.id for found in data.database(site, "")] == ["database-unreachable"]
        monkeypatch.setattr(data, "state_of", lambda unit: "failed")
        (found,) = data.database(site, "")
        assert found.id == "database-stopped" and "folder.service is failed" in found.what

    def test_a_kind_without_a_driver_is_not_promised(self, site, folder, monkeypatch):
        monkeypatch.delitem(DRIVERS, "folder")
        assert data_of(site).database is None and data_of(site).missing == ("the folder database shop",)


class TestProxy:
    @pytest.fixture
    def way(self, site, short_path, monkeypatch):
        """It has two sites with one host name, and runs."""
        monkeypatch.setattr(Toy, "sites", str(short_path / "sites"))
        monkeypatch.setitem(PROXIES, "toy", Toy)
        monkeypatch.setattr(serving, "state_of", lambda unit: "active" if unit == "toy-proxy.service" else "unknown")
        write_json(site.path("deployment/drivers.json"), {"process": "start-stop-daemon", "proxy": "toy"})
        (short_path / "sites").write_text("shop.example.com shop\nshop.example.com other\n")
        return serving.Way(site, Health("/", "shop.example.com"))

    def test_the_doctor_tests_its_configuration(self, way, short_path):
        assert list(way.proxy()) == []
        (short_path / "sites").write_text("a b\nnonsense\n")
        (found,) = way.proxy()
        assert found.id == "proxy-config-invalid"
        assert found.what == "toy-proxy is active, and its configuration is refused: line 2 is refused"
        assert "Do not restart toy-proxy. Run `selfhost.flask.site`" in found.remedy

    def test_the_doctor_finds_sites_of_the_same_name(self, way, site):
        inside = Inside(Settings(site.name, site.root, site.log, host="shop.example.com"))
        (found,) = inside.namesakes()
        assert found.what == "shop.example.com is the name of shop and other, and toy-proxy serves the first of them."
