# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
import functools
import itertools
import json
import os

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.database.data import Data
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import DatabaseError
from ansible_collections.selfhost.flask.plugins.module_utils.database.login import Login
from ansible_collections.selfhost.flask.plugins.module_utils.database.mysql import MySQL
from ansible_collections.selfhost.flask.plugins.module_utils.deployment import deployment, health
from ansible_collections.selfhost.flask.plugins.module_utils.deployment import slots as deployment_slots
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.gate import StillWriting
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.transaction import recover
from ansible_collections.selfhost.flask.plugins.module_utils.process import managers
from ansible_collections.selfhost.flask.plugins.module_utils.process.manager import ProcessError
from ansible_collections.selfhost.flask.plugins.module_utils.process.supervisor import Supervisor
from ansible_collections.selfhost.flask.plugins.module_utils.shared import record
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import Lock, step
from deployment_host import Killed, Memory

CHECK = {"_ansible_check_mode": True}


def test_check_then_run_then_run_again(host, deploy):
    host.release("v1")
    result = deploy("v1", **CHECK)
    assert (result["changed"], result["slot"], result["release"]) == (True, "", "v1")
    assert host.links() == {} and host.supervisor.calls == []
    result = deploy("v1")
    assert (result["changed"], result["slot"], result["release"], result["pruned"]) == (True, "blue", "v1", [])
    assert list(result["seconds"]) == ["launch"] and sum(result["seconds"].values()) < 1
    assert result["diff"] == {"before": "current: \n", "after": "current: releases/v1\n"}
    assert host.links() == {"current": "v1", "run/live.sock": "blue.sock", "slots/blue": "v1"}
    assert host.records() == [("v1", "served")]
    calls = list(host.supervisor.calls)
    for mode in ({}, CHECK):
        result = deploy("v1", **mode)
        assert (result["changed"], result["slot"], result["release"]) == (False, "blue", "v1")
    assert host.supervisor.calls == calls


def test_a_new_release_takes_over_in_the_other_slot(host, deploy):
    for release, slot in (("v1", "blue"), ("v2", "green"), ("v3", "blue")):
        host.release(release)
        assert deploy(release)["slot"] == slot
        assert host.links() == {"current": release, "run/live.sock": slot + ".sock", "slots/" + slot: release}
        assert host.programs() == {"blog-" + slot}


def test_the_old_slot_serves_until_the_new_one_is_live(host, deploy):
    host.release("v1")
    deploy("v1")
    host.release("v2")
    seen = []
    stop = host.supervisor.on_stop
    host.supervisor.on_stop = lambda name: (seen.append((name, host.links()["run/live.sock"])), stop(name))
    deploy("v2")
    assert seen == [("blog-blue", "green.sock")]


def test_a_release_that_answers_with_an_error_is_asked_five_times(host, deploy, monkeypatch):
    monkeypatch.setattr(health, "ONCE_REACHED", 0.01)
    servers, serve = [], host.serve
    host.serve = lambda *path, **answer: servers.append(serve(*path, **answer)) or servers[-1]
    host.release("v1")
    host.broken["v1"] = {"status": 500}
    assert "/ answered 500 well, 5 times." in deploy("v1", deadline=2)["msg"]
    assert [len(server.requests) for server in servers] == [5]


def test_health_is_asked_as_the_proxy_would(host, deploy):
    host.release("v1")
    deploy("v1", health_url="/healthz?deep=1", host="blog.example.com")
    path, headers = host.servers["blue"].requests[0]
    assert path == "/healthz?deep=1"
    assert (headers["Host"], headers["X-Forwarded-Proto"]) == ("blog.example.com", "https")


def test_a_release_is_sealed_before_it_is_started(host, deploy):
    folder = host.release("v1")
    (folder / "code.py").touch(0o666)
    folder.chmod(0o777)
    deploy("v1", commit="c" * 40)
    assert oct(folder.stat().st_mode)[-3:] == "755" and oct((folder / "code.py").stat().st_mode)[-3:] == "644"
    application = {"loads": True, "touches": [], "databases": [], "files": [], "secret_key": "own", "schedules": False}
    about = json.loads((folder / ".release.json").read_text())
    assert (about["version"], about["commit"], about["application"]) == ("v1", "c" * 40, application)


@pytest.mark.parametrize("mode", [{}, {"_ansible_check_mode": True}], ids=["run", "check"])
def test_the_link_to_what_is_served_is_made_again_where_somebody_removed_it(mode, host, deploy):
    host.release("v1")
    deploy("v1")
    (host.root / "current").unlink()
    host.look_anew()
    assert deploy("v1", **mode)["changed"]
    assert "start blog-green" not in host.steps  # the release that is served goes on
    if not mode:
        assert host.links()["current"] == "v1" and not deploy("v1")["changed"]


def test_a_damaged_release_is_not_kept_and_no_rollback_goes_back_to_it(run, host, deploy):
    for name in ("v1", "v2", "v3"):
        host.release(name, venv=name)
        deploy(name)
    (host.root / "releases/v2/code.py").touch()
    result = run("flask_rollback", **host.about())
    assert result["release"] == "v1" and (host.root / "releases/v3").exists()
    assert not (host.root / "releases/v2").exists()


