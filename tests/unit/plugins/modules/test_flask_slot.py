# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import functools
import itertools
import json
import os

import pytest

from ansible_collections.selfhost.flask.plugins.modules import flask_slot

CHECK = {"_ansible_check_mode": True}


class Site:
    """An application's folder, with supervisor and the servers that it starts in the slots."""

    def __init__(self, root, supervisor, serve):
        self.root = root
        self.supervisor = supervisor
        self.serve = serve
        self.servers = {}
        self.broken = {}  # release -> what its servers answer; None where they end at once
        supervisor.files = {"blog-blue": 1, "blog-green": 1}
        supervisor.on_start, supervisor.on_stop = self.start, self.stop
        for name in ("releases", "run", "slots", "venvs", "shared", "log"):
            (root / name).mkdir()
        (root / "shared/.env").touch()

    def release(self, name, venv="one", subfolder=""):
        """A release that is built, with its virtual environment."""
        folder = self.root / "releases" / name / subfolder
        folder.mkdir(parents=True)
        (self.root / "venvs" / venv).mkdir(exist_ok=True)
        (folder / ".venv").symlink_to(os.path.relpath(self.root / "venvs" / venv, folder))
        return folder

    def start(self, program):
        slot = program.partition("-")[2]
        release = os.path.basename(os.readlink(self.root / "slots" / slot))
        (self.root / "log" / (slot + ".log")).write_text("starting %s\nits last words\n" % release)
        answer = self.broken.get(release, {})
        self.supervisor.pids[program] = len(self.supervisor.calls)
        if answer is not None:
            self.servers[slot] = self.serve(self.root / "run" / (slot + ".sock"), **answer)

    def stop(self, program):
        server = self.servers.pop(program.partition("-")[2], None)
        if server:
            server.close()

    def links(self):
        """What the links of the application point to."""
        names = ("current", "run/live.sock", "slots/blue", "slots/green")
        found = {name: os.readlink(self.root / name) for name in names if (self.root / name).is_symlink()}
        return {name: os.path.basename(target) for name, target in found.items()}

    def records(self):
        return [(entry["release"], entry["outcome"]) for entry in json.loads((self.root / "releases.json").read_text())]

    def programs(self):
        """The programs that run."""
        return {name for name, state in self.supervisor.states.items() if state == "RUNNING"}


@pytest.fixture
def site(short_path, supervisor, serve, monkeypatch):
    client = functools.partial(flask_slot.Supervisor, supervisor.server_address, 5)
    monkeypatch.setattr(flask_slot, "Supervisor", client)
    if os.geteuid() != 0:
        monkeypatch.setattr(os, "chown", lambda *dummy, **ignored: None)
    root = short_path / "blog"
    root.mkdir()
    return Site(root, supervisor, serve)


@pytest.fixture
def launch(run, site):
    """Runs the module for a release."""

    def launch(release, **arguments):
        options = dict(
            name="blog", root=str(site.root), release=str(site.root / "releases" / release), version=release,
            config=[str(site.root / "shared/.env")], log=str(site.root / "log"), deadline=0,
        )
        return run("flask_slot", **dict(options, **arguments))

    return launch


def test_check_then_run_then_run_again(site, launch):
    site.release("v1")
    result = launch("v1", **CHECK)
    assert (result["changed"], result["slot"], result["release"]) == (True, "", "v1")
    assert site.links() == {} and site.supervisor.calls == []
    result = launch("v1")
    assert (result["changed"], result["slot"], result["release"], result["pruned"]) == (True, "blue", "v1", [])
    assert result["seconds"] < 1
    assert result["diff"] == {"before": "current: \n", "after": "current: releases/v1\n"}
    assert site.links() == {"current": "v1", "run/live.sock": "blue.sock", "slots/blue": "v1"}
    assert site.records() == [("v1", "served")]
    calls = list(site.supervisor.calls)
    for mode in ({}, CHECK):
        result = launch("v1", **mode)
        assert (result["changed"], result["slot"], result["release"]) == (False, "blue", "v1")
    assert site.supervisor.calls == calls


def test_a_new_release_takes_over_in_the_other_slot(site, launch):
    for release, slot in (("v1", "blue"), ("v2", "green"), ("v3", "blue")):
        site.release(release)
        assert launch(release)["slot"] == slot
        assert site.links() == {"current": release, "run/live.sock": slot + ".sock", "slots/" + slot: release}
        assert site.programs() == {"blog-" + slot}


def test_the_old_slot_serves_until_the_new_one_is_live(site, launch):
    site.release("v1")
    launch("v1")
    site.release("v2")
    seen = []
    stop = site.supervisor.on_stop
    site.supervisor.on_stop = lambda name: (seen.append((name, site.links()["run/live.sock"])), stop(name))
    launch("v2")
    assert seen == [("blog-blue", "green.sock")]


def test_health_is_asked_as_the_proxy_would(site, launch):
    site.release("v1")
    launch("v1", health_url="/healthz?deep=1", host="blog.example.com")
    path, headers = site.servers["blue"].requests[0]
    assert path == "/healthz?deep=1"
    assert (headers["Host"], headers["X-Forwarded-Proto"]) == ("blog.example.com", "https")


