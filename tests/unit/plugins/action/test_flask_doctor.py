# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible_collections.selfhost.flask.plugins.action import flask_doctor
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.findings import Finding
from ansible_collections.selfhost.flask.plugins.module_utils.login.configured import Way

DISK = Finding("disk-full", "It is full.", "Make room.")
SLOW = Finding("health-slow", "It is slow.", "Look.", "outside")
ARGUMENTS = dict(
    name="blog", root="/srv/blog", log="/var/log/blog", domain="blog.example.com", address="192.0.2.1", ports=[80, 443],
    ssh_port="22", seconds="2", ignored=[],
)


@pytest.fixture
def doctor(monkeypatch):
    """The plugin, with what the two sides see; what was shown and what the module was asked."""
    shown, asked = [], []

    def doctor(answer, outside=(), itself=False, **options):
        def module(module_args, task_vars):
            asked.append(module_args)
            if isinstance(answer, Exception):
                raise answer
            return answer

        def together(one, examine):
            return list(outside), [dict(title="Names", where="outside", found=[])], examine()

        monkeypatch.setattr(flask_doctor, "together", together)
        monkeypatch.setattr(flask_doctor, "resolved", lambda name: [name])
        monkeypatch.setattr(flask_doctor, "is_itself", lambda address: itself)
        monkeypatch.setattr(flask_doctor, "Display", lambda: SimpleNamespace(display=shown.append, columns=80))
        task = SimpleNamespace(async_val=0, args=dict(ARGUMENTS, **options), check_mode=False, diff=False)
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
        made = flask_doctor.ActionModule(task, connection, SimpleNamespace(), None, None, None)
        monkeypatch.setattr(made, "_execute_module", module)
        return made.run(task_vars=dict(inventory_hostname="host"))

    doctor.shown, doctor.asked = shown, asked
    return doctor


def answer(*findings, **facts):
    return dict(changed=False, findings=[one.described() for one in findings], checks=[dict(title="x", found=[])], facts=facts)


def test_both_sides_are_in_one_report(doctor):
    result = doctor(answer(DISK, slot="blue", release="v1"), [SLOW])
    assert [one["id"] for one in result["findings"]] == ["disk-full", "health-slow"]
    assert (result["changed"], result["reached"], result.get("failed")) == (False, True, None)
    assert result["counts"] == "1 critical, 1 warning" and result["facts"] == dict(slot="blue", release="v1")
    (text,) = doctor.shown
    assert "  CRITICAL  disk-full " in text and "  WARNING   health-slow " in text
    assert max(map(len, text.splitlines())) <= 80
    assert doctor.asked[0]["host"] == "blog.example.com" and "ignored" not in doctor.asked[0]


def test_a_host_that_is_well_is_one_line(doctor):
    result = doctor(answer())
    assert result["findings"] == [] and doctor.shown == ["\nhost (blog) is healthy: 2 checks, from inside and outside, found nothing."]


def test_a_look_from_the_host_itself_is_said_to_be_one(doctor):
    doctor(answer(), itself=True)
    doctor(answer(DISK), itself=True)
    assert "healthy: 2 checks found nothing. It was looked at from the host itself" in doctor.shown[0]
    assert doctor.shown[1].splitlines()[-1].startswith("It was looked at from the host itself")


@pytest.mark.parametrize("said", [
    AnsibleConnectionFailure("Connection timed out"), dict(unreachable=True, msg="Connection timed out"),
])
def test_without_a_login_the_outside_is_said(said, doctor):
    result = doctor(said, [SLOW])
    assert [one["id"] for one in result["findings"]] == ["ssh-unreachable", "health-slow"]
    assert "Connection timed out" in result["findings"][0]["what"]
    assert (result["reached"], result.get("unreachable"), result.get("failed")) == (False, None, None)


def test_a_known_problem_with_the_login_asks_no_module(doctor):
    result = doctor(answer(DISK), [], login_problem="Permission denied", login_remedy="Set ansible_user.")
    assert [one["id"] for one in result["findings"]] == ["ssh-unreachable"] and doctor.asked == []
    assert result["findings"][0]["remedy"] == "Set ansible_user."