@pytest.fixture
def configured(host, deploy, runuser):
    """Two versions whose repository changes a file at a shared path; v1 is served."""
    (host.root / "shared/instance").mkdir()
    for name in ("v1", "v2"):
        folder = host.release(name) / ".brought/instance"
        folder.mkdir(parents=True)
        (folder / "config.py").write_text(name)
        if name == "v1":
            deploy("v1")
    return host.root / "shared/instance/config.py"


def test_a_file_of_the_repository_at_a_shared_path_follows_what_is_served(configured, host, deploy):
    assert configured.read_text() == "v1"
    deploy("v2")
    assert configured.read_text() == "v2"


def test_what_the_host_changed_of_it_stays_and_is_said(configured, deploy, warnings):
    configured.write_text("mine")
    assert not deploy("v2").get("failed")
    assert configured.read_text() == "mine"
    assert warnings[0].startswith("instance/config.py was changed on this host, and by the repository too")


def test_it_goes_back_with_a_release_that_is_not_well(configured, host, deploy):
    host.broken["v2"] = dict(status=500)
    host.on["start blog-green"] = lambda: seen.append(configured.read_text())
    seen = []
    assert deploy("v2")["failed"]
    assert (seen, configured.read_text()) == (["v2"], "v1")


def test_it_goes_back_where_the_module_was_killed(configured, host, deploy):
    host.on["start blog-green"] = Killed()
    with pytest.raises(Killed):
        deploy("v2")
    recover(host.site)
    assert configured.read_text() == "v1"


def test_it_goes_back_where_the_module_was_killed_before_it_was_noted(configured, host, deploy, monkeypatch):
    def killed(*dummy):
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(record, "write_json", killed)
        deploy("v2")
    assert configured.read_text() == "v2"
    recover(host.site)
    assert configured.read_text() == "v1"


def test_a_database_of_the_repository_is_not_replaced_and_that_is_said(configured, deploy, warnings):
    configured.write_bytes(b"SQLite format 3\0")
    deploy("v2")
    assert configured.read_bytes() == b"SQLite format 3\0"
    assert warnings[0].startswith("instance/config.py is a SQLite database, and the repository has another one now")


def sealed_databases(host, release):
    return json.loads((host.root / "releases" / release / ".release.json").read_text())["application"]["databases"]


SQLITE, EXTERNAL = [dict(kind="sqlite", name="/srv/blog.db")], [dict(kind="postgresql", name="blog", host="db")]


@pytest.fixture
def moved(host, deploy):
    """v1 is served with one database, and its settings name another one; deploys it."""
    host.release("v1")
    host.loadings["v1"] = dict(databases=SQLITE)
    deploy("v1")
    host.loadings["v1"] = dict(databases=EXTERNAL)
    host.stage("FOR=external\n")
    return functools.partial(deploy, "v1")


def test_the_seal_follows_the_settings(moved, host):
    assert moved()["changed"] and sealed_databases(host, "v1") == EXTERNAL


def test_the_seal_goes_back_with_settings_that_do_no_good(moved, host):
    host.broken["v1"] = dict(status=500)
    assert moved()["failed"] and sealed_databases(host, "v1") == SQLITE


@pytest.mark.parametrize("sealed", [True, False])
def test_the_seal_goes_back_where_the_module_was_killed(sealed, moved, host):
    if not sealed:
        (host.root / "releases/v1/.release.json").write_text('{"version": "v1"}')
    host.on["start blog-green"] = Killed()
    with pytest.raises(Killed):
        moved()
    assert sealed_databases(host, "v1") == EXTERNAL
    recover(host.site)
    if sealed:
        assert sealed_databases(host, "v1") == SQLITE
    else:
        assert json.loads((host.root / "releases/v1/.release.json").read_text()) == {"version": "v1"}


def test_a_file_that_the_application_may_not_write_is_said_to_be_shared(host, deploy):
    host.release("v1")
    host.broken["v1"] = dict(status=500)
    said = "PermissionError: [Errno 13] Permission denied: '/srv/blog/releases/v1/uploads/a.png'\n"
    host.on["start blog-blue"] = lambda: (host.root / "log/blue.log").write_text(said)
    assert "Add uploads to flask_shared_paths, and run `selfhost.flask.update`." in deploy("v1")["msg"]


def test_a_slot_keeps_the_settings_that_it_was_launched_with(host, deploy):
    host.release("v1")
    (host.root / "shared/.env").write_text("SECRET_KEY=one\n")
    (host.root / "shared/.env").chmod(0o640)
    deploy("v1")
    changed_settings(host)
    copy = host.root / "slots/blue.settings/.env"
    assert copy.read_text() == "SECRET_KEY=one\n" and oct(copy.stat().st_mode)[-3:] == "640"
    deploy("v1")
    assert (host.root / "slots/green.settings/.env").read_text() == "DEBUG=1\n"
    assert not copy.parent.exists()


def changed_settings(host):
    (host.root / "shared/.env").write_text("DEBUG=1\n")


def another_environment(host):
    (host.root / "venvs/two").mkdir()
    (host.root / "releases/v1/.venv").unlink()
    (host.root / "releases/v1/.venv").symlink_to("../../venvs/two")


def sick(host):
    host.servers["blue"].status = 503
    host.broken["v1"] = {}


def stopped(host):
    host.supervisor.stopProcess("blog-blue")


@pytest.mark.parametrize("change", [changed_settings, another_environment, sick, stopped])
def test_the_same_release_is_launched_anew_where_something_changed(change, host, deploy):
    host.release("v1")
    deploy("v1")
    change(host)
    assert deploy("v1", **CHECK)["changed"]
    result = deploy("v1")
    assert (result["changed"], result["slot"]) == (True, "green")
    assert not deploy("v1")["changed"]


