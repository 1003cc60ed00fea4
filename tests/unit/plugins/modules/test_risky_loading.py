# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases that change their database when they are loaded, and those that can't be loaded without it."""

from __future__ import annotations

import functools
import json

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.database.data import Data
from ansible_collections.selfhost.flask.plugins.module_utils.deployment import deployment
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.transaction import recover
from deployment_host import Killed

TOUCHES = dict(touches=["connects to mysql"])
UNLOADABLE = dict(loads=False, why="OperationalError: no server")
WORKERS = "stop blog.mail"
STEPS = [WORKERS, "close", "dump", "load"]
STEPS += ["stop blog-green", "link green", "start blog-green", "switch", "link live.sock"]
PROBLEM = OSError(28, "No space left on device")


@pytest.fixture(params=[TOUCHES, UNLOADABLE], ids=["touches", "unloadable"])
def risky(request, host, deploy):
    """v1 is served, and v2 is built, which needs no other revision; deploys v2."""
    host.workers("mail")
    host.release("v1", migrations=["a1"])
    deploy("v1", workers=["mail"])
    host.release("v2", migrations=["a1"])
    host.loadings["v2"] = request.param
    host.on["load"] = functools.partial(host.database.rows.update, likes=0)
    host.look_anew()
    return functools.partial(deploy, "v2", workers=["mail"])


def test_it_is_loaded_when_nobody_writes_and_there_is_a_copy(risky, host):
    assert risky()["changed"]
    begin = ["inspect", "guard", "take", WORKERS, "close", "dump", "load", "stop blog-green", "link green", "start blog-green"]
    assert host.steps[:len(begin)] == begin
    assert host.states["load"]["closed"] == ["blue", "workers"] and host.states["load"]["workers"] == set()
    assert host.dumps() == ["1v1.gz", "1v1.json", "2v2.gz", "2v2.json"]


def test_what_it_changed_unasked_is_said(risky, host, warnings):
    risky()
    assert "v2 changed the database when it was loaded" in "".join(warnings)
    assert "the table likes is new. A copy of the database from before is %s/2v2.gz." % host.backups in "".join(warnings)
    assert host.entries()[-1]["changes"] == ["the table likes is new"]
    assert "changed unasked: the table likes is new" in (host.root / "log/deploy.log").read_text()


def test_its_seal_says_so(risky, host):
    risky()
    said = json.loads((host.root / "releases/v2/.release.json").read_text())["application"]
    expected = dict(dict(loads=True, touches=[]), **host.loadings["v2"])
    assert (said["loads"], said["touches"]) == (expected["loads"], expected["touches"])


@pytest.mark.parametrize("step", STEPS)
def test_an_error_takes_back_what_it_did(step, risky, host):
    before = host.look_anew()
    happens = host.on.pop("load")

    def fail():
        happens()
        raise PROBLEM

    host.on.update({"load": happens, step: fail if step == "load" else PROBLEM})
    assert risky()["failed"]
    host.on.clear()
    assert host.look_anew() == before and host.journal() is None
    assert host.records()[-1] == ("v2", "failed") and "changes" not in host.entries()[-1]


@pytest.mark.parametrize("step", ["guard", *STEPS])
def test_a_kill_takes_back_what_it_did(step, risky, host):
    before = host.look_anew()
    host.on[step] = Killed()
    with pytest.raises(Killed):
        risky()
    host.on.clear()
    recover(host.site)
    assert host.look_anew() == before and host.journal() is None


def test_one_that_is_not_well_leaves_nothing(risky, host):
    before = host.look_anew()
    host.broken["v2"] = {"status": 500}
    assert risky()["msg"].endswith("The database is as it was. Fix the cause and run the playbook again.")
    assert host.look_anew() == before


def test_online_it_is_loaded_while_others_write_and_there_is_a_copy(risky, host):
    assert risky(migration="online")["changed"]
    assert "close" not in host.steps and host.steps.index("dump") < host.steps.index("load")


