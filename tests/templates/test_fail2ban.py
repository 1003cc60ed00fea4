# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which lines of the proxy's log are failed logins, and who is never banned."""

from __future__ import annotations

import configparser
import re

import pytest
from deployments import DEPLOYMENTS

LOGIN = '192.0.2.7 - - [21/Nov/2026:13:48:00 +0000] "POST /auth/login HTTP/2.0" 200 1312 "-" "curl/8"'


def parsed(text):
    """A file of fail2ban's; it has Python's own interpolation."""
    parser = configparser.ConfigParser(interpolation=configparser.BasicInterpolation())
    parser.read_string(text)
    return parser


@pytest.fixture
def culprit(render):
    """The address that a line accuses, as fail2ban finds it: the time is cut out first."""

    def culprit(line, deployment="nasty", **given):
        filter_ = parsed(render("fail2ban", "login_filter.conf.j2", deployment, **given))["Definition"]
        date = filter_["datepattern"]
        for name, form in {"%d": r"\d+", "%b": r"\w+", "%Y": r"\d+", "%H": r"\d+", "%M": r"\d+", "%S": r"\d+",
                           "%z": r"[+-]\d+"}.items():
            date = date.replace(name, form)
        found = re.search(date, line)
        if not found:
            return None
        rest = line[: found.start(1)] + line[found.end(1):]
        failure = re.search(filter_["failregex"].replace("<HOST>", r"(?P<host>[0-9a-f.:]+)"), rest)
        return failure and failure["host"]

    return culprit


@pytest.mark.parametrize("old, new", [
    ("", ""),
    ("192.0.2.7", "2001:db8::7"),
    ("/auth/login", "/auth/login/"),
    ("/auth/login", "/auth/login?next=/x"),
    ("/auth/login", "/auth/%6cogin"),
    ("/auth/login", "/auth%2Flogin"),
    ("/auth/login", "https://blog.example.com/auth/login"),
    ("/auth/login", "/~ana/a-b.c_d"),
    ("/auth/login", "/~ana/a-b.c_d/"),
    ("200", "401"),
    ("200", "403"),
    ("200", "429"),
    ("- - [", "- a [1] [21/Nov/2026:00:00:00 +0000] b ["),
    ("HTTP/2.0", "HTTP/1.1"),
])
def test_a_failed_login_is_one_however_it_is_written(old, new, culprit):
    line = LOGIN.replace(old, new, 1) if old else LOGIN
    assert culprit(line) == line.split()[0]


@pytest.mark.parametrize("old, new", [
    ("200", "302"),
    ("200", "404"),
    ("200", "500"),
    ("POST", "GET"),
    ("/auth/login", "/auth/logins"),
    ("/auth/login", "/auth/xogin"),
    ("/auth/login", "/search?next=/auth/login"),
    ("/auth/login", "/~ana/aXb.c_d"),
    ("/auth/login", "/~ana/a-bXc_d"),
    ('"-"', '"POST /auth/login HTTP/1.1\\x22 401 "'),
])
def test_what_is_no_failed_login_is_none(old, new, culprit):
    line = LOGIN.replace(old, new, 1)
    if new.endswith('401 "'):
        line = line.replace("POST /auth/login HTTP/2.0", "GET / HTTP/2.0", 1)
    assert culprit(line) is None


def test_an_application_that_answers_200_to_a_login_can_say_so(culprit):
    assert culprit(LOGIN, fail2ban_login_statuses=[401]) is None


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_the_jails_are_read_by_the_parser(deployment, render):
    jails = parsed(render("fail2ban", "jails.conf.j2", deployment))
    assert jails["sshd"]["backend"] == "systemd"
    for name in ("banaction", "banaction_allports"):
        assert jails["sshd"][name] == 'nftables[type=custom, rule_match-custom="ct direction original"]'
    app = DEPLOYMENTS[deployment]["flask_app"]
    jail = parsed(render("fail2ban", "login_jail.conf.j2", deployment))[app + "-login"]
    assert jail["logpath"] == "/var/log/nginx/%s.access.log" % app
    assert jail["filter"] == "selfhost-%s-login" % app


@pytest.mark.parametrize("given, ignored", [
    ({}, []),
    ({"__flask_login": {"client": "192.0.2.7"}}, ["192.0.2.7"]),
    ({"__flask_login": {"client": "fe80::1%eth0"}}, ["fe80::1"]),
    ({"__flask_login": {"client": "192.0.2.7"}, "fail2ban_controller_ignored": False}, []),
    ({"flask_trusted_proxies": ["192.0.2.0/24"]}, ["192.0.2.0/24"]),
    ({"__flask_login": {"client": ""}, "fail2ban_ignored_addresses": ["10.0.0.0/8"]}, ["10.0.0.0/8"]),
])
def test_who_runs_the_playbook_is_not_banned(given, ignored, render):
    jails = parsed(render("fail2ban", "jails.conf.j2", **given))
    assert jails["DEFAULT"]["ignoreip"].split() == ["127.0.0.1/8", "::1", *ignored]


def test_only_an_application_with_a_login_has_a_jail(evaluate):
    assert evaluate("fail2ban", "__fail2ban_jails") == ["sshd"]
    assert evaluate("fail2ban", "__fail2ban_jails", flask_login_urls=["/login"]) == ["sshd", "microblog-login"]
