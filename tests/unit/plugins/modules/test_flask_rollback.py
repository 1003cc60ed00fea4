# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import sys

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.database.data import Data
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import DatabaseError
from ansible_collections.selfhost.flask.plugins.module_utils.deployment import deployment
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.gate import StillWriting
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.transaction import Transaction, recover
from ansible_collections.selfhost.flask.plugins.module_utils.process.manager import ProcessError
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import Lock
from deployment_host import Killed

CHECK = {"_ansible_check_mode": True}
OWNER = dict(id="me", owner="ana@laptop")


@pytest.fixture
def back(run, host):
    """Runs the module."""
    return lambda **arguments: run("flask_rollback", **dict(host.about(), **arguments))


@pytest.fixture
def releases(host, deploy):
    """Deploys releases that need no database; those whose names end with a ! are not well."""

    def releases(*names):
        for name in names:
            host.release(name.rstrip("!"))
            host.broken[name.rstrip("!")] = {"status": 500} if name.endswith("!") else {}
            deploy(name.rstrip("!"), version="the " + name)

    return releases


class TestChoosing:
    """Which release is served again."""

    def test_the_good_one_before(self, releases, back, host):
        releases("v1", "v2")
        result = back()
        expected = dict(changed=True, release="v1", before="v2", version="the v1", slot="blue", pruned=[])
        assert {key: result[key] for key in expected} == expected
        assert list(result["seconds"]) == ["launch", "drain"]
        assert result["diff"] == {"before": "release: v2\n", "after": "release: v1\n"}
        assert host.links() == {"current": "v1", "run/live.sock": "blue.sock", "slots/blue": "v1"}
        assert host.records()[2:] == [("v2", "rolled back"), ("v1", "served")] and host.journal() is None
        assert host.entries()[-1]["version"] == "the v1" and "abandons" not in host.entries()[-1]

    def test_each_time_one_more_and_none_that_was_abandoned_or_failed(self, releases, back):
        releases("v1", "v2", "v3!", "v4")
        assert [back()["release"], back()["release"]] == ["v2", "v1"]
        result = back()
        assert result["msg"].startswith("There is no release to go back to. There are: ")
        assert {name for name in ("v1", "v2", "v4") if name in result["msg"]} == {"v1", "v2", "v4"}
        assert result["msg"].endswith("Nothing was changed.")

    def test_what_is_deployed_after_a_rollback_has_the_good_one_before_it(self, releases, back):
        releases("v1", "v2")
        back()
        releases("v3")
        assert (back()["release"], back()["failed"]) == ("v1", True)

    @pytest.mark.parametrize("name", ["v1", "v2"])
    def test_a_named_one(self, name, releases, back, host):
        releases("v1", "v2", "v3")
        assert back(release=name)["release"] == name
        assert host.links()["current"] == name

    def test_one_that_fails_before_the_transaction_is_noted(self, releases, back, host):
        releases("v1", "v2")
        host.on["guard"] = CommandError("`systemctl` ended with exit code 5: not found.")
        assert "not found. Run `selfhost.flask.site`" in back(release="v1", owner=OWNER)["msg"]
        assert host.records()[-1] == ("v1", "failed") and "Run `selfhost.flask.site`" in host.entries()[-1]["problem"]
        assert host.links()["current"] == "v2"

    def test_one_that_was_abandoned_where_it_is_named(self, releases, back, host):
        releases("v1", "v2")
        back()
        assert back(release="v2")["changed"] and host.links()["current"] == "v2"

    def test_the_named_one_is_served_already(self, releases, back, host):
        releases("v1", "v2")
        before = host.look_anew()
        result = back(release="v2")
        assert (result["changed"], result["release"], result["before"]) == (False, "v2", "v2")
        assert host.steps == [] and host.look_anew() == before

    @pytest.mark.parametrize("deployed, named, said", [
        (["v1", "v2"], "v7", "The release 'v7' is not on this host, or it is damaged. There are: v1, v2."),
        (["v1"], "", "There is no release to go back to. There are: v1."),
        ([], "", "There is no release to go back to. There are: none."),
    ])
    def test_there_is_none(self, deployed, named, said, releases, back, host):
        releases(*deployed)
        host.look_anew()
        result = back(release=named)
        assert result["failed"] and result["msg"].startswith(said) and "Deploy another version" in result["msg"]
        assert host.steps == []

    @pytest.mark.parametrize("named, said", [("v1", "The Python of v1 has"), ("", "The Python of v1, v2 has"), ("v7", "The release 'v7' is")])
    def test_one_whose_python_has_gone_is_none(self, named, said, releases, back, host):
        releases("v1", "v2")
        (host.root / "venvs/one/bin").mkdir()
        (host.root / "venvs/one/bin/python").symlink_to(sys.executable)
        assert back(release="v1", **CHECK)["release"] == "v1"
        (host.root / "venvs/one/bin/python").unlink()
        (host.root / "venvs/one/bin/python").symlink_to("/usr/bin/python3.1")
        result = back(release=named, **CHECK)
        assert result["msg"].startswith(said) and result["msg"].endswith("Nothing was changed.")

    def test_a_named_one_that_was_never_served_is_refused_or_served(self, releases, back):
        releases("v1", "v2!", "v3!")
        result = back(release="v2")
        assert result["failed"] and "v2" in result["msg"]

    def test_check_mode_says_which_and_changes_nothing(self, releases, back, host):
        releases("v1", "v2")
        before = host.look_anew()
        result = back(owner=OWNER, **CHECK)
        assert (result["changed"], result["release"], result["before"]) == (True, "v1", "v2")
        assert host.steps == [] and host.look_anew() == before and Lock(host.site).holder() is None

    def test_one_that_is_not_well_is_not_served(self, releases, back, host):
        releases("v1", "v2")
        before = host.look_anew()
        host.broken["v1"] = {"status": 500}
        result = back()
        assert result["msg"].startswith("v1 did not become healthy: / answered 500")
        assert host.look_anew() == before and host.journal() is None

    def test_a_rollback_that_failed_can_be_tried_again(self, releases, back, host):
        releases("v1", "v2")
        host.on["switch"] = OSError(28, "No space left on device")
        assert back()["failed"]
        assert back()["release"] == "v1"


