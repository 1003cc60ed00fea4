# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import functools
import os
import time
from types import SimpleNamespace

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.database.data import Data
from ansible_collections.selfhost.flask.plugins.module_utils.deployment import deployment
from ansible_collections.selfhost.flask.plugins.module_utils.deployment import session as beginning
from ansible_collections.selfhost.flask.plugins.module_utils.process.manager import ProcessError
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import Lock, step
from deployment_host import Killed

CHECK = {"_ansible_check_mode": True}
ANA = dict(id="ana-1", owner="ana@laptop", machine="a1", process=1, started="now")
ROOM = dict(f_blocks=9 << 20, f_bfree=9 << 20, f_bavail=9 << 20, f_frsize=1 << 12)
BOB = dict(id="bob-2", owner="bob@pc", machine="b2", process=2, started="now", reason="update to v3")


@pytest.fixture
def session(run, host, monkeypatch):
    """Runs the module for ana."""
    host.backups.mkdir(exist_ok=True)
    monkeypatch.setattr(beginning, "BACKUPS", str(host.backups))
    monkeypatch.setattr(beginning, "database_of", lambda site: host.database)

    def session(state="begun", **arguments):
        options = dict(name="blog", root=str(host.root), log=str(host.root / "log"), owner=ANA, disk_free=0)
        return run("flask_session", state=state, **dict(options, **arguments))

    return session


@pytest.fixture
def lock(host):
    return Lock(host.site)


def grow_old(lock, seconds):
    then = time.time() - seconds
    os.utime(lock.path, (then, then))


class TestBeginning:
    """The lock, and what is looked at before anything is changed."""

    def test_takes_the_lock_for_its_owner_and_says_why(self, session, lock):
        assert session(reason="update to v2") == dict(
            changed=False, id="ana-1", recovered="", invocation=session(reason="update to v2")["invocation"],
        )
        holder = lock.holder()
        assert {key: holder[key] for key in ANA} == ANA and holder["reason"] == "update to v2"
        assert abs(holder["since"] - time.time()) < 5 and 0 <= holder["idle"] < 5
        assert oct(os.stat(lock.path).st_mode)[-3:] == "600"

    def test_leaves_it_to_whoever_has_it_and_says_who_that_is(self, session, lock):
        lock.take(BOB, [])
        grow_old(lock, 500)
        result = session()
        assert not result["changed"] and "failed" not in result
        assert {key: result["holder"][key] for key in BOB} == BOB
        assert result["holder"]["lease"] == 600 and 0 <= result["holder"]["since"] < 5
        assert 500 <= result["holder"]["idle"] < 510
        assert lock.holder()["id"] == "bob-2"

    # how bob's lock can be taken over: what the controller knows of, and for how long nothing has happened
    FREE = {
        "he is known to have ended": (["bob-2"], 0),
        "nothing has happened for ten minutes": ([], 601),
    }

    @pytest.mark.parametrize("case", FREE)
    def test_takes_it_over_from_one_who_is_gone(self, case, session, lock):
        gone, idle = self.FREE[case]
        lock.take(BOB, [])
        grow_old(lock, idle)
        assert "holder" not in session(gone=gone) and lock.holder()["id"] == "ana-1"

    def test_whatever_is_done_under_it_keeps_it(self, session, lock, host):
        lock.take(BOB, [])
        grow_old(lock, 601)
        with step(host.site.root):
            assert lock.holder()["idle"] < 5
        assert session()["holder"]["id"] == "bob-2"

    def test_others_who_have_ended_do_not_matter(self, session, lock):
        lock.take(BOB, [])
        assert session(gone=["eve-3"])["holder"]["id"] == "bob-2"

    # what the host lacks, and what is said of it
    PROBLEMS = {
        "room": (dict(disk_free=10 ** 9), None, "MB free, and 1000000000 MB are needed. Make room."),
        "room for a dump": ({}, "size", "MB free, and 1048576 MB are needed. Make room."),
        "inodes": ({}, "inodes", "has only 5 inodes left. Remove files."),
        "a database": ({}, "database", "/srv/blog.db does not answer. Start it. `mysql` failed."),
    }

    @pytest.mark.parametrize("mode", [{}, CHECK], ids=["run", "check"])
    @pytest.mark.parametrize("case", PROBLEMS)
    def test_without_what_is_needed_there_is_no_lock(self, case, mode, session, lock, host, monkeypatch):
        arguments, lacks, said = self.PROBLEMS[case]
        if lacks == "size":
            monkeypatch.setattr(host.database, "size", lambda: 1 << 40)
        elif lacks == "inodes":
            monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_files=100, f_favail=5, **ROOM))
        elif lacks == "database":
            monkeypatch.setattr(host.database, "size", functools.partial(fail, CommandError("`mysql` failed")))
        result = session(**arguments, **mode)
        assert result["failed"] and result["msg"].endswith(said + " Nothing was changed.")
        assert lock.holder() is None

    def test_a_file_system_without_a_number_of_inodes_has_enough(self, session, monkeypatch):
        monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_files=0, f_favail=0, **ROOM))
        assert "failed" not in session()

    def test_an_application_without_a_database_needs_none(self, session, host):
        host.database = None
        assert "failed" not in session()

    def test_check_mode_looks_and_leaves_no_trace(self, session, host, lock):
        assert session(**CHECK)["id"] == "ana-1"
        assert os.listdir(host.root / "deployment") == []
        lock.take(BOB, [])
        assert "holder" not in session(**CHECK) and lock.holder()["id"] == "bob-2"

    def test_check_mode_leaves_no_trace_on_a_host_that_is_not_ready(self, session, host):
        assert session(disk_free=10 ** 9, **CHECK)["failed"]
        assert os.listdir(host.root / "deployment") == []

    @pytest.mark.parametrize("missing", ["", "log"])
    def test_a_host_that_is_not_set_up(self, missing, session, host):
        os.rename(host.root / missing, host.root.parent / "gone")
        assert session()["msg"] == "blog is not set up on this host. Run `selfhost.flask.site`."
        assert session(**CHECK)["id"] == "ana-1"

    def test_a_step_that_is_still_at_work_is_waited_for(self, session, host, lock, monkeypatch):
        monkeypatch.setattr(beginning, "step", functools.partial(step, patience=0))
        with step(host.site.root):
            result = session()
        assert "is still at work on this host" in result["msg"] and result["msg"].endswith(" Nothing was changed.")
        assert lock.holder() is None


