# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of a host, by what its login has found, before anything is changed on it."""

from __future__ import annotations

import pytest

LOGIN = dict(
    distribution="debian", distribution_version="13", taken=[], sites=[], new=True, clock_seconds=3, unconfined="",
    room_mb={"/": 9000}, web=[], listeners=[], published=[], rules=[], used=[], blocked=[],
)
NODE = dict(protocol="tcp", port=3000, program="node")


@pytest.fixture
def said(evaluate):
    """What a host with these findings is refused for."""

    def said(take_over=False, **found):
        login = dict(LOGIN, **found)
        given = dict({name: found[name] for name in found if name.startswith("hardening_")}, __flask_login=login, flask_take_over=take_over, inventory_hostname="blog")
        checks = evaluate("flask", "__flask_host_checks", **given)
        return [" ".join(check["message"].split()) for check in checks if not check["valid"]]

    return said


def test_a_bare_host_is_asked_nothing(said):
    assert said() == []


IN_USE = dict(web=[dict(port="80", unit="apache2.service")], listeners=[NODE], rules=["-A INPUT -j REJECT"],
              used=["replace /etc/postfix/main.cf"])


def test_all_that_would_change_is_said_in_one_message(said):
    (message,) = said(**IN_USE)
    assert message == (
        "blog is in use. This run would stop apache2.service, at the ports of a web server; it would close the ports 3000/tcp "
        "of node (hardening_ports keeps them open); it would remove from the kernel what comes before the rules of this "
        "collection: -A INPUT -j REJECT; it would replace /etc/postfix/main.cf. If that is meant to happen, set "
        "flask_take_over to true; else take another server."
    )
    assert said(take_over=True, **IN_USE) == []


def test_what_a_firewall_of_somebody_elses_does_is_not_asked_about(said):
    assert said(listeners=[NODE], rules=["-A INPUT -j REJECT"], hardening_firewall_enabled=False) == []


def test_the_proxy_itself_is_no_stranger_at_its_ports(said):
    assert said(new=False, web=[dict(port="443", unit="nginx.service")]) == []


@pytest.mark.parametrize("unit", ["docker.service", "session-3.scope", "user.slice"])
@pytest.mark.parametrize("found", [dict(blocked=["There are two."]), dict(web=[dict(port="443", unit="UNIT")])])
def test_what_can_t_be_stopped_is_refused_whatever_is_said(found, unit, said):
    found = {name: [dict(one, unit=unit) if name == "web" else one for one in value] for name, value in found.items()}
    (message,) = said(take_over=True, **found)
    assert message.startswith("blog is in use. ") and ("There are two." in message or "taken by %s." % unit in message)


@pytest.mark.parametrize("found, words", [
    (dict(clock_seconds=-90000), "The clock of blog is 1500 minutes behind that of this computer"),
    (dict(clock_seconds=7200), "The clock of blog is 120 minutes ahead of that of this computer"),
    (dict(room_mb={"/": 700, "/var": 80}), "too full: / has 700 MB, /var has 80 MB free, and 1200 MB are needed"),
    (dict(room_mb={"/": 9000, "/var": 12}), "too full: /var has 12 MB free"),
    (dict(new=False, room_mb={"/": 9}), "too full: / has 9 MB free, and 50 MB are needed"),
    (dict(unconfined="lxc"), "systemd can't confine services on blog, since it runs in a container (lxc)"),
])
def test_a_host_on_which_nothing_would_work_is_refused(found, words, said):
    (message,) = said(**found)
    assert words in message


def test_a_host_with_an_application_needs_no_room_for_a_stack(said):
    assert said(new=False, room_mb={"/": 700}) == []