def test_a_release_may_be_healthy_by_another_status(host, deploy):
    host.release("v1")
    host.broken["v1"] = {"status": 401}
    assert not deploy("v1", health_status=[401]).get("failed")
    assert not deploy("v1", health_status=[401])["changed"]


# what the new release does, and what the module says of it
ILL = {
    "answers with an error": ({"status": 500, "text": "no table posts"}, "/ answered 500 no table posts within 0 s"),
    "answers that there is nothing": (
        {"status": 404}, "/ answered 404 well within 0 s. Set flask_health_url to a page that answers whoever asks",
    ),
    "answers without the text": ({"text": "welcome"}, "/ answered 200, but without the text 'well' within 0 s"),
    "is another one": ({"release": "v0"}, "/ was answered by the release v0 within 0 s"),
    "ends at once": (None, "/ on its socket gave no answer"),
}


@pytest.mark.parametrize("case", ILL)
@pytest.mark.parametrize("live", [True, False], ids=["with an old one", "the first one"])
def test_a_release_that_is_not_well_never_goes_live(case, live, host, deploy):
    answer, problem = ILL[case]
    if live:
        host.release("v1")
        deploy("v1")
    host.release("v2")
    host.broken["v2"] = answer
    before = host.links()
    result = deploy("v2", health_text="well")
    assert result["failed"] and result["msg"].startswith("v2 did not become healthy: " + problem)
    assert ("The version before it goes on serving." if live else "No version is served yet.") in result["msg"]
    assert "log/%s.log:\nstarting v2\nits last words" % ("green" if live else "blue") in result["msg"]
    assert host.links() == before and host.programs() == ({"blog-blue"} if live else set())
    assert host.records() == ([("v1", "served")] if live else []) + [("v2", "failed")]
    del host.broken["v2"]
    assert host.journal() is None and deploy("v2")["changed"]


def test_a_release_without_its_name_in_the_answer_is_not_well(host, deploy):
    host.release("v1")
    host.broken["v1"] = {"release": ""}
    assert "/ was answered by the release " in deploy("v1")["msg"]


def test_a_release_that_keeps_ending_is_given_up_before_the_deadline(host, deploy, monkeypatch):
    host.release("v1")
    host.broken["v1"] = None
    info, pids = host.supervisor.getProcessInfo, itertools.count(1)
    monkeypatch.setattr(host.supervisor, "getProcessInfo", lambda name: dict(info(name), pid=next(pids)))
    assert "it ended at its start, 2 times" in deploy("v1", deadline=60)["msg"]


class TestWithoutSupervisor:
    """Supervisor does not run, so that nothing can be started, nor seen to be stopped."""

    @pytest.fixture
    def failed(self, host, deploy, monkeypatch):
        host.release("v1")
        with monkeypatch.context() as meanwhile:
            nowhere = functools.partial(Supervisor, str(host.root / "nothing.sock"))
            meanwhile.setitem(managers.MANAGERS, "supervisor", nowhere)
            return deploy("v1")["msg"]

    def test_the_change_is_taken_back_later(self, failed, host):
        assert "This could not be rolled back yet: " in failed and "flask-blog-recover.service" in failed
        assert host.journal() and host.records() == []
        assert recover(host.site) == "took back the change to v1"
        assert host.journal() is None and host.links() == {} and host.records() == [("v1", "failed")]

    def test_its_socket_is_named(self, failed):
        assert "nothing.sock" in failed


class TestPruning:
    """Which releases and virtual environments stay."""

    @pytest.mark.parametrize("keep, kept", [(2, {"v3", "v4"}), (1, {"v4"}), (0, {"v4"}), (9, {"v1", "v2", "v3", "v4"})])
    def test_keeps_the_newest_and_the_one_that_is_served(self, keep, kept, host, deploy):
        for name in ("v1", "v2", "v3"):
            host.release(name)
            deploy(name, keep=9)
        host.release("v4")
        result = deploy("v4", keep=keep)
        assert set(os.listdir(host.root / "releases")) == kept
        assert result["pruned"] == sorted({"v1", "v2", "v3", "v4"} - kept)

    def test_removes_what_failed_or_was_never_finished(self, host, deploy):
        host.release("v1")
        host.broken["v1"] = None
        deploy("v1")
        host.release(".incoming-x", venv="unused")
        host.release("v2", venv="used")
        assert deploy("v2")["pruned"] == [".incoming-x", "v1"]
        assert os.listdir(host.root / "venvs") == ["used"]

    def test_keeps_environments_that_a_kept_release_uses(self, host, deploy):
        for name, venv in (("v1", "one"), ("v2", "two"), ("v3", "three")):
            host.release(name, venv=venv, subfolder="web")
            deploy(name + "/web", keep=2)
        assert set(os.listdir(host.root / "venvs")) == {"two", "three"}

    def test_a_release_that_is_served_again_is_the_newest(self, host, deploy):
        for name in ("v1", "v2", "v1", "v3"):
            if not (host.root / "releases" / name).exists():
                host.release(name)
            deploy(name, keep=2)
        assert set(os.listdir(host.root / "releases")) == {"v1", "v3"}

    def test_keeps_dumps_that_a_kept_release_was_migrated_from(self, host, deploy):
        for number, name in enumerate(("v1", "v2", "v3", "v4"), 1):
            host.release(name, migrations=["a1", "b2", "c3", "d4"][:number])
            host.broken["v3"] = {"status": 500}
            deploy(name, keep=2)
        assert host.records() == [("v1", "served"), ("v2", "served"), ("v3", "failed"), ("v4", "served")]
        assert host.dumps() == ["2v2.gz", "2v2.json", "4v4.gz", "4v4.json"]