BEFORE = dict(live="green", closed=[], slots={"green"}, workers={"mail"}, revision=["b2"])
AFTER = dict(BEFORE, live="blue", slots={"blue"}, revision=["a1"])
CLOSED = dict(BEFORE, closed=["blue", "green", "workers"], workers=set())
WORKERS = "stop blog.mail"
SINCE = {"posts": 5, "likes": 1}


@pytest.fixture
def migrated(host, deploy, run):
    """v2 is served with a newer revision than v1, and visitors have written since; goes back."""
    host.workers("mail")
    for name, migrations in (("v1", ["a1"]), ("v2", ["a1", "b2"])):
        host.release(name, migrations=migrations)
        deploy(name, workers=["mail"])
    host.database.rows = dict(SINCE)
    assert host.look_anew()[0] == BEFORE
    return lambda database, **arguments: run(
        "flask_rollback", **dict(host.about(), workers=["mail"], database=database, **arguments)
    )


class TestSeal:
    """What a release says of itself follows the settings of today, with which it is served again."""

    @pytest.fixture
    def databases(self, host, releases):
        """v1 was served with SQLite, and would be with MySQL now; those in its seal."""
        host.loadings["v1"] = dict(databases=[dict(kind="sqlite", name="/srv/blog.db")])
        releases("v1", "v2")
        host.loadings["v1"] = dict(databases=[dict(kind="mysql", name="blog")])
        seal = host.root / "releases/v1/.release.json"
        return lambda: [one["kind"] for one in json.loads(seal.read_text())["application"]["databases"]]

    def test_is_that_of_today(self, databases, back):
        assert back()["changed"] and databases() == ["mysql"]

    def test_goes_back_where_the_release_is_not_well(self, databases, back, host):
        host.broken["v1"] = {"status": 500}
        assert back()["failed"] and databases() == ["sqlite"]