@pytest.mark.parametrize("databases", [[{"kind": "postgresql"}], []], ids=["another database", "none that is known"])
def test_without_a_copy_it_is_not_loaded(databases, risky, host, monkeypatch):
    monkeypatch.setattr(deployment, "data_of", lambda *dummy: Data())
    host.loadings["v2"] = dict(host.loadings["v2"], databases=databases)
    monkeypatch.setattr(deployment.Deployment, "is_settled", lambda *dummy: True)
    result = risky()
    if not databases and "touches" not in host.loadings["v2"]:  # it may have none
        assert result["changed"] and not {"close", "load"} & set(host.steps)
    else:
        assert "v2 may change its database when it is loaded" in result["msg"]
        assert result["msg"].endswith("Nothing was changed.") and host.steps == ["inspect"]
        assert risky(migration="online")["changed"]


@pytest.fixture
def relaunched(risky, host, monkeypatch):
    """v1 is served, is a risk with a database that can't be copied, and gets other settings; deploys it."""
    monkeypatch.setattr(deployment, "data_of", lambda *dummy: Data())
    host.loadings["v1"] = dict(host.loadings["v2"], databases=[dict(kind="postgresql", name="blog", host="db")])
    host.stage("FOR=v1\n")
    return lambda deploy: deploy("v1", workers=["mail"])


def test_what_is_served_already_does_the_same_at_each_start(relaunched, host, deploy):
    assert relaunched(deploy)["changed"] and not {"close", "dump", "load"} & set(host.steps)


def test_with_another_database_it_does_not(relaunched, host, deploy):
    host.stage("DATABASE_URL=postgresql://db/blog\n")
    assert "v1 may change its database when it is loaded" in relaunched(deploy)["msg"]


def test_with_pending_migrations_it_does_not(relaunched, host, deploy):
    host.database.at = []
    assert "can't be copied here" in relaunched(deploy)["msg"]


@pytest.fixture
def unseen(host, deploy):
    """v2 does to the database what was not to be seen before; deploys it."""
    host.release("v1")
    deploy("v1")
    host.release("v2")
    host.broken["v2"] = lambda: host.database.rows.update(likes=0) or {}
    return functools.partial(deploy, "v2")


def test_what_was_not_foreseen_is_said(unseen, host, warnings):
    unseen()
    assert "the table likes is new. There is no copy from before." in "".join(warnings)
    assert host.entries()[-1]["changes"] == ["the table likes is new"]


def test_what_was_not_foreseen_and_failed_is_not_called_undone(unseen, host):
    host.broken["v2"] = lambda: host.database.rows.update(likes=0) or {"status": 500}
    said = "What is left of it in the database: the table likes is new. There is no copy from before."
    assert said in unseen()["msg"]
    assert host.entries()[-1]["changes"] == ["the table likes is new"]


def test_what_is_pending_is_asked_in_the_window_of_what_can_not_be_loaded_before(host, deploy):
    host.release("v1", migrations=["a1"])
    deploy("v1")
    host.release("v2", migrations=["a1", "b2"])
    host.loadings["v2"] = UNLOADABLE
    host.look_anew()
    assert deploy("v2")["revision"] == ["b2"]
    assert host.steps[:7] == ["inspect", "guard", "take", "stop ", "close", "dump", "load"]
    assert host.steps[7] == "migrate" and "changes" not in host.entries()[-1]


def test_a_database_that_is_gone_does_not_keep_a_failure_from_its_end(unseen, host, monkeypatch):
    def gone():
        monkeypatch.setattr(host.database, "schema", fail)
        return {"status": 500}

    def fail():
        raise CommandError("`mysql` ended with exit code 1: gone")

    host.broken["v2"] = gone
    result = unseen()
    assert "v2 did not become healthy" in result["msg"] and "that can't be asked, `mysql` ended" in result["msg"]
    assert host.journal() is None and host.records()[-1] == ("v2", "failed")


def test_one_that_can_t_say_where_its_data_is_has_it_where_the_served_one_has(host, deploy, monkeypatch):
    asked, data = [], Data(host.database)
    monkeypatch.setattr(deployment, "data_of", lambda dummy, about, *ignored: asked.append(about) or data)
    monkeypatch.setattr(deployment, "application", lambda site: {"databases": [dict(kind="sqlite", name="x")]})
    host.release("v1")
    host.loadings["v1"] = dict(UNLOADABLE, databases=[])
    deploy("v1")
    assert asked[-1]["databases"] == [dict(kind="sqlite", name="x")]