@pytest.mark.parametrize("mode", [{}, CHECK], ids=["run", "check"])
def test_a_release_keeps_its_name_where_the_application_is_in_a_subfolder(mode, host, deploy):
    host.release("v1", subfolder="web/app")
    deploy("v1/web/app")
    result = deploy("v1/web/app", **mode)
    assert (result["changed"], result["release"]) == (False, "v1")
    assert os.readlink(host.root / "current") == "releases/v1/web/app"


@pytest.fixture
def served(host, deploy):
    """v1 is served with its database and two workers, and v2 is built; deploys v2."""
    host.workers("mail", "queue")
    host.release("v1", migrations=["a1"])
    assert deploy("v1", workers=["mail", "queue"])["revision"] == ["a1"]
    host.release("v2", migrations=["a1", "b2"])
    (host.root / "shared/.env").chmod(0o640)

    def served(settings="FOR=v2\n", **options):
        host.stage(settings)
        return deploy("v2", workers=["mail", "queue"], **options)

    return served


BEFORE = dict(live="blue", closed=[], slots={"blue"}, workers={"mail", "queue"}, revision=["a1"])
AFTER = dict(BEFORE, live="green", slots={"green"}, revision=["b2"])
LINKS = {"current": "v2", "run/live.sock": "green.sock", "slots/green": "v2"}
WORKERS = "stop blog.mail blog.queue"


class TestMigrating:
    """A release that needs another revision of the database."""

    def test_what_is_done_in_which_order(self, served, host):
        assert host.look_anew()[0] == BEFORE
        result = served()
        assert (result["changed"], result["slot"], result["revision"]) == (True, "green", ["b2"])
        assert (result["before"], result["revision_before"]) == ("v1", ["a1"])
        assert host.steps == [
            "inspect", "guard", "take", WORKERS, "close", "dump", "migrate", "stop blog-green", "link green", "start blog-green", "switch",
            "link live.sock", "link current", "link current", "open", "stop blog-blue", "open", "open", WORKERS,
            "start blog.mail", "start blog.queue", "add", "prune",
        ]
        assert host.states["dump"] == dict(BEFORE, closed=["blue", "workers"], workers=set())
        assert host.states["start blog-green"] == dict(BEFORE, closed=["blue", "workers"], workers=set(), revision=["b2"])
        assert host.states["stop blog-blue"]["slots"] == {"blue", "green"}
        assert host.states["open"] == dict(AFTER, closed=["blue", "workers"], workers=set(), slots={"blue", "green"})
        assert host.states["start blog.mail"] == dict(AFTER, workers=set())
        assert host.state() == AFTER and host.links() == LINKS and host.journal() is None
        assert host.settings() == ("FOR=v2\n", "640", [".env"])
        assert host.commands == [["systemctl", "start", "--no-block", "flask-blog-recover.service"]]

    def test_what_is_noted_of_it(self, served, host):
        result = served(commit="c" * 40)
        entry = host.entries()[-1]
        assert result["seconds"] == entry["seconds"]
        assert list(entry["seconds"]) == ["stop writes", "dump", "migrate", "launch", "drain", "workers"]
        about = dict(version="v2", commit="c" * 40, revision=["b2"], folder="releases/v2", outcome="served")
        assert {key: entry[key] for key in about} == about and (entry["release"], entry["from"]) == ("v2", "v1")
        assert entry["dump"] == str(host.backups / "2v2")
        manifest = json.loads((host.backups / "2v2.json").read_text())
        assert (manifest["release"], manifest["revision"], manifest["reason"]) == ("v1", ["a1"], "before a migration")

    def test_a_first_release_has_nobody_to_refuse(self, host, deploy):
        host.release("v1", migrations=["a1"])
        deploy("v1")
        assert "close" not in host.steps and host.steps.index("dump") < host.steps.index("migrate")

    def test_where_nothing_is_pending_nobody_is_refused_and_the_application_is_not_asked(self, served, host, deploy):
        served()
        host.release("v3", migrations=["a1", "b2"])
        host.look_anew()
        assert deploy("v3")["revision"] == ["b2"]
        assert host.asked == [] and not {"close", "dump", "migrate"} & set(host.steps)

    def test_the_revision_is_noted_where_the_same_release_is_launched_anew(self, served, host):
        served()
        assert served(settings="DEBUG=1\n")["changed"]
        assert [entry.get("revision") for entry in host.entries()] == [["a1"], ["b2"], ["b2"]]

    def test_online_goes_on_taking_requests(self, served, host):
        host.look_anew()
        served(migration="online")
        assert host.states["migrate"] == BEFORE
        assert host.state() == AFTER and host.dumps()

    def test_online_undoes_no_change_of_the_database(self, served, host):
        host.on["migrate"] = RuntimeError("duplicate column")
        result = served(migration="online")
        assert "A copy of the database from before is %s/" % host.backups in result["msg"]
        assert host.database.revision() == ["half"] and "restore" not in host.steps
        assert host.records()[-1] == ("v2", "failed")

    @pytest.mark.parametrize("migration", ["blocking", "online"])
    def test_a_database_that_cannot_be_copied_is_migrated_online_alone(self, migration, served, host, monkeypatch):
        monkeypatch.setattr(deployment, "data_of", lambda *dummy: Data())
        before = host.look_anew()
        result = served(migration=migration)
        if migration == "online":
            assert host.state() == AFTER and result["revision"] == ["b2"] and "dump" not in host.steps
        else:
            assert "-e flask_migration=online" in result["msg"] and "Nothing was changed." in result["msg"]
            assert host.steps == ["inspect"] and host.look_anew() == before and len(host.records()) == 1

    @pytest.mark.parametrize("migration", ["blocking", "online"])
    def test_a_database_that_cannot_be_copied_beside_one_that_can(self, migration, served, host, monkeypatch):
        """Nothing is promised, and all that can be copied is copied."""
        lacking = Data(host.database, ("the PostgreSQL database log on db",))
        monkeypatch.setattr(deployment, "data_of", lambda *dummy: lacking)
        monkeypatch.setattr(deployment, "concerns", lambda *about: ["No backup has it."])
        host.look_anew()
        result = served(migration=migration)
        if migration == "online":
            assert host.state() == AFTER and "dump" in host.steps and "No backup has it." in str(result["warnings"])
        else:
            assert "the PostgreSQL database log on db can't be copied here" in result["msg"] and host.steps == ["inspect"]

    def test_a_version_with_another_database_has_that_one_migrated(self, served, host, deploy, monkeypatch):
        """The database of the version before is where the new version wants it; that does not help."""
        other = Memory(host)
        other.name = "/srv/other.db"

        def data_of(dummy, about, *ignored):
            host.database = other if about else host.database
            return Data(host.database)

        monkeypatch.setattr(deployment, "data_of", data_of)
        host.release("v3", migrations=["a1"])
        assert deploy("v3")["revision"] == ["a1"] == other.at

    def test_a_release_that_was_sealed_before_is_asked_though_nothing_changes(self, served, host, monkeypatch):
        served()
        (host.root / "releases/v2/.release.json").write_text('{"version": "v2"}')
        monkeypatch.setattr(deployment, "concerns", lambda *about: ["Its key is weak."])
        result = served()
        assert not result["changed"] and "Its key is weak." in str(result["warnings"])
        sealed = json.loads((host.root / "releases/v2/.release.json").read_text())
        assert sealed["version"] == "v2" and "databases" in sealed["application"]
        host.look_anew()
        assert not served()["changed"] and "inspect" not in host.steps