class TestRefusing:
    """What is said where nobody has said what becomes of the database."""

    def test_names_the_ways_and_what_each_of_them_loses(self, migrated, host):
        before = host.look_anew()
        result = migrated("refuse")
        lines = result["msg"].splitlines()
        assert lines[0].startswith("v1 was served with the database at revision a1, and it is at b2. Run ")
        assert lines[1:3] == [
            "-e flask_rollback_database=keep: the database stays as it is, and v1 has to work with it.",
            "-e flask_rollback_database=downgrade: undoes b2 about b2, with all that it added.",
        ]
        assert lines[3].startswith("-e flask_rollback_database=restore: loses what was written since 20")
        assert lines[3].endswith("Z: +3 in posts, +1 in likes.")
        assert lines[4:] == ["Nothing was changed."]
        assert host.steps == [] and host.look_anew() == before

    def test_a_revision_without_a_downgrade(self, migrated, host):
        host.irreversible = {"b2"}
        assert "undoes b2 about b2, which has NO downgrade, so this is impossible." in migrated("refuse")["msg"]

    def test_a_copy_that_nothing_was_written_after(self, migrated, host):
        host.database.rows = {"posts": 2}
        assert migrated("refuse")["msg"].splitlines()[3].endswith("Z: no row less.")

    def test_without_a_copy_there_is_no_way_back_to_one(self, migrated, host):
        for path in host.backups.iterdir():
            path.unlink()
        assert "restore" not in migrated("refuse")["msg"]

    def test_a_database_that_cannot_be_copied_can_only_be_kept(self, migrated, host, monkeypatch):
        monkeypatch.setattr(deployment, "data_of", lambda *dummy: Data())
        message = migrated("refuse")["msg"]
        assert "keep: " in message and "downgrade" not in message and "restore" not in message

    def test_a_database_that_is_behind_both_is_named(self, migrated, host):
        host.database.at = []
        assert "it is at base" in migrated("refuse")["msg"]


class TestTheDatabase:
    """What becomes of it."""

    def test_is_kept(self, migrated, host):
        result = migrated("keep")
        assert result["changed"] and host.state() == dict(AFTER, revision=["b2"])
        assert not {"close", "dump", "migrate", "restore"} & set(host.steps) and host.database.rows == SINCE
        assert host.entries()[-1]["revision"] == ["b2"]

    @pytest.mark.parametrize("policy, change, rows", [
        ("downgrade", "migrate", SINCE), ("restore", "restore", {"posts": 2, "half_done": 1}),
    ])
    def test_follows_the_release_while_nobody_writes(self, policy, change, rows, migrated, host):
        result = migrated(policy)
        assert list(result["seconds"]) == ["stop writes", "dump", "launch", "database", "drain", "workers"]
        assert [step for step in host.steps if not step.startswith("link")] == [
            "inspect", "guard", WORKERS, "close", "close", "dump", "stop blog-blue", "start blog-blue", "switch", change,
            "open", "stop blog-green", "open", "open", WORKERS, "start blog.mail", "add", "add", "prune",
        ]
        assert host.states["dump"] == CLOSED
        assert host.states[change] == dict(CLOSED, live="blue", slots={"blue", "green"})
        assert host.states["start blog.mail"] == dict(AFTER, workers=set())
        assert host.state() == AFTER and host.journal() is None
        assert {name: host.database.rows.get(name) for name in ("posts", "likes")} == \
            {name: rows.get(name) for name in ("posts", "likes")}
        assert host.entries()[-1]["revision"] == ["a1"]
        assert host.records()[2:] == [("v2", "rolled back"), ("v1", "served")]

    @pytest.mark.parametrize("policy, change", [("downgrade", "migrate"), ("restore", "restore")])
    def test_goes_first_where_the_older_release_is_not_well_with_the_newer_one(self, policy, change, migrated, host):
        host.broken["v1"] = lambda: {"status": 500} if host.database.at == ["b2"] else {}
        assert migrated(policy)["changed"]
        main = [step for step in host.steps if step in (change, "start blog-blue", "switch")]
        assert main == ["start blog-blue", change, "start blog-blue", "switch"]
        assert host.states[change] == dict(CLOSED, slots={"blue", "green"})
        assert host.state() == AFTER and host.journal() is None

    @pytest.mark.parametrize("policy", ["downgrade", "restore"])
    def test_comes_back_where_the_older_release_is_not_well_with_either(self, policy, migrated, host):
        before = host.look_anew()
        host.broken["v1"] = {"status": 500}
        result = migrated(policy)
        assert result["msg"].startswith("v1 did not become healthy") and "The database is as it was." in result["msg"]
        assert host.look_anew() == before and host.journal() is None and host.records()[-1] == ("v1", "failed")

    @pytest.mark.parametrize("policy, said", [
        ("downgrade", "The revision b2 has no downgrade. Use flask_rollback_database=restore or keep. Nothing was changed."),
        ("restore", "There is no copy of the database at revision a1. Use flask_rollback_database=keep."),
    ])
    def test_is_not_touched_where_it_cannot_go_back(self, policy, said, migrated, host):
        host.irreversible = {"b2"}
        for path in host.backups.iterdir():
            path.unlink()
        before = host.look_anew()
        assert migrated(policy)["msg"] == said
        assert host.steps == [] and host.look_anew() == before

    @pytest.mark.parametrize("policy", ["downgrade", "restore"])
    def test_is_not_touched_where_it_cannot_be_copied(self, policy, migrated, host, monkeypatch):
        monkeypatch.setattr(deployment, "data_of", lambda *dummy: Data(host.database, ("the PostgreSQL database x",)))
        assert "uses the PostgreSQL database x, which can't be copied here" in migrated(policy)["msg"] and host.steps == []

    def test_is_restored_from_the_newest_copy_of_the_revision(self, migrated, host, deploy):
        """The copy of the newer revision, which the first way back made, is not taken for one."""
        migrated("downgrade")
        host.database.rows = {"posts": 7}
        deploy("v2")
        host.database.rows = {"posts": 9}
        migrated("restore")
        assert host.database.revision() == ["a1"] and host.database.rows["posts"] == 7


