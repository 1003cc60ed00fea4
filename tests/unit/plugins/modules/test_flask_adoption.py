# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module answers at each stage of an adoption."""

from __future__ import annotations

import getpass
import json
from types import SimpleNamespace

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.selfhost.flask.plugins.module_utils.adoption import plan as plan_module
from ansible_collections.selfhost.flask.plugins.module_utils.adoption import resting
from ansible_collections.selfhost.flask.plugins.module_utils.adoption import store as store_module
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.certificate import Legacy
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.installation import Installation
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.store import Store
from ansible_collections.selfhost.flask.plugins.module_utils.backup.store import RESERVE
from ansible_collections.selfhost.flask.plugins.module_utils.certificate.certificate import Pair
from ansible_collections.selfhost.flask.plugins.module_utils.host.foreign_programs import ForeignProgram
from ansible_collections.selfhost.flask.plugins.modules import flask_adoption

NOTED = dict(files=[], sites=[], folder="/nowhere/microblog", address=[], same_host=True)


@pytest.fixture
def adopt(tmp_path, monkeypatch, capsys):
    """What the module answers of an application without a database."""
    monkeypatch.setattr(store_module, "FOLDER", str(tmp_path / "store"))
    folder = tmp_path / "microblog"
    folder.mkdir()
    program = ForeignProgram("microblog", "systemd", "/nowhere/microblog.service", "gunicorn x", str(folder), getpass.getuser())
    found = Installation((program,), str(folder), getpass.getuser(), {"SECRET_KEY": "heron4711"})
    monkeypatch.setattr(flask_adoption, "find_installations", lambda: [found])
    moved = []
    monkeypatch.setattr(flask_adoption, "hand_over", lambda plan, store, *about: moved.append(about))

    def adopt(state="found", check=False, wishes=None, **given):
        about = dict(name="blog", state=state, wishes={"database": "none", **(wishes or {})}, **given)
        with patch_module_args({**about, "_ansible_check_mode": check}), pytest.raises(SystemExit):
            flask_adoption.main()
        return dict(json.loads(capsys.readouterr().out), moves=len(moved))

    return adopt


def test_a_look_changes_nothing_and_has_no_secret(adopt):
    said = adopt()
    assert not said["changed"] and said["obstacles"] == [] and said["managers"] == ["systemd"]
    assert "Takes over the settings SECRET_KEY." in said["lines"] and "heron4711" not in str(said)


def test_settings_are_read_apart(adopt):
    assert adopt("read")["settings"] == {"SECRET_KEY": "heron4711"}
    assert adopt("read", wishes={"given": ["SECRET_KEY"]})["settings"] == {}


def test_the_certificate_is_read_with_the_settings_and_not_shown(adopt, monkeypatch):
    legacy = plan_module.Legacy(Pair("chain", "heron4712"), "It is moved.")
    monkeypatch.setattr(plan_module, "find_legacy", lambda paths, names: legacy if names == ["blog.example.com"] else Legacy())
    said = adopt("read", wishes={"names": ["blog.example.com"]})
    assert (said["certificate"], said["key"]) == ("chain", "heron4712") and "key" not in adopt("read")
    said = adopt(wishes={"names": ["blog.example.com"]})
    assert said["notes"][-1] == "It is moved." and "heron4712" not in str(said)


def test_what_has_an_obstacle_is_not_moved(adopt):
    said = adopt("moved", program="other")
    assert said["failed"] and said["moves"] == 0
    assert adopt("moved")["moves"] == 1


def test_check_mode_moves_nothing(adopt):
    said = adopt("moved", check=True)
    assert said["changed"] and said["moves"] == 0


@pytest.mark.parametrize("stage", ["begun", "moved"])
@pytest.mark.parametrize("state", ["found", "read", "moved"])
def test_what_was_interrupted_is_started_again_first(adopt, stage, state):
    Store("blog").note(stage=stage, **NOTED)
    said = adopt(state)
    assert said["failed"] and "-e flask_adopt=back" in said["msg"] and said["moves"] == 0


def test_what_was_moved_is_not_moved_over_what_came_since(adopt):
    Store("blog").note(stage="served", **NOTED)
    assert adopt()["lines"] == ["The old installation of blog is stopped: its data was moved by an earlier run. Run -e flask_adopt=back or finish."]
    said = adopt("moved")
    assert said["failed"] and said["moves"] == 0


def test_visitors_are_noted_once(adopt):
    assert adopt("settled")["failed"]
    Store("blog").note(stage="moved", **NOTED)
    assert [adopt("settled")["changed"], adopt("settled")["changed"]] == [True, False]


