# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications that migrate by a command of their own, and what is run before their first launch."""

from __future__ import annotations

import functools
import json

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.database.data import Data
from ansible_collections.selfhost.flask.plugins.module_utils.deployment import deployment
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.transaction import recover
from deployment_host import Killed

UPGRADE = "alembic upgrade head"
COMMAND = dict(migrations="", migration_command=UPGRADE)


@pytest.fixture
def upgrade(host, deploy):
    """v1 is served, and v2 is built, whose command adds a table; deploys it."""
    host.database.rows = {}
    host.workers("mail")
    host.release("v1")
    host.on["run"] = functools.partial(host.database.rows.update, posts=2)
    deploy("v1", workers=["mail"], **COMMAND)
    host.release("v2")
    host.on["run"] = functools.partial(host.database.rows.update, likes=0)
    host.look_anew()
    host.lines.clear()
    return functools.partial(deploy, "v2", workers=["mail"], **COMMAND)


def test_it_runs_when_nobody_writes_and_there_is_a_copy(upgrade, host, warnings):
    assert upgrade()["changed"] and host.lines == [("v2", UPGRADE)]
    assert host.steps.index("close") < host.steps.index("dump") < host.steps.index("run") < host.steps.index("start blog-green")
    assert host.states["run"]["closed"] == ["blue", "workers"] and host.states["run"]["workers"] == set()
    assert host.entries()[-1]["migrated"] == ["the table likes is new"] and "changes" not in host.entries()[-1]
    assert warnings == []


def test_it_does_not_run_for_what_is_served_already(upgrade, host):
    upgrade()
    host.lines.clear()
    assert not upgrade()["changed"]
    host.stage("FOR=v2\n")
    assert upgrade()["changed"] and host.lines == []


def test_it_runs_again_after_a_restoration(upgrade, host):
    upgrade()
    host.lines.clear()
    entry = dict(host.entries()[-1], release="backup-1", outcome="restored")
    (host.root / "releases.json").write_text(json.dumps([*host.entries(), entry]))
    assert upgrade()["changed"] and host.lines == [("v2", UPGRADE)]


def test_one_that_fails_is_undone_and_said(upgrade, host):
    before = host.database.tables()
    result = upgrade(migration_command="false")
    assert "`false` ended with exit code 1. It is in flask_migration_command. Fix it" in result["msg"]
    assert "its last words" in result["msg"] and "The database is as it was." in result["msg"]
    assert host.database.tables() == before and host.links()["current"] == "v1"


@pytest.mark.parametrize("step", ["run", "start blog-green", "switch"])
def test_a_kill_takes_back_what_it_did(step, upgrade, host):
    def killed():
        host.database.rows["likes"] = 0
        raise Killed

    before = host.database.tables()
    host.on[step] = killed
    with pytest.raises(Killed):
        upgrade()
    recover(host.site)
    assert host.database.tables() == before and host.state()["closed"] == [] and host.links()["current"] == "v1"


def test_without_a_copy_it_runs_if_that_is_asked_for(upgrade, host, monkeypatch):
    monkeypatch.setattr(deployment, "data_of", lambda *dummy: Data(missing=("the PostgreSQL database blog on db",)))
    result = upgrade()
    assert "There may be pending migrations, and the PostgreSQL database blog on db can't be copied here" in result["msg"]
    assert host.lines == [] and upgrade(migration="online")["changed"] and host.lines == [("v2", UPGRADE)]


def test_none_means_that_nothing_migrates(host, deploy):
    host.release("v1", migrations=["a1"])
    assert deploy("v1", migrations="")["changed"] and host.lines == [] and host.asked == []
    assert not deploy("v1", migrations="")["changed"]