class TestSettings:
    """Those that a deployment has laid beside .env."""

    def test_migrations_and_the_new_slot_find_them_at_their_place(self, served, host):
        seen = {step: functools.partial(lambda step: found.update({step: host.settings()}), step)
                for step in ("migrate", "start blog-green")}
        found = {}
        host.on.update(seen)
        served()
        assert found == dict.fromkeys(seen, ("FOR=v2\n", "640", [".env", "env.before"]))
        assert (host.root / "slots/green.settings/.env").read_text() == "FOR=v2\n"

    def test_a_version_that_fails_leaves_those_that_are_served(self, served, host):
        (host.root / "shared/.env").write_text("BY=hand\n")
        host.broken["v2"] = {"status": 500}
        assert served()["failed"]
        assert host.settings() == ("BY=hand\n", "640", [".env"])

    def test_what_fails_before_the_transaction_leaves_none_of_them(self, served, host, monkeypatch):
        monkeypatch.setattr(deployment, "data_of", lambda *dummy: Data())
        assert served()["failed"]
        assert host.settings() == ("", "640", [".env"])

    def test_those_that_the_live_slot_has_are_only_moved(self, served, host):
        served()
        (host.root / "shared/.env").write_text("BY=hand\n")
        host.look_anew()
        assert not served()["changed"]
        assert host.settings() == ("FOR=v2\n", "640", [".env"]) and host.steps == ["take"]

    def test_others_than_the_live_slot_has_are_a_change(self, served, host, deploy):
        served()
        host.stage("FOR=v3\n")
        assert deploy("v2", workers=["mail", "queue"], **CHECK)["changed"] and host.settings()[0] == "FOR=v2\n"
        assert deploy("v2", workers=["mail", "queue"])["changed"] and host.settings()[0] == "FOR=v3\n"

    def test_those_that_a_killed_run_has_left_do_not_come_back(self, host, deploy):
        host.release("v1")
        deploy("v1")
        host.release("v2")
        (host.root / "shared/.env").write_text("BY=hand\n")
        (host.root / "deployment/env.before").write_text("LEFT=1\n")
        host.broken["v2"] = {"status": 500}
        assert deploy("v2")["failed"] and host.settings()[0] == "BY=hand\n" and host.settings()[2] == [".env"]

    def test_the_version_s_data_is_looked_for_with_those_that_it_gets(self, served, host, monkeypatch):
        seen, paths = [], {}
        monkeypatch.setattr(deployment, "data_of", lambda dummy, about, path: (
            paths.setdefault(about is None, path), Data(host.database),
        )[1])
        monkeypatch.setattr(deployment, "concerns", lambda *about: seen.append(about[-1]) or [])
        served()
        env = str(host.root / "shared/.env")
        assert seen == [env + ".next"] and paths == {True: env, False: env + ".next"}

    def test_a_rollback_takes_none_of_a_run_that_died(self, served, host, run):
        served()
        host.stage("LEFT=1\n")
        host.on["inspect"] = lambda: seen.append(host.settings()[2])
        seen = []
        assert run("flask_rollback", **dict(host.about(), owner=dict(id="x", owner="ana"), database="keep"))["changed"]
        assert host.settings()[0] == "FOR=v2\n" and seen == [[".env"]]