def test_a_release_is_sealed_before_it_is_started(site, launch):
    folder = site.release("v1")
    (folder / "code.py").touch(0o666)
    folder.chmod(0o777)
    launch("v1", commit="c" * 40)
    assert oct(folder.stat().st_mode)[-3:] == "755" and oct((folder / "code.py").stat().st_mode)[-3:] == "644"
    assert json.loads((folder / ".release.json").read_text()) == {"version": "v1", "commit": "c" * 40}


def changed_settings(site):
    (site.root / "shared/.env").write_text("DEBUG=1\n")


def another_environment(site):
    (site.root / "venvs/two").mkdir()
    (site.root / "releases/v1/.venv").unlink()
    (site.root / "releases/v1/.venv").symlink_to("../../venvs/two")


def sick(site):
    site.servers["blue"].status = 503
    site.broken["v1"] = {}


def stopped(site):
    site.supervisor.stopProcess("blog-blue")


@pytest.mark.parametrize("change", [changed_settings, another_environment, sick, stopped])
def test_the_same_release_is_launched_anew_where_something_changed(change, site, launch):
    site.release("v1")
    launch("v1")
    change(site)
    assert launch("v1", **CHECK)["changed"]
    result = launch("v1")
    assert (result["changed"], result["slot"]) == (True, "green")
    assert not launch("v1")["changed"]


# what the new release does, and what the module says of it
ILL = {
    "answers with an error": ({"status": 500, "text": "no table posts"}, "/ answered 500 no table posts within 0 s"),
    "answers that there is nothing": ({"status": 404}, "/ answered 404"),
    "ends at once": (None, "/ on its socket gave no answer"),
}


@pytest.mark.parametrize("case", ILL)
@pytest.mark.parametrize("live", [True, False], ids=["with an old one", "the first one"])
def test_a_release_that_is_not_well_never_goes_live(case, live, site, launch):
    answer, problem = ILL[case]
    if live:
        site.release("v1")
        launch("v1")
    site.release("v2")
    site.broken["v2"] = answer
    before = site.links()
    result = launch("v2")
    assert result["failed"] and result["msg"].startswith("v2 did not become healthy: " + problem)
    assert ("The version before it goes on serving." if live else "No version is served yet.") in result["msg"]
    assert "log/%s.log:\nstarting v2\nits last words" % ("green" if live else "blue") in result["msg"]
    assert site.links() == before and site.programs() == ({"blog-blue"} if live else set())
    assert site.records() == ([("v1", "served")] if live else []) + [("v2", "failed")]
    del site.broken["v2"]
    assert launch("v2")["changed"]


def test_a_release_that_keeps_ending_is_given_up_before_the_deadline(site, launch, monkeypatch):
    site.release("v1")
    site.broken["v1"] = None
    info, pids = site.supervisor.getProcessInfo, itertools.count(1)
    monkeypatch.setattr(site.supervisor, "getProcessInfo", lambda name: dict(info(name), pid=next(pids)))
    assert "it ended at its start, 3 times" in launch("v1", deadline=60)["msg"]


def test_a_supervisor_that_does_not_run_is_named(site, launch, monkeypatch):
    site.release("v1")
    nowhere = functools.partial(flask_slot.Supervisor.func, str(site.root / "nothing.sock"))
    monkeypatch.setattr(flask_slot, "Supervisor", nowhere)
    assert launch("v1")["msg"].startswith("supervisor can't be asked to run the release: ")


class TestPruning:
    """Which releases and virtual environments stay."""

    @pytest.mark.parametrize("keep, kept", [(2, {"v3", "v4"}), (1, {"v4"}), (0, {"v4"}), (9, {"v1", "v2", "v3", "v4"})])
    def test_keeps_the_newest_and_the_one_that_is_served(self, keep, kept, site, launch):
        for name in ("v1", "v2", "v3"):
            site.release(name)
            launch(name, keep=9)
        site.release("v4")
        result = launch("v4", keep=keep)
        assert set(os.listdir(site.root / "releases")) == kept
        assert result["pruned"] == sorted({"v1", "v2", "v3", "v4"} - kept)

    def test_removes_what_failed_or_was_never_finished(self, site, launch):
        site.release("v1")
        site.broken["v1"] = None
        launch("v1")
        site.release(".incoming-x", venv="unused")
        site.release("v2", venv="used")
        assert launch("v2")["pruned"] == [".incoming-x", "v1"]
        assert os.listdir(site.root / "venvs") == ["used"]

    def test_keeps_environments_that_a_kept_release_uses(self, site, launch):
        for name, venv in (("v1", "one"), ("v2", "two"), ("v3", "three")):
            site.release(name, venv=venv, subfolder="web")
            launch(name + "/web", keep=2)
        assert set(os.listdir(site.root / "venvs")) == {"two", "three"}

    def test_a_release_that_is_served_again_is_the_newest(self, site, launch):
        for name in ("v1", "v2", "v1", "v3"):
            if not (site.root / "releases" / name).exists():
                site.release(name)
            launch(name, keep=2)
        assert set(os.listdir(site.root / "releases")) == {"v1", "v3"}


@pytest.mark.parametrize("mode", [{}, CHECK], ids=["run", "check"])
def test_a_release_keeps_its_name_where_the_application_is_in_a_subfolder(mode, site, launch):
    site.release("v1", subfolder="web/app")
    launch("v1/web/app")
    result = launch("v1/web/app", **mode)
    assert (result["changed"], result["release"]) == (False, "v1")
    assert os.readlink(site.root / "current") == "releases/v1/web/app"
