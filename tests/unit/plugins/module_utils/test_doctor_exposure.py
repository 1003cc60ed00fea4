# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the doctor makes of what a stranger can reach: sshd's methods, and ports."""

from __future__ import annotations

import shlex
import socket

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks import exposure
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks.exposure import Exposure
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.findings import Said
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.target import Target
from findings import ids

REFUSED = "deploy@192.0.2.1: Permission denied (%s).\n"


@pytest.mark.parametrize("said, expected", [
    (Said(255, "", REFUSED % "publickey"), []),
    (Said(255, "", REFUSED % "publickey,password"), ["ssh-password-login"]),
    (Said(255, "", REFUSED % "publickey,keyboard-interactive"), ["ssh-password-login"]),
    (Said(0, "", ""), ["ssh-password-login"]),
    (Said(255, "", "ssh: connect to host 192.0.2.1 port 22: Connection refused"), []),
    (Said(127, "", "there is no ssh here"), []),
])
def test_password_logins(said, expected, monkeypatch):
    asked = []
    monkeypatch.setattr(exposure, "ask", lambda *argv: (asked.extend(argv), said)[1])
    target = Target("192.0.2.1", "blog.example.com", ssh_port=2222, ssh_user="deploy", ssh_args="-J gate -o Nothing=x")
    assert ids(Exposure(target).ssh()) == expected
    assert "PreferredAuthentications=none" in asked and asked[-2:] == ["deploy@192.0.2.1", "true"]
    assert ["-J", "gate"] == asked[asked.index("-J"):][:2] and "Nothing=x" not in asked


@pytest.mark.parametrize("args, expected", [
    ("-J gate", "-J gate"), ("-Jgate", "-Jgate"), ("-o ProxyJump=gate -o Nothing=x", "-o ProxyJump=gate"),
    ("-oProxyCommand='nc gate 22'", "-oProxyCommand='nc gate 22'"), ("-F own.cfg -C", "-F own.cfg"), ("-o 'ProxyJump gate'",) * 2,
    ("-C", "-F none"), ("", "-F none"),
])
def test_the_way_to_the_host_is_the_inventorys(args, expected, monkeypatch):
    asked = []
    monkeypatch.setattr(exposure, "ask", lambda *argv: (asked.extend(argv), Said(255, "", ""))[1])
    assert list(Exposure(Target("192.0.2.1", "blog", ssh_args=args)).ssh()) == []
    words = shlex.split(expected)
    assert asked[asked.index("-p") - len(words): asked.index("-p")] == words and ("-F" in asked) == ("-F" in words)


@pytest.mark.parametrize("jumps, expected", [(True, []), (False, ["-F", "none"])])
def test_a_way_of_the_ssh_configuration_alone_is_used(jumps, expected, monkeypatch):
    asked = []
    monkeypatch.setattr(exposure, "ask", lambda *argv: (asked.extend(argv), Said(255, "", ""))[1])
    assert list(Exposure(Target("192.0.2.1", "blog", ssh_host="behind", ssh_jumps=jumps)).ssh()) == []
    at = asked.index("-p")
    assert asked[at - 2 : at] == (expected or asked[at - 2 : at]) and ("-F" in asked) == bool(expected)
    assert asked[-2] == "root@behind"


def test_others_are_asked_about_too_but_not_so_many_that_the_host_refuses_the_address(monkeypatch):
    asked = []
    answer = Said(255, "", REFUSED % "publickey,password")
    monkeypatch.setattr(exposure, "ask", lambda *argv: (asked.append(argv[-2]), answer)[1])
    one = Exposure(Target("192.0.2.1", "blog.example.com", ssh_user="deploy"))
    found = list(one.others(["root", "deploy", "bob", "sftp"]))
    assert sorted(asked) == ["bob@192.0.2.1", "root@192.0.2.1"] and "passwords of root" in found[0].what


def test_ports_that_should_not_be_open():
    with socket.socket() as server, socket.socket() as closed:
        server.bind(("127.0.0.1", 0))
        server.listen()
        closed.bind(("127.0.0.1", 0))
        port, other = server.getsockname()[1], closed.getsockname()[1]
        one = Exposure(Target("127.0.0.1", "blog"))
        assert [finding.subject for finding in one.ports((port, other))] == [str(port)]
        assert ids(Exposure(Target("127.0.0.1", "blog", ports=(port,))).ports((port, other))) == []
        assert one.open == {port}