class TestPassword:
    """The one that lets the application into its database changes with the settings."""

    URL = "DATABASE_URL=mysql://blog:%s@localhost/blog\n"

    @pytest.fixture
    def valid(self, served, host, monkeypatch):
        """The passwords that were valid, one after the other; the account has `old` at first."""
        valid = [("old",)]

        class Account(Login):
            def is_there(self):
                return True

            def lets_in(self, password):
                return password in valid[-1]

            def allow(self, *passwords):
                host.reach("allow")
                valid.append(passwords)

        monkeypatch.setattr(MySQL, "login", Account)
        (host.root / "shared/.env").write_text(self.URL % "old")
        return valid

    def test_both_are_valid_until_the_old_version_is_gone(self, valid, served, host):
        served(settings=self.URL % "new")
        assert valid == [("old",), ("old", "new"), ("new",)]
        assert host.steps.index("stop blog-blue") < len(host.steps) - host.steps[::-1].index("allow") - 1

    def test_the_old_one_is_valid_again_where_the_version_fails(self, valid, served, host):
        host.broken["v2"] = {"status": 500}
        assert served(settings=self.URL % "new")["failed"]
        assert valid == [("old",), ("old", "new"), ("old",)] and host.settings()[0] == self.URL % "old"

    @pytest.mark.parametrize("step", ["allow", "migrate", "start blog-green", "switch"])
    def test_the_old_one_is_valid_again_where_the_deployment_is_killed(self, step, valid, served, host):
        host.on[step] = Killed()
        with pytest.raises(Killed):
            served(settings=self.URL % "new")
        recover(host.site)
        assert valid[-1] == ("old",) and host.settings()[0] == self.URL % "old"

    @pytest.mark.parametrize("step", ["stop blog-blue", "start blog.mail", "add"])
    def test_the_new_one_is_valid_where_it_is_killed_after_the_switch(self, step, valid, served, host):
        host.on[step] = Killed()
        with pytest.raises(Killed):
            served(settings=self.URL % "new")
        recover(host.site)
        assert valid[-1] == ("new",) and host.settings()[0] == self.URL % "new"

    def test_an_account_of_another_server_at_this_hosts_address_is_left_alone(self, valid, served, monkeypatch):
        monkeypatch.setattr(MySQL.login, "is_there", lambda self: False)
        assert not served(settings=self.URL % "new").get("failed") and valid == [("old",)]

    def test_one_that_is_valid_already_is_not_set(self, valid, served):
        served(settings=self.URL % "old" + "OTHER=1\n")
        assert valid == [("old",)]

    def test_one_that_a_run_has_set_that_died_is_made_good(self, valid, served, host):
        valid.append(("new",))  # as provision.yml once did
        served(settings=self.URL % "new")
        assert valid[-1] == ("new",)

    def test_the_first_version_finds_its_own_valid(self, valid, host, deploy):
        for name in ("current", "run/live.sock"):
            (host.root / name).unlink()
        (host.root / "shared/.env").write_text(self.URL % "another")
        assert deploy("v2")["changed"]
        assert valid[1:] == [("another",), ("another",)]


class TestWorkers:
    """Those that can't work, and those that there should not be any more."""

    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch):
        monkeypatch.setattr(deployment_slots, "WATCHED", 0.1)

    def test_one_that_ends_at_once_is_said_and_the_version_is_served(self, served, host, warnings):
        host.supervisor.started["blog.mail"] = "BACKOFF"
        host.supervisor.errors["blog.mail"] = "Exited too quickly"
        log = host.root / "log/mail.log"
        log.write_text("of another day\n")
        start = host.supervisor.on_start
        host.supervisor.on_start = lambda name: log.open("a").write("no such program\n") if "mail" in name else start(name)
        for times in (1, 2):
            result = served()
            assert (result["changed"], result["release"]) == (times == 1, "v2")
            said, = warnings[-1:]
            assert "The worker mail does not run: it is BACKOFF in supervisor (Exited too quickly), and tried again" in said
            assert "Fix its command in flask_workers" in said and "\nno such program" in said
            assert len(warnings) == times
        assert host.state()["workers"] == {"queue"}

    def test_one_that_supervisor_does_not_know_is_said(self, host, deploy, warnings):
        host.release("v1")
        assert deploy("v1", workers=["mail"])["changed"]
        assert warnings[0].startswith("The worker mail does not run: it is UNKNOWN in supervisor.")

    def test_one_that_starts_is_watched_for_a_while(self, served, host, warnings):
        host.supervisor.started["blog.mail"] = "STARTING"
        assert served()["changed"] and warnings == []

    @pytest.mark.parametrize("left", [["queue"], []])
    def test_one_that_is_taken_out_ends_with_the_next_run(self, left, served, host, deploy):
        served()
        del host.supervisor.files["blog.mail"]
        if not left:
            del host.supervisor.files["blog.queue"]
        assert deploy("v2", workers=left, **CHECK)["changed"]
        assert deploy("v2", workers=left)["changed"]
        assert host.state()["workers"] == set(left)
        assert [name for name in host.supervisor.groups if "." in name] == ["blog." + name for name in left]
        assert not deploy("v2", workers=left)["changed"]

    def test_one_whose_command_changed_is_started_by_it(self, served, host):
        served()
        host.supervisor.files["blog.mail"] = 2
        assert served(settings="COMMAND=2\n")["changed"]  # what a slot reads has changed as well
        assert host.supervisor.groups["blog.mail"] == 2 and host.state()["workers"] == {"mail", "queue"}


