# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first user of a host may have any name; who logs in by hand has it in ~/.ssh/config."""

from __future__ import annotations

import getpass

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.login.configured import configured_user, configured_way, second


@pytest.fixture
def arguments(tmp_path):
    """ssh's arguments for a configuration of one host."""
    (tmp_path / "config").write_text("Host blog.example.com\n  User marta\nHost mine\n  User %s\n" % getpass.getuser())
    return "-F %s -o 'ProxyJump=gate.example.com'" % (tmp_path / "config")


@pytest.mark.parametrize("host, user", [("blog.example.com", "marta"), ("192.0.2.7", ""), ("mine", "")])
def test_the_user_of_the_ssh_configuration_is_known(host, user, arguments):
    assert configured_user(host, arguments) == user


def test_arguments_that_ssh_does_not_take_are_no_user():
    assert configured_user("blog", "-o Nonsense=yes") == configured_user("blog", "'") == ""


def test_it_is_tried_behind_who_may_be_an_administrator_already():
    assert second(["deploy", "root", "marta"], "marta") == ["deploy", "marta", "root"]
    assert second(["deploy", "root"], "") == ["deploy", "root"]


@pytest.fixture
def configuration(tmp_path):
    """ssh's arguments for a configuration in which one host is behind another one."""
    text = "Host behind\n  HostName 10.0.0.5\n  Port 2222\n  ProxyJump gate\nHost near\n  HostName 192.0.2.7\n"
    (tmp_path / "config").write_text(text)
    return "-F %s" % (tmp_path / "config")


@pytest.mark.parametrize("host, port, more, expected", [
    ("behind", 0, "", ("10.0.0.5", 2222, "gate")),
    ("behind", 22, "", ("10.0.0.5", 22, "gate")),
    ("near", 0, "", ("192.0.2.7", 22, "")),
    ("near", 0, " -J ana@gate", ("192.0.2.7", 22, "ana@gate")),
    ("near", 0, " -o ProxyCommand='ssh -W %h:%p gate'", ("192.0.2.7", 22, "ssh -W 192.0.2.7:22 gate")),
    ("near", 0, " -o ProxyCommand=none", ("192.0.2.7", 22, "")),
    ("near", 0, " -o Nonsense=yes", ("near", 22, "")),
])
def test_the_way_to_a_host_is_known(host, port, more, expected, configuration):
    found = configured_way(host, port, configuration + more)
    assert (found.host, found.port, bool(found.through)) == (*expected[:2], bool(expected[2]))
