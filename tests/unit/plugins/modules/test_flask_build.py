# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The build of a release and what a deployment makes of it; a version that is served already is the end of both."""

from __future__ import annotations

import json
import os
import socket

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.build import pythons, services
from ansible_collections.selfhost.flask.plugins.module_utils.flask import env_file
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import Lock

CHECK = {"_ansible_check_mode": True, "_ansible_diff": True}
BOB = dict(id="bob-2", owner="bob@pc", machine="a1", process=1, started="now", reason="update to v3")


def holder(host):
    return (Lock(host.site).holder() or {}).get("id")


def test_a_version_is_built_with_all_that_it_is_served_with(build, host):
    release = build()
    assert (release["changed"], release["served"], release["launched"], release["session"]) == (True, False, False, "ana-1")
    assert os.path.exists(release["path"] + "/blog.py") and os.path.exists(release["path"] + "/.venv/bin/python")
    assert (host.root / "serve").read_text() == "run blog\n"
    assert (host.root / "shared/.env.next").read_text().startswith("PLACE=releases\nSECRET_KEY=")
    assert holder(host) == "ana-1" and host.links() == {}


def test_a_setting_comes_from_a_file_that_the_host_has_made(build, host):
    (host.root / "amqp").write_text("amqp://blog:heron4711@127.0.0.1/blog\n")
    settings = {"values": {"PLACE": "here"}, "files": {"AMQP_URL": str(host.root / "amqp")}, "generate": ["SECRET_KEY"]}
    result = build(settings=settings)
    written = (host.root / "shared/.env.next").read_text()
    assert "AMQP_URL=amqp://blog:heron4711@127.0.0.1/blog\n" in written and "PLACE=here\n" in written
    assert "heron4711" not in str(result)
    missing = build(settings=dict(settings, files={"AMQP_URL": "/nowhere/amqp"}))
    assert (missing["msg"], missing["step"]) == ("There is no /nowhere/amqp, which `selfhost.flask.site` makes. Run it.", "Write the settings to .env")


@pytest.mark.parametrize("requirements, settings, is_said", [
    ("rq==2.0\nRedis>=5\n", {}, True), ("rq==2.0\n", {"QUEUE": "redis://cache.example.com/0"}, False),
    ("redis\n", {"REDIS_HOST": "cache"}, False), ("flask\n", {}, False),
])
def test_a_redis_that_is_nowhere_is_said(requirements, settings, is_said, build, remote, warnings, monkeypatch):
    (remote.folder / "requirements.txt").write_text(requirements)
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(services, "PORT", server.getsockname()[1])
        remote.commit(blog="app = 1\n")
        build(settings={"values": settings, "generate": ["SECRET_KEY"]})
        assert not [text for text in warnings if "Redis" in text]  # one listens there
    remote.commit(blog="app = 2\n")
    build(settings={"values": settings, "generate": ["SECRET_KEY"]})
    assert bool([text for text in warnings if "set flask_services: [redis]" in text]) is is_said


def test_what_is_served_already_ends_the_deployment(update, host):
    update()
    live, links, *dummy = host.look_anew()
    again = update()
    assert (again["changed"], again["served"]) == (False, True)
    assert holder(host) is None and not [step for step in host.steps if step.startswith(("start", "stop"))]
    assert (host.state(), host.links()) == (live, links)


@pytest.mark.parametrize("other", [
    {"settings": {"values": {"PLACE": "elsewhere"}, "generate": ["SECRET_KEY"]}},
    {"files": []},
    {"serve": None},
], ids=["settings", "files", "nothing to compare with"])
def test_something_else_to_serve_is_deployed(other, update, build, host):
    update()
    if "files" in other:
        (host.root / "serve").write_text("changed by hand\n")
    again = build(**other)
    assert (again["launched"], again["served"], holder(host)) == (True, False, "ana-1")


def test_new_code_is_deployed(update, remote, host):
    update()
    remote.commit(blog="app = 2\n")
    release = update()
    assert not release["served"]
    assert host.records()[-1] == (release["id"], "served") and host.links()["current"] == release["id"]


def test_a_slot_that_is_not_well_is_left_to_the_deployment(update, build, host):
    update()
    host.servers["blue"].close()
    assert build()["served"] is False
    assert holder(host) == "ana-1"


def test_a_link_that_somebody_removed_is_made_again(update, host):
    update()
    (host.root / "current").unlink()
    again = update()
    assert (again["changed"], again["served"]) == (True, True) and "current" in host.links()


def test_a_step_that_fails_says_its_name(build):
    result = build(version="v9")
    assert "has no tag, branch or commit 'v9'" in result["msg"] and result["step"] == "Check out the version"
    result = build(settings={"values": {"no key": "1"}})
    assert result["step"] == "Write the settings to .env"
    result = build(settings={"required": ["API_TOKEN"]})
    assert "no value for API_TOKEN" in result["msg"] and result["step"] == "Write the settings to .env"


