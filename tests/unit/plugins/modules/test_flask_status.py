# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.database.data import Data
from ansible_collections.selfhost.flask.plugins.module_utils.deployment import status as deployment_status
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.gate import Gate
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.journal import Journal
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import Lock
from ansible_collections.selfhost.flask.plugins.module_utils.site.records import Records


@pytest.fixture
def status(run, host, monkeypatch):
    """Asks the module."""
    monkeypatch.setattr(deployment_status, "data_of", lambda site: Data(host.database))
    return lambda **options: run(
        "flask_status", name="blog", root=str(host.root), log=str(host.root / "log"), **options
    )


def test_says_that_nothing_is_served_yet(status, host):
    host.supervisor.addProcessGroup("blog-blue")
    result = status()
    assert (result["release"], result["slot"], result["deployments"]) == ("", "", [])
    assert result["table"][0] == "serves nothing yet"
    assert result["programs"] == {"blog-blue": "STOPPED", "blog-green": "UNKNOWN"}


def test_lists_what_was_deployed_the_newest_first(status, host, deploy):
    for name in ("v1", "v2", "v3"):
        host.release(name)
        deploy(name)
    result = status(entries=2)
    assert (result["release"], result["slot"], result["closed"]) == ("v3", "blue", "nothing")
    assert [entry["release"] for entry in result["deployments"]] == ["v3", "v2"]
    assert result["table"][0] == "serves v3 from the blue slot"
    header, newest, older = result["table"][-3:]
    assert header.split() == ["TIME", "RELEASE", "OUTCOME", "DATABASE", "SECONDS", "BY"]
    assert newest.split()[1:3] == ["v3", "served"] and older.split()[1:3] == ["v2", "served"]


def test_says_why_the_last_one_failed(status, host):
    problem = dict(problem="no solution\nfound", step="Install the requirements")
    Records(host.site).add(dict(problem, release="v2", outcome="failed"))
    assert status()["table"][-1] == "the last one failed: Install the requirements: no solution"


def test_says_what_is_out_of_the_ordinary(status, host):
    Gate(host.site).refuse("site", 5)
    Lock(host.site).take(dict(id="ana-1", owner="ana@laptop", reason="an update", since=time.time()), [])
    Journal(host.site).write({"entry": {"release": "v9"}})
    lines = "\n".join(status()["table"])
    assert "MAINTENANCE: closed for all" in lines
    assert "locked by ana@laptop for an update" in lines
    assert "INTERRUPTED: the deployment of v9 is not ended yet" in lines


def test_a_database_that_does_not_answer_is_said(status, host, monkeypatch):
    def gone():
        raise CommandError("the server is gone")

    monkeypatch.setattr(host.database, "revision", gone)
    assert status()["revision"] == ["does not answer"]


def test_says_how_often_a_program_ended_since_the_release_was_launched(status, host, deploy):
    host.workers("mail")
    host.release("v1")
    deploy("v1", workers=["mail"])
    line = "%s,000 WARN exited: blog.mail (exit status 127; not expected)\n"
    ages = (-2, -1, 4000)
    host.supervisor.log = "".join(
        line % time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() - age)) for age in ages
    )
    result = status()
    assert result["ends"] == {"blog.mail": 2}
    assert "blog.mail: RUNNING, ended by itself 2 times in the last hour" in result["table"]


def test_a_program_that_was_just_started_is_said_to_be_so(status, host, deploy):
    host.supervisor.started["blog-blue"] = "STARTING"
    host.release("v1")
    deploy("v1")
    result = status()
    assert result["starting"] == ["blog-blue"]
    assert "blog-blue: STARTING, started a moment ago" in result["table"]


def test_says_which_database_nobody_copies(status, host, monkeypatch):
    lacking = Data(host.database, ("the PostgreSQL database shop on db",), ("the SQLite file /x.db", "the MySQL database shop"))
    monkeypatch.setattr(deployment_status, "data_of", lambda site: lacking)
    result = status()
    assert (result["databases"], result["not_copied"]) == (["/srv/blog.db"], ["the PostgreSQL database shop on db"])
    lines = "\n".join(result["table"])
    assert "Nothing here copies the PostgreSQL database shop on db" in lines
    assert "keeps its data in the SQLite file /x.db, and not in the MySQL database shop, which DATABASE_URL names" in lines