def fail(error):
    raise error


@pytest.mark.parametrize("how", ["begun", "ended"])
def test_settings_that_no_deployment_took_are_removed(how, session, host, lock):
    if how == "ended":
        session()
    host.stage("LEFT=1\n")
    session(how, **CHECK)
    assert host.settings()[2] == [".env", ".env.next"]
    session(how)
    assert host.settings()[2] == [".env"]


class TestRecovering:
    """A deployment has died while it was at work on the host."""

    @pytest.fixture
    def dead(self, host, deploy):
        host.release("v1", migrations=["a1"])
        deploy("v1")
        host.release("v2", migrations=["a1", "b2"])
        before = host.look_anew()
        host.on["start blog-green"] = Killed()
        with pytest.raises(Killed):
            deploy("v2")
        return before

    def test_it_is_ended_before_the_next_one(self, dead, session, host, lock):
        result = session()
        assert (result["changed"], result["recovered"]) == (True, "took back the change to v2")
        assert host.look_anew() == dead and host.journal() is None and lock.holder()["id"] == "ana-1"
        assert session()["recovered"] == ""

    def test_not_in_check_mode(self, dead, session, host):
        assert session(**CHECK)["recovered"] == ""
        assert host.journal()

    @pytest.mark.parametrize("error", [
        CommandError("the server is gone"), OSError(28, "No space left on device"),
        ProcessError("supervisor", "SHUTDOWN_STATE"),
    ])
    def test_where_that_is_impossible_yet_there_is_no_lock(self, error, dead, session, host, lock):
        host.on["stop blog-green"] = error
        result = session()
        assert result["failed"] and result["msg"].endswith("Nothing was changed.")
        assert host.journal() and lock.holder() is None


class TestEnding:
    """The playbook ends without having served anything new."""

    def test_gives_the_lock_back(self, session, lock, host, deploy):
        session()
        result = session("ended")
        assert (result["changed"], result["served"]) == (False, "") and lock.holder() is None
        assert host.entries() == []
        host.release("v1")
        deploy("v1")
        assert session("ended")["served"] == "v1"

    def test_notes_what_could_not_be_deployed_and_why(self, session, host):
        session()
        session("ended", release="v2", problem="pip failed\nand more")
        entry, = host.entries()
        assert (entry["release"], entry["outcome"], entry["problem"]) == ("v2", "failed", "pip failed\nand more")
        assert entry["by"] == "ana@laptop" and list(entry["seconds"]) == ["build"]

    def test_notes_at_which_step_it_was(self, session, host):
        session()
        session("ended", release="v2", problem="pip failed", step="Install the requirements")
        assert host.entries()[0]["step"] == "Install the requirements"
        log = (host.root / "log/deploy.log").read_text()
        assert log.endswith(" - Install the requirements: pip failed\n")

    def test_notes_what_fails_before_the_transaction(self, session, host, deploy, monkeypatch):
        host.release("v1", migrations=["a1"])
        deploy("v1")
        host.release("v2", migrations=["a1", "b2"])
        session()
        monkeypatch.setattr(deployment, "data_of", lambda *dummy: Data())
        said = deploy("v2", session="ana-1")["msg"]
        session("ended", release="v2", problem=said)
        assert host.records() == [("v1", "served"), ("v2", "failed")] and host.entries()[-1]["problem"] == said

    def test_notes_a_host_that_is_not_ready(self, session, host):
        said = session(disk_free=10 ** 9)["msg"]
        session("ended", release="v2", problem=said)
        assert host.records() == [("v2", "failed")] and host.entries()[-1]["seconds"] == {}

    def test_notes_nothing_where_the_deployment_has_noted_it(self, session, host, deploy):
        host.release("v2")
        host.broken["v2"] = {"status": 500}
        session()
        said = deploy("v2", session="ana-1")["msg"]
        for times in range(2):
            session("ended", release="v2", problem=said)
        assert host.records() == [("v2", "failed")]

    def test_leaves_the_lock_to_who_took_it_over(self, session, host, lock):
        lock.take(BOB, [])
        session("ended", release="v2", problem="the lock was taken over")
        assert lock.holder()["id"] == "bob-2" and host.entries() == []

    def test_not_in_check_mode(self, session, host, lock):
        session()
        assert session("ended", release="v2", problem="x", **CHECK)["served"] == ""
        assert lock.holder()["id"] == "ana-1" and host.entries() == []