def test_a_module_that_fails_fails_the_task(doctor):
    result = doctor(dict(failed=True, msg="no python"))
    assert result["failed"] and result["msg"] == "no python"


def test_what_is_ignored_is_not_in_the_report(doctor):
    assert doctor(answer(DISK), [SLOW], ignored=["disk-full", "health-slow"])["findings"] == []


def test_the_lock_of_a_run_that_ended_here_is_left(doctor, monkeypatch):
    holder = dict(owner="ana", reason="v2", idle=5, machine="x", process=1, started="")
    for ended, expected in ((True, "deployment-lock-left"), (False, "deployment-running")):
        monkeypatch.setattr(flask_doctor, "has_ended", lambda holder, ended=ended: ended)
        result = doctor(answer(lock=holder, lock_path="/srv/blog/deployment/lock.json"))
        assert [one["id"] for one in result["findings"]] == [expected]


def test_texts_of_templates_become_numbers(monkeypatch):
    monkeypatch.setattr(flask_doctor, "resolved", lambda name: [name])
    target = flask_doctor.target_of(dict(ARGUMENTS, aliases=["a"], seconds="1.5"))
    assert (target.ssh_port, target.seconds, target.ports, target.aliases) == (22, 1.5, (80, 443), ("a",))


@pytest.mark.parametrize("known, expected", [
    (["blog.example.com"], "blog.example.com"), (["192.0.2.1", "blog.example.com"], "192.0.2.1"), ([], "192.0.2.1"),
    (["10.0.0.5"], "10.0.0.5"), (["10.0.0.5", "blog.example.com"], "blog.example.com"),
])
def test_an_address_that_only_ssh_knows_gives_way_to_the_name(known, expected, monkeypatch):
    monkeypatch.setattr(flask_doctor, "configured_way", lambda host, port, args: WAY._replace(through=""))
    monkeypatch.setattr(flask_doctor, "resolved", lambda name: [name] if name in known else [])
    assert flask_doctor.target_of(ARGUMENTS).address == expected


WAY = Way("10.0.0.5", 2222, "gate")


@pytest.mark.parametrize("way, outer, expected", [
    (WAY, "10.0.0.5", ("10.0.0.5", False, "behind")),
    (WAY, "blog.example.com", ("blog.example.com", False, "behind")),
    (WAY, "", ("10.0.0.5", True, "behind")),
    (WAY._replace(through=""), "never asked", ("10.0.0.5", False, "10.0.0.5")),
])
def test_a_host_behind_a_jump_host_is_looked_at_where_visitors_come(way, outer, expected, monkeypatch):
    """ssh goes by the name that its configuration knows, and the visits by another one."""
    monkeypatch.setattr(flask_doctor, "resolved", lambda name: [name])
    monkeypatch.setattr(flask_doctor, "configured_way", lambda host, port, args: way)
    monkeypatch.setattr(flask_doctor, "outer_address", lambda address, domain, port: outer)
    given = dict(ARGUMENTS, address="10.0.0.5", ssh_host="behind", ssh_port="0")
    target = flask_doctor.target_of(given, "-J gate")
    assert (target.address, target.is_unseen, target.ssh_host) == expected
    assert (target.ssh_port, target.ssh_args, target.ssh_jumps) == (2222, "-J gate", bool(way.through))


def test_the_arguments_of_ssh_are_those_of_the_connection():
    """ansible.cfg may have some that are no variables."""
    options = dict(ssh_args="-F own.cfg", ssh_common_args=None, ssh_extra_args="-C")
    connection = SimpleNamespace(_load_name="ansible.builtin.ssh", get_option=options.get)
    assert flask_doctor.ssh_arguments(connection, {}).split() == ["-F", "own.cfg", "-C"]
    assert flask_doctor.ssh_arguments(SimpleNamespace(_load_name="local"), dict(ssh_args="-C")) == "-C"