class TestGoingBack:
    """The database has no revision that says what lies between the two."""

    @pytest.fixture
    def back(self, upgrade, run, host):
        upgrade()
        host.look_anew()
        return functools.partial(run, "flask_rollback", migrations="", workers=["mail"], **host.about())

    def test_it_asks_what_is_to_become_of_the_data(self, back, host):
        result = back()
        assert "flask_migration_command has changed the database since v1 was served: the table likes is new" in result["msg"]
        assert "keep: the database stays" in result["msg"] and "restore: loses what was written since" in result["msg"]
        assert "downgrade:" not in result["msg"] and host.links()["current"] == "v2"

    def test_it_brings_back_the_copy_and_forth_again(self, back, host):
        assert back(database="restore")["release"] == "v1"
        assert host.database.tables() == {"posts": 2}
        assert back(release="v2", database="restore")["release"] == "v2"
        assert host.database.tables() == {"posts": 2, "likes": 0}

    def test_it_keeps_the_data(self, back, host):
        assert back(database="keep")["release"] == "v1" and "likes" in host.database.tables()

    def test_a_downgrade_is_somebody_elses(self, back, host):
        assert "Only Flask-Migrate's revisions can be undone" in back(database="downgrade")["msg"]
        assert host.links()["current"] == "v2"


class TestFirstRun:
    """Commands for an application without data."""

    @pytest.fixture
    def first(self, host, deploy):
        host.database.rows = {}
        host.release("v1")
        return functools.partial(deploy, "v1", first_run=["flask init-db", "flask seed"])

    def test_they_run_once_before_it_is_launched(self, first, host, deploy):
        assert first()["changed"] and host.lines == [("v1", "flask init-db"), ("v1", "flask seed")]
        assert host.steps.index("dump") < host.steps.index("run") < host.steps.index("start blog-blue")
        host.release("v2")
        host.database.rows = {}
        deploy("v2", first_run=["flask init-db"])
        assert len(host.lines) == 2

    def test_a_release_that_lacks_what_they_make_is_loaded_after_them(self, first, host):
        host.loadings["v1"] = dict(loads=False, why="SystemExit: no repository in instance/pages")
        assert first()["changed"] and host.steps.count("load") == 1
        assert host.steps.index("run") < host.steps.index("load") < host.steps.index("start blog-blue")

    def test_one_that_fails_is_said_and_they_run_again(self, first, host, deploy):
        result = deploy("v1", first_run=["flask init-db", "false"])
        assert "`false` ended with exit code 1. It is in flask_first_run." in result["msg"] and "its last words" in result["msg"]
        assert host.links().get("current") is None and "start blog-blue" not in host.steps
        host.lines.clear()
        assert first()["changed"] and len(host.lines) == 2

    def test_if_the_release_is_not_well_the_database_is_empty_again_and_they_run_again(self, first, host):
        host.on["run"] = functools.partial(host.database.rows.update, posts=0)
        host.broken["v1"] = dict(status=500)
        assert "did not become healthy" in first()["msg"] and host.database.rows == {}
        host.broken.clear()
        host.lines.clear()
        assert first()["changed"] and len(host.lines) == 2

    def test_data_that_is_there_stays(self, first, host, warnings):
        host.database.rows = {"posts": 2}
        assert first()["changed"] and host.lines == []
        assert warnings == ["flask_first_run was not run, because the application has data: posts."]

    def test_a_database_that_nobody_can_look_at_is_not_touched(self, first, host, monkeypatch):
        monkeypatch.setattr(deployment, "data_of", lambda *dummy: Data(missing=("the PostgreSQL database blog on db",)))
        assert "nobody can see here whether the PostgreSQL database blog on db is empty" in first()["msg"]
        assert host.lines == [] and host.links() == {}

    def test_without_a_database_the_files_count(self, first, host, warnings, monkeypatch):
        monkeypatch.setattr(deployment, "data_of", lambda *dummy: Data())
        (host.root / "shared/instance").mkdir()
        (host.root / "shared/logs").mkdir()
        for name in ("instance/brought", "logs/today"):
            (host.root / "shared" / name).touch()
        (host.root / "deployment/shared.json").write_text('{"instance/brought": "x"}')
        host.broken["v1"] = dict(status=500)
        host.on["run"] = (host.root / "shared/instance/mine").touch
        first()
        assert len(host.lines) == 2
        host.broken.clear()
        assert first()["changed"] and len(host.lines) == 4 and warnings == []

    def test_files_that_are_there_stay(self, first, host, warnings, monkeypatch):
        monkeypatch.setattr(deployment, "data_of", lambda *dummy: Data())
        (host.root / "shared/instance").mkdir()
        (host.root / "shared/instance/mine").touch()
        assert first()["changed"] and host.lines == [] and "has data: instance/mine." in warnings[0]