FULL = OSError(28, "No space left on device")
BEGIN = {
    WORKERS: ProcessError("supervisor", "ABNORMAL_TERMINATION"),
    "close": StillWriting("A request still runs."),
    "dump": CommandError("gone"),
    "start blog-blue": ProcessError("supervisor", "ABNORMAL_TERMINATION"),
    "switch": FULL,
    "link live.sock": FULL,
    "link current": FULL,
}
POLICIES = {
    "downgrade": dict(BEGIN, migrate=RuntimeError("duplicate column")),
    "restore": dict(BEGIN, restore=DatabaseError("likes has 0 rows instead of 1")),
}
CASES = [(policy, step) for policy, steps in POLICIES.items() for step in steps]


class TestUndoing:
    """A rollback that does not come to its end."""

    @pytest.mark.parametrize("policy, step", CASES)
    def test_an_error_takes_everything_back(self, policy, step, migrated, host):
        before = host.look_anew()
        host.on[step] = POLICIES[policy][step]
        result = migrated(policy)
        assert result["failed"] and "The version before it goes on serving." in result["msg"]
        assert host.look_anew() == before and host.journal() is None
        assert host.records()[:2] == [("v1", "served"), ("v2", "served")] and host.links()["current"] == "v2"

    def test_an_error_in_the_midst_of_the_switch_is_made_good_where_the_database_is_kept(self, migrated, host):
        host.on["link current"] = FULL
        assert migrated("keep")["changed"]
        assert host.state() == dict(AFTER, revision=["b2"]) and host.links()["current"] == "v1"
        assert host.records()[2:] == [("v2", "rolled back"), ("v1", "served")] and host.journal() is None

    @pytest.mark.parametrize("policy, step", [("downgrade", "guard"), *CASES])
    def test_one_that_was_killed_is_taken_back(self, policy, step, migrated, host):
        before = host.look_anew()
        host.on[step] = Killed()
        with pytest.raises(Killed):
            migrated(policy)
        assert recover(host.site) == "took back the change to v1"
        assert host.look_anew() == before and host.journal() is None

    def test_one_that_was_killed_before_it_was_noted_as_made_is_taken_back(self, migrated, host, monkeypatch):
        before, note = host.look_anew(), Transaction.note

        def killed(transaction, **changes):
            if changes.get("committed"):
                raise Killed
            note(transaction, **changes)

        monkeypatch.setattr(Transaction, "note", killed)
        with pytest.raises(Killed):
            migrated("restore")
        assert host.state() == dict(CLOSED, live="blue", slots={"blue", "green"}, revision=["a1"])
        assert recover(host.site) == "took back the change to v1"
        assert host.look_anew() == before

    @pytest.mark.parametrize("step", ["stop blog-green", "open", "start blog.mail", "add", "prune"])
    def test_one_that_was_made_is_completed(self, step, migrated, host):
        host.on[step] = Killed()
        with pytest.raises(Killed):
            migrated("downgrade")
        assert recover(host.site) == "completed the change to v1"
        assert host.state() == AFTER and host.journal() is None
        assert host.records()[-2:] == [("v2", "rolled back"), ("v1", "served")]


