# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.database.data import concerns, data_of
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import DatabaseError
from ansible_collections.selfhost.flask.plugins.module_utils.database.mysql import MySQL as MySQLDriver
from ansible_collections.selfhost.flask.plugins.module_utils.database.several import pairs_of
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks import data as doctor_data
from ansible_collections.selfhost.flask.plugins.module_utils.site import release as site_release
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

MYSQL = dict(kind="mysql", name="shop", host="localhost", port=0, bind="")
ELSEWHERE = dict(MYSQL, host="db.example.com")
POSTGRESQL = dict(kind="postgresql", name="shop", host="db", port=5433, bind="")
PEEWEE = dict(kind="unknown", name="peewee", host="", port=0, bind="")


class Place:
    """An application's place with a release that is served."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.site = Site("shop", str(folder), "")
        self.file = dict(MYSQL, kind="sqlite", host="", name=str(folder / "shared/instance/other.sqlite"))
        (folder / "shared").mkdir()
        self.env("mysql+pymysql://shop@localhost/shop?unix_socket=/run/mysqld/mysqld.sock&charset=utf8mb4")

    def env(self, url: str) -> None:
        (self.folder / "shared/.env").write_text("SECRET_KEY=x\nDATABASE_URL='%s'\n" % url)

    def serve(self, release: str, *databases: dict, **said: str) -> str:
        """A release that said this of itself."""
        folder = self.folder / "releases" / release
        folder.mkdir(parents=True)
        about = dict(said, databases=databases) if databases or said else None
        (folder / ".release.json").write_text(json.dumps({"application": about} if about else {"version": "v1"}))
        (self.folder / "current").unlink(missing_ok=True)
        (self.folder / "current").symlink_to("releases/%s/web" % release)
        return str(folder)

    def found(self) -> tuple:
        data = data_of(self.site)
        return pairs_of(data.database) if data.database else [], list(data.missing)

    def findings(self) -> dict:
        looks = [doctor_data.coverage(data_of(self.site)), doctor_data.secret_key(self.site), doctor_data.scheduler(self.site)]
        found = [one for look in looks for one in look]
        return {finding.id: finding.what + " " + finding.remedy for finding in found}


@pytest.fixture
def shop(tmp_path, monkeypatch):
    monkeypatch.setattr(site_release, "is_sealed", lambda folder: os.path.exists(os.path.join(folder, ".release.json")))
    monkeypatch.setattr(MySQLDriver, "may_be_used", lambda name, accounts: False)
    return Place(tmp_path)


def test_the_database_is_the_one_that_the_application_uses(shop):
    shop.serve("v1", shop.file)
    assert shop.found() == ([["sqlite", shop.file["name"]]], [])
    assert list(shop.findings()) == ["database-differs"]
    assert "keeps its data in the SQLite file %s, and not in the MySQL database shop" % shop.file["name"] in str(shop.findings())
    assert "set DATABASE_URL in flask_env" in str(shop.findings())


@pytest.mark.parametrize("said", [[], [dict(MYSQL, bind="main")], [dict(MYSQL, host="127.0.0.1", port=3306)]])
def test_the_one_of_database_url_is_no_other_one(said, shop):
    shop.serve("v1", *said)
    assert shop.found() == ([["mysql", "shop"]], []) and shop.findings() == {}


def test_a_file_that_it_opened_is_its_data_and_what_can_not_be_kept_is_not(shop):
    kept = str(shop.folder / "shared/db/notes.db")
    shop.serve("v1", files=[kept, "/tmp/words.db", str(shop.folder / "releases/v1/words.db")])
    assert shop.found() == ([["mysql", "shop"], ["sqlite", kept]], [])
    (shop.folder / "shared/.env").write_text("SECRET_KEY=x\n")
    assert shop.found() == ([["sqlite", kept]], []) and shop.findings() == {}


def test_a_file_that_it_names_and_opens_counts_once(shop):
    shop.serve("v1", shop.file, files=[shop.file["name"]])
    assert shop.found() == ([["sqlite", shop.file["name"]]], [])


def test_a_release_that_was_sealed_before_is_not_asked(shop):
    shop.serve("v1")
    assert shop.found() == ([["mysql", "shop"]], []) and shop.findings() == {}


def test_one_that_could_not_be_asked_is_said(shop):
    said = concerns(shop.site, "v1", dict(loads=False, databases=[], secret_key=""), None)
    assert len(said) == 1 and "does not say where its data is" in said[0]
    assert concerns(shop.site, "v1", dict(loads=True, databases=[], secret_key=""), None) == said
    assert concerns(shop.site, "v1", dict(loads=False, databases=[MYSQL], secret_key=""), None) == []


def test_where_nothing_is_served_yet_it_is_that_of_database_url(shop):
    assert shop.found() == ([["mysql", "shop"]], [])


def test_all_binds_belong_together(shop):
    shop.serve("v1", MYSQL, dict(shop.file, bind="log"))
    assert shop.found() == ([["mysql", "shop"], ["sqlite", shop.file["name"]]], [])
    assert shop.findings() == {}


@pytest.mark.parametrize("address, words", [
    (ELSEWHERE, "the MySQL database shop on db.example.com"),
    (dict(MYSQL, port=3307, bind="x"), "the MySQL database shop at port 3307 (bind x)"),
    (POSTGRESQL, "the PostgreSQL database shop on db at port 5433"),
    (dict(MYSQL, name="other"), "the MySQL database other"),
    (dict(MYSQL, name="mysql"), "the MySQL database mysql"),
])
def test_one_that_can_t_be_copied_here_is_said(address, words, shop):
    shop.serve("v1", shop.file, address)
    assert shop.found() == ([["sqlite", shop.file["name"]]], [words])
    assert "Nothing here copies %s" % words in shop.findings()["database-not-copied"]


def test_what_nobody_can_tell_is_not_promised_and_that_of_database_url_is_copied(shop):
    shop.serve("v1", PEEWEE)
    assert shop.found() == ([["mysql", "shop"]], ["what the application keeps by peewee"])
    assert list(shop.findings()) == ["database-not-copied"]


def test_an_external_database_is_said(shop):
    shop.env("postgresql://shop:secret@db/shop")
    shop.serve("v1")
    assert shop.found() == ([], ["the PostgreSQL database shop on db"])
    assert "secret" not in str(shop.findings())


def test_another_database_of_the_server_needs_rights_of_the_application_s_account(shop, monkeypatch):
    asked = []
    monkeypatch.setattr(MySQLDriver, "may_be_used", lambda name, accounts: not asked.append((name, accounts)))
    shop.serve("v1", dict(MYSQL, name="other"))
    assert shop.found() == ([["mysql", "other"]], [])
    assert asked == [("other", ["shop", "shop"])]


@pytest.mark.parametrize("error, here", [(DatabaseError("'; DROP"), False), (CommandError("the server is stopped"), True)])
def test_where_rights_can_t_be_asked_for(error, here, shop, monkeypatch):
    def fail(*ignored):
        raise error

    monkeypatch.setattr(MySQLDriver, "may_be_used", fail)
    shop.serve("v1", dict(MYSQL, name="other"))
    assert bool(shop.found()[0]) is here


def test_files_of_the_code_are_no_data(shop):
    folder = shop.serve("v1")
    shop.serve("v2", MYSQL, dict(shop.file, name=folder + "/countries.db"))
    assert shop.found() == ([["mysql", "shop"]], [])


def test_an_application_may_say_anything_of_itself(shop):
    shop.serve("v1", dict(kind=["x"], name="a\nb\x1b[31m", port="p"))
    assert "\n" not in shop.found()[1][0] and "\x1b" not in shop.found()[1][0]


def test_a_version_that_keeps_its_data_elsewhere_is_said(shop):
    before = dict(databases=[MYSQL], secret_key="own")
    said = concerns(shop.site, "v2-aaaa", dict(databases=[shop.file], secret_key="own"), before)
    assert said[-1] == (
        "v2-aaaa keeps its data in the SQLite file %s; the version before it keeps it in the MySQL database shop. No data "
        "is moved between them." % shop.file["name"]
    )
    assert concerns(shop.site, "v2-aaaa", before, before) == concerns(shop.site, "v2-aaaa", {}, None) == []


@pytest.mark.parametrize("state, words", [("weak", "everybody can guess"), ("foreign", "is not the one in its .env")])
def test_a_key_that_others_have_is_critical_and_said_at_each_deployment(state, words, shop):
    shop.serve("v1", MYSQL, secret_key=state)
    assert words in shop.findings()["secret-key-" + state] and "os.environ['SECRET_KEY']" in str(shop.findings())
    assert [words in said for said in concerns(shop.site, "v1", dict(databases=[MYSQL], secret_key=state), None)] == [True]


def test_a_scheduler_in_each_process_is_said(shop):
    shop.serve("v1", MYSQL, secret_key="own", schedules=True)
    assert "each process of the application server runs each of its jobs" in shop.findings()["scheduler-repeated"]
    (said,) = concerns(shop.site, "v1", dict(databases=[MYSQL], secret_key="own", schedules=True), None)
    assert said.endswith("Make them flask_jobs, or start the scheduler in one of flask_workers alone.")


@pytest.mark.parametrize("state", ["own", "none", ""])
def test_a_key_of_its_own_is_no_finding(state, shop):
    shop.serve("v1", MYSQL, secret_key=state)
    assert shop.findings() == {}


def test_settings_that_are_not_in_env_yet_are_those_that_count(shop):
    path = shop.folder / "shared/.env.next"
    path.write_text("DATABASE_URL=sqlite:///%s\n" % shop.file["name"])
    about = dict(databases=[shop.file], secret_key="own")
    assert "which DATABASE_URL names" in str(concerns(shop.site, "v2", about, None))
    assert concerns(shop.site, "v2", about, None, str(path)) == []
    assert data_of(shop.site, about, str(path)).differs in ((), None, False)


@pytest.fixture
def without(shop):
    """The user says that there is no database, which the host has written down."""
    (shop.folder / "shared/.env").write_text("SECRET_KEY=x\n")
    (shop.folder / "deployment").mkdir()
    (shop.folder / "deployment/drivers.json").write_text('{"process": "supervisor", "database": "none"}')
    return shop


def test_without_a_database_nothing_is_guessed_and_nothing_is_to_be_said(without):
    without.serve("v1", PEEWEE, loads=False)
    assert without.found() == ([], []) and without.findings() == {}
    assert data_of(without.site).notes() == []
    without.serve("v2", loads=False)
    assert data_of(without.site).notes() == []


def test_a_database_that_there_should_not_be_is_copied_and_said(without):
    without.serve("v1", without.file)
    assert without.found() == ([["sqlite", without.file["name"]]], [])
    said = data_of(without.site).notes()
    assert len(said) == 1 and said[0].startswith("flask_database is none, and the application keeps its data in the SQLite file")