# what happens in the place of a step, and what the module says of it
FAULT = ProcessError("supervisor", "ABNORMAL_TERMINATION")
FULL = OSError(28, "No space left on device")
ERRORS = {
    "take": (FULL, "The host can't serve v2: [Errno 28] No space left on device"),
    WORKERS: (FAULT, "supervisor can't be asked to run v2: "),
    "close": (StillWriting("A request still runs."), "A request still runs."),
    "dump": (CommandError("`mysqldump` ended with exit code 2: gone"), "`mysqldump` ended with exit code 2: gone"),
    "migrate": (RuntimeError("duplicate column"), "The migrations of v2 failed. it is at half now\nduplicate column"),
    "stop blog-green": (FAULT, "supervisor can't be asked to run v2: "),
    "link green": (FULL, "The host can't serve v2: [Errno 28] No space left on device"),
    "start blog-green": (FAULT, "supervisor can't be asked to run v2: "),
    "switch": (FULL, "The host can't serve v2: [Errno 28] No space left on device"),
    "link live.sock": (FULL, "The host can't serve v2: [Errno 28] No space left on device"),
}
UNTOUCHED = {"take", WORKERS, "close", "dump"}  # by then there is no copy that could be brought back


class TestErrors:
    """A step that can't be made."""

    @pytest.mark.parametrize("step", ERRORS)
    def test_an_error_before_the_switch_takes_everything_back(self, step, served, host):
        error, said = ERRORS[step]
        before = host.look_anew()
        host.on[step] = error
        result = served()
        assert result["failed"] and result["msg"].startswith(said)
        assert "The version before it goes on serving." in result["msg"]
        assert ("The database is as it was." in result["msg"]) == ("restore" in host.steps) == (step not in UNTOUCHED)
        assert host.look_anew() == before and host.journal() is None
        assert host.records() == [("v1", "served"), ("v2", "failed")]
        assert host.entries()[-1]["problem"].startswith(said) and "revision" not in host.entries()[-1]
        assert served()["changed"] and host.state() == AFTER

    def test_a_release_that_is_not_well_with_its_database_takes_everything_back(self, served, host):
        before = host.look_anew()
        host.broken["v2"] = {"status": 500}
        assert "/ answered 500" in served()["msg"]
        assert host.look_anew() == before and host.records()[-1] == ("v2", "failed")

    def test_a_request_that_does_not_end_is_left_in_peace(self, served, host):
        before = host.look_anew()
        folder = os.open(host.root / "gate", os.O_RDONLY)
        fcntl.flock(folder, fcntl.LOCK_SH)
        assert "A request that writes still runs after 0 s." in served()["msg"]
        os.close(folder)
        assert host.look_anew() == before and host.dumps() == ["1v1.gz", "1v1.json"]

    def test_without_the_unit_that_recovers_nothing_is_begun(self, served, host):
        before = host.look_anew()
        host.on["guard"] = CommandError("`systemctl` ended with exit code 5: not found.")
        assert served()["msg"].endswith("not found. Run `selfhost.flask.site`, which installs it. Nothing was changed.")
        assert host.look_anew() == before and host.journal() is None and len(host.records()) == 1

    def test_what_cannot_be_taken_back_yet_is_later(self, served, host):
        before = host.look_anew()
        host.on.update({"migrate": RuntimeError("duplicate column"), "restore": DatabaseError("the server is gone")})
        result = served()
        assert "duplicate column" in result["msg"] and "flask-blog-recover.service" in result["msg"]
        assert "could not be rolled back yet: the server is gone" in result["msg"]
        assert host.state()["closed"] == ["blue", "workers"] and host.records() == [("v1", "served")]
        assert recover(host.site) == "took back the change to v2"
        assert host.look_anew() == before and host.records()[-1] == ("v2", "failed")

    @pytest.mark.parametrize("step", ["stop blog-blue", "open", "start blog.queue", "add"])
    def test_an_error_after_the_switch_is_made_good_later(self, step, served, host):
        host.on[step] = FULL
        assert served()["failed"] and host.journal()
        assert recover(host.site) == "completed the change to v2"
        assert host.state() == AFTER and host.links() == LINKS and host.journal() is None
        assert host.records()[-1] == ("v2", "served")

    def test_an_error_in_the_midst_of_the_switch_is_made_good_at_once(self, served, host):
        host.on["link current"] = FULL
        assert served()["changed"]
        assert host.state() == AFTER and host.links() == LINKS and host.journal() is None
        assert host.records() == [("v1", "served"), ("v2", "served")]