class TestLock:
    """A rollback is a deployment of its own."""

    def test_is_taken_and_given_back(self, releases, back, host):
        releases("v1", "v2")
        host.on["switch"] = lambda: holders.append(Lock(host.site).holder())
        holders = []
        back(owner=OWNER, reason="v2 is slow")
        assert {key: holders[0][key] for key in ("id", "owner", "reason")} == dict(OWNER, reason="v2 is slow")
        assert Lock(host.site).holder() is None and host.entries()[-1]["by"] == "ana@laptop"

    def test_is_given_back_where_there_is_nothing_to_go_back_to(self, back, host):
        assert back(owner=OWNER)["failed"]
        assert Lock(host.site).holder() is None

    @pytest.mark.parametrize("gone, changed", [([], False), (["he"], True)])
    def test_of_somebody_else_is_respected_while_he_lives(self, gone, changed, releases, back, host):
        releases("v1", "v2")
        Lock(host.site).take(dict(id="he", owner="bob@pc", reason="update"), [])
        result = back(owner=OWNER, gone=gone)
        assert result["changed"] == changed
        assert os.readlink(host.root / "current") == ("releases/v1" if changed else "releases/v2")
        if not changed:
            assert result["holder"]["owner"] == "bob@pc" and 0 <= result["holder"]["since"] < 5
            assert Lock(host.site).holder()["id"] == "he"


class TestRiskyLoading:
    """A release that may change the database when it is loaded."""

    @pytest.fixture
    def risky(self, host, releases, back):
        """v1 is one, and v2 is served; goes back to v1."""
        host.loadings["v1"] = dict(touches=["connects to mysql"])
        releases("v1", "v2")
        host.look_anew()
        return back

    def test_it_is_launched_when_nobody_writes_and_there_is_a_copy(self, risky, host):
        assert risky()["release"] == "v1"
        assert host.steps.index("close") < host.steps.index("dump") < host.steps.index("start blog-blue")

    @pytest.mark.parametrize("happens", [dict(status=500), None], ids=["is not well", "is killed"])
    def test_what_it_did_is_taken_back(self, happens, risky, host):
        before = host.look_anew()
        host.broken["v1"] = lambda: host.database.rows.update(likes=0) or {"status": 500}
        if happens:
            assert "The database is as it was." in risky()["msg"]
        else:
            host.on["switch"] = Killed()
            host.broken["v1"] = lambda: host.database.rows.update(likes=0) or {}
            with pytest.raises(Killed):
                risky()
            recover(host.site)
        assert host.look_anew() == before

    def test_without_a_copy_somebody_has_to_say_so(self, risky, host, monkeypatch):
        monkeypatch.setattr(deployment, "data_of", lambda *dummy: Data())
        assert "v1 may change its database when it is loaded (connects to mysql)" in risky()["msg"]
        assert host.steps == ["inspect"] and risky(database="keep")["release"] == "v1"

    def test_one_that_was_sealed_by_an_earlier_deployment_is_looked_at(self, risky, host):
        (host.root / "releases/v1/.release.json").write_text("{}")
        assert risky()["changed"] and host.steps[0] == "inspect" and "dump" in host.steps
