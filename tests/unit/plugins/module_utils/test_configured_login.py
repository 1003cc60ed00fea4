# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first user of a host may have any name; who logs in by hand has it in ~/.ssh/config."""

from __future__ import annotations

import getpass

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.login.configured import configured_user, second


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