class TestRecovery:
    """The process is killed, and another one finds what it has left behind."""

    @pytest.mark.parametrize("step", ["guard", *ERRORS])
    def test_before_the_switch_it_is_taken_back(self, step, served, host):
        before = host.look_anew()
        host.on[step] = Killed()
        with pytest.raises(Killed):
            served()
        assert host.journal()["entry"]["release"] == "v2"
        assert recover(host.site) == "took back the change to v2"
        assert host.look_anew() == before and host.journal() is None
        assert host.records() == [("v1", "served"), ("v2", "failed")]
        assert "interrupted" in host.entries()[-1]["problem"]
        assert recover(host.site) == ""

    @pytest.mark.parametrize("step", [
        "link current", "stop blog-blue", "open", "start blog.mail", "start blog.queue", "add", "prune",
    ])
    def test_after_the_switch_it_is_completed(self, step, served, host):
        host.on[step] = Killed()
        with pytest.raises(Killed):
            served()
        assert recover(host.site) == "completed the change to v2"
        assert host.state() == AFTER and host.links() == LINKS and host.journal() is None
        assert host.records()[-1] == ("v2", "served")

    def test_the_first_release_is_taken_back_to_nothing(self, host, deploy):
        host.release("v1", migrations=["a1"])
        host.on["switch"] = Killed()
        with pytest.raises(Killed):
            deploy("v1")
        assert recover(host.site) == "took back the change to v1"
        assert host.links() == {} and host.programs() == set() and host.database.revision() == []

    def test_one_who_recovers_can_be_killed_as_well(self, served, host):
        before = host.look_anew()
        host.on.update({"migrate": RuntimeError("duplicate column"), "restore": Killed()})
        with pytest.raises(Killed):
            served()
        for step in ("restore", "stop blog-green", "open", "start blog.queue", "add"):
            host.on[step] = Killed()
            with pytest.raises(Killed):
                recover(host.site)
        assert recover(host.site) == "took back the change to v2"
        assert host.look_anew() == before and host.records()[-1] == ("v2", "failed")

    def test_the_next_deployment_recovers_first(self, served, host):
        host.on["start blog-green"] = Killed()
        with pytest.raises(Killed):
            served()
        assert served()["changed"]
        assert host.records() == [("v1", "served"), ("v2", "failed"), ("v2", "served")] and host.state() == AFTER

    def test_what_is_left_on_the_host_can_recover(self, served, host):
        served()
        assert os.path.exists(host.site.path("deployment/recover.pyz"))


class TestSession:
    """Whose deployment it is."""

    OWNER = dict(id="me", owner="ana@laptop", reason="update to v2")

    def test_ends_with_the_deployment_and_is_noted(self, served, host):
        Lock(host.site).take(self.OWNER, [])
        assert served(session="me")["changed"]
        assert Lock(host.site).holder() is None
        assert host.entries()[-1]["by"] == "ana@laptop" and "build" in host.entries()[-1]["seconds"]

    def test_ends_where_the_deployment_fails(self, served, host):
        Lock(host.site).take(self.OWNER, [])
        host.on["migrate"] = RuntimeError()
        assert served(session="me")["failed"]
        assert Lock(host.site).holder() is None and host.entries()[-1]["by"] == "ana@laptop"

    @pytest.mark.parametrize("thief, said", [(dict(id="he", owner="bob@pc"), " by bob@pc"), (None, "")])
    def test_is_refused_where_it_was_taken_over(self, thief, said, served, host):
        if thief:
            Lock(host.site).take(thief, [])
        before = host.look_anew()
        result = served(session="me")
        assert result["msg"].startswith("The lock of this deployment was taken over%s. Nothing was changed" % said)
        assert host.steps == [] and host.look_anew()[:3] == before[:3]
        assert (Lock(host.site).holder() or {}).get("id") == (thief or {}).get("id")

    def test_one_process_at_a_time_is_at_work(self, served, host, monkeypatch):
        monkeypatch.setattr(deployment, "step", functools.partial(step, patience=0))
        before = host.look_anew()
        with step(host.site.root):
            assert "is still at work on this host" in served()["msg"]
        assert host.steps == [] and host.look_anew()[:3] == before[:3]


@pytest.fixture
def without(host, monkeypatch):
    """The user says that the application has no database, and the host has it written down."""
    monkeypatch.setattr(deployment, "data_of", lambda *dummy: Data())
    (host.root / "deployment/drivers.json").write_text('{"database": "none"}')


@pytest.mark.parametrize("loading", [{}, dict(touches=["connects to mysql"]), dict(loads=False, why="no network")])
def test_without_a_database_nothing_is_closed_copied_or_migrated(loading, without, run, host, deploy):
    for name in ("v1", "v2"):
        host.release(name, migrations=["a1"])
        host.loadings[name] = loading
        assert deploy(name)["changed"]
    assert not deploy("v2")["changed"]
    assert run("flask_rollback", **host.about())["release"] == "v1"
    assert not {"close", "dump", "load", "migrate"} & set(host.steps) and host.asked == []


@pytest.mark.parametrize("named", [
    dict(databases=[dict(kind="mysql", name="blog", host="db")]), dict(files=["%s/shared/db/notes.db"]),
], ids=["named", "opened"])
def test_one_that_it_uses_all_the_same_is_not_loaded_without_a_copy(named, without, host, deploy):
    host.release("v1")
    deploy("v1")
    host.release("v2")
    files = [path % os.path.realpath(host.root) for path in named.get("files", [])]
    host.loadings["v2"] = dict(named, files=files, touches=["connects"])
    assert "v2 may change its database when it is loaded" in deploy("v2")["msg"]