def test_how_long_nobody_had_an_answer_is_by_the_old_hosts_clock(adopt, monkeypatch):
    Store("blog").note(stage="moved", stopped=1000.0, **NOTED)
    monkeypatch.setattr(flask_adoption.time, "time", lambda: 1011.25)
    assert adopt("settled")["seconds"] == 11.2


def test_the_new_ones_workers_rest_until_data_is_moved_again(adopt, tmp_path, monkeypatch):
    stopped = []
    monkeypatch.setattr(flask_adoption, "Slots", lambda site: SimpleNamespace(stop_workers=lambda: stopped.append(site.name)))
    (tmp_path / "srv/deployment").mkdir(parents=True)
    assert adopt("resting", root=str(tmp_path / "none"))["changed"] is False
    assert adopt("resting", check=True, root=str(tmp_path / "srv"))["changed"] and stopped == []
    assert [adopt("resting", root=str(tmp_path / "srv"))["changed"] for dummy in range(2)] == [True, False]
    assert stopped == ["blog"] and (tmp_path / "srv/gate/workers.closed").exists()


def test_the_new_ones_jobs_are_stopped_and_no_boot_starts_them(adopt, tmp_path, monkeypatch):
    monkeypatch.setattr(flask_adoption, "Slots", lambda site: SimpleNamespace(stop_workers=lambda: None))
    monkeypatch.setattr(resting, "UNITS", str(tmp_path) + "/")
    told, wants = [], tmp_path / "timers.target.wants"
    states = {"mails": ["activating", "failed"], "clean": ["failed"], "queue": ["activating", "inactive"]}
    states = {"flask-blog.%s.service" % name: given for name, given in states.items()}
    for folder in (tmp_path / "srv/deployment", tmp_path / "srv/gate", wants):
        folder.mkdir(parents=True)
    (tmp_path / "srv/gate/workers.closed").write_text("{}")  # an update that was interrupted has left it
    for name in ("blog.mails", "blog.clean", "blog.queue", "blog2.mails"):
        (tmp_path / ("flask-%s.timer" % name)).touch()
        (wants / ("flask-%s.timer" % name)).symlink_to("../flask-%s.timer" % name)

    def run(argv):
        told.append(" ".join(argv[1:]))
        for path in wants.glob("flask-blog.*") if argv[1] == "disable" else ():
            path.unlink()
        return states[argv[-1]].pop(0).encode() if argv[1] == "show" else b""

    monkeypatch.setattr(resting, "run", run)
    assert adopt("resting", check=True, root=str(tmp_path / "srv"))["changed"] and told == []
    assert adopt("resting", root=str(tmp_path / "srv"))["changed"]
    assert [one for one in told if not one.startswith("show ")] == [
        "disable --quiet --now flask-blog.clean.timer flask-blog.mails.timer flask-blog.queue.timer",
        "stop flask-blog.mails.service", "reset-failed flask-blog.mails.service", "stop flask-blog.queue.service",
    ]
    assert adopt("resting", root=str(tmp_path / "srv"))["changed"] is False


@pytest.mark.parametrize("state, said", [
    ("returned", "nothing to start again"),
    ("absent", "an earlier run with -e flask_adopt=finish has removed it"),
    ("packed", "was not moved from this host, or"),
])
def test_what_was_never_moved_is_neither_started_nor_removed(adopt, state, said):
    assert said in adopt(state)["msg"]


@pytest.mark.parametrize("same_host, megabytes", [(True, 4), (False, 6)])
def test_the_new_host_has_room_for_the_archive_and_the_data(adopt, tmp_path, monkeypatch, same_host, megabytes):
    given = dict(archive=str(tmp_path / "none/backups"), root=str(tmp_path / "srv"), size=2 << 20)
    given["wishes"] = {"same_host": same_host}
    assert adopt("roomy", **given)["changed"] is False
    usage = SimpleNamespace(free=(megabytes << 20) + RESERVE - 1)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    assert "needs %d MB. Make room" % (megabytes + 100) in adopt("roomy", **given)["msg"]
    usage.free += 1
    assert "failed" not in adopt("roomy", **given)


def test_what_was_started_again_is_left_alone(adopt, monkeypatch):
    programs = [dict(name="web", manager="systemd", file="/nowhere/web.service", up=True, parts={})]
    Store("blog").note(stage="returned", programs=programs, **NOTED)
    monkeypatch.setattr(flask_adoption, "give_back", lambda *about: pytest.fail("it gave back what others have since"))
    monkeypatch.setattr(flask_adoption, "down", lambda store: [])
    assert adopt("returned")["changed"] is False
    monkeypatch.setattr(flask_adoption, "down", lambda store: ["web"])
    assert "web does not run any more" in adopt("returned")["msg"]