def test_a_python_that_can_not_be_had_is_refused_before_there_is_a_release(build, host, monkeypatch):
    monkeypatch.setattr(pythons, "renewed_uv", lambda module: "")
    monkeypatch.setattr(pythons, "find_uv", lambda: "/bin/echo")
    monkeypatch.setattr(pythons.Pythons, "offered", lambda self, version="": [("x", "3.12.11")] if not version else [])
    result = build(python="3.29")
    assert "It has 3.12.11." in result["msg"] and result["step"] == "Check out the version"
    assert [name for name in os.listdir(host.root / "releases") if not name.startswith(".")] == []


def test_keys_of_the_version_s_example_are_required(build, remote):
    (remote.folder / ".env.example").write_text("API_TOKEN=token\n")
    remote.commit_all()
    assert "no value for API_TOKEN" in build()["msg"]
    assert "msg" not in build(settings={"required": []})


def test_values_are_in_no_result_and_hide_nothing_of_it(build):
    values = {"PLACE": "releases", "PASSWORD": "S3cret-of-the-app", "NUMBER": 1}
    result = build(settings={"values": values}, **CHECK, version="main")
    assert "/releases/" in result["path"]
    assert "S3cret-of-the-app" not in json.dumps(result)
    assert env_file.HIDDEN in json.dumps(result["invocation"])


def test_check_mode_builds_nothing_and_takes_no_lock(build, host):
    before = sorted(str(path) for path in host.root.rglob("*"))
    result = build(**CHECK)
    assert result["changed"] and result["diff"] and holder(host) is None
    assert sorted(str(path) for path in host.root.rglob("*")) == before


def test_a_deployment_that_was_begun_before_goes_on(build, host):
    Lock(host.site).take(dict(BOB), [])
    assert build(session="bob-2", owner=BOB)["session"] == "bob-2"
    assert holder(host) == "bob-2"


def test_nothing_is_done_while_somebody_else_is_at_work(build, host):
    Lock(host.site).take(dict(BOB), [])
    assert build()["holder"]["owner"] == "bob@pc"
    assert os.listdir(host.root / "releases") == []


KEY = "not-to-be-seen"
CONFIG = {"config.py": "KEY = '%s'\n" % KEY, "conf/pi.cfg": "LED=1\n"}


def content(path, name="config.py"):
    with open(os.path.join(path, name), encoding="utf-8") as file:
        return file.read()


def test_files_of_the_users_are_part_of_the_release_and_secret(update, remote, host):
    remote.commit("config.py")
    release = update(config_files=CONFIG, _ansible_diff=True)
    for name, text in CONFIG.items():
        path = os.path.join(release["path"], name)
        assert (content(release["path"], name), oct(os.stat(path).st_mode)[-3:]) == (text, "640")
    assert KEY not in json.dumps(release) and host.links()["current"] == release["id"]
    assert update(config_files=CONFIG)["served"]


def test_the_entrypoint_may_be_in_one_of_them(update):
    files = {"wsgi.py": "from blog import app\n"}
    release = update(config_files=files, entrypoint="wsgi:app")
    assert content(release["path"], "wsgi.py") == files["wsgi.py"]


@pytest.mark.parametrize("other", [{}, {"config.py": "KEY = 2\n"}, dict(CONFIG, more="x")], ids=["none", "changed", "more"])
def test_another_content_is_another_release_and_the_old_one_keeps_its_own(other, update, host):
    first = update(config_files=CONFIG)
    second = update(config_files=other)
    assert (second["served"], second["id"]) == (False, first["id"] + "-2")
    assert content(first["path"]) == CONFIG["config.py"] and host.links()["current"] == second["id"]
    assert sorted(name for name in os.listdir(second["path"]) if name in ("config.py", "conf", "more")) == sorted(
        {name.partition("/")[0] for name in other}
    )


def test_one_that_fails_leaves_the_old_one(build, deploy, update, host):
    first = update(config_files=CONFIG)
    host.broken[first["id"] + "-2"] = dict(status=500)
    second = build(config_files={"config.py": "KEY = 2\n"})
    assert deploy(second["path"], session=second["session"])["failed"]
    assert host.links()["current"] == first["id"] and content(host.root / "current") == CONFIG["config.py"]


def test_one_at_a_shared_path_follows_what_is_served(update, build, deploy, host, runuser):
    name = "instance/blog.cfg"
    first = update(config_files={name: "A=1\n"}, shared=["instance"])
    assert content(host.root / "shared", name) == "A=1\n"
    host.broken[first["id"] + "-2"] = dict(status=500)
    second = build(config_files={name: "A=2\n"}, shared=["instance"])
    assert content(host.root / "shared", name) == "A=1\n"
    assert deploy(second["path"], session=second["session"])["failed"] and content(host.root / "shared", name) == "A=1\n"
    update(config_files={name: "A=3\n"}, shared=["instance"])
    assert content(host.root / "shared", name) == "A=3\n"


def test_a_link_of_the_repositorys_leads_no_file_elsewhere(build, remote, tmp_path):
    os.symlink(tmp_path, remote.folder / "conf")
    remote.commit("README2")
    assert "conf/pi.cfg leads out of its folder" in build(config_files=CONFIG)["msg"] and not (tmp_path / "pi.cfg").exists()
