# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application without a web server: where it listens, who may connect, and what is refused with it."""

from __future__ import annotations

import configparser

import pytest
import yaml
from deployments import ROLES, SHOP

NONE = {"flask_web_server": "none"}
OPEN = {**NONE, "flask_listen": "0.0.0.0:5000"}
BEHIND = {**OPEN, "flask_trusted_proxies": ["192.0.2.7", "2001:db8::/32"]}


@pytest.fixture
def unit(render):
    """A unit file's sections."""

    def unit(name, **given):
        parsed = configparser.RawConfigParser(strict=False)
        parsed.optionxform = str
        parsed.read_string(render("socket", name + ".j2", **{"__socket_group": "nogroup", **given}))
        return parsed

    return unit


@pytest.fixture
def ask(evaluate):
    """What the proxy in use declares."""
    return lambda field, **given: evaluate("flask", "query('selfhost.flask.parts', '%s', kind='proxy')" % field, **given)


@pytest.mark.parametrize("given, url, opened, restricted", [
    (NONE, "http://127.0.0.1:8000", [], []),
    ({**NONE, "flask_listen": "[::1]:8000"}, "http://127.0.0.1:8000", [], []),
    (OPEN, "http://blog.example.com:5000", [5000], []),
    ({**NONE, "flask_listen": "[::]:80"}, "http://blog.example.com:80", [80], []),
    (BEHIND, "https://blog.example.com", [], ["5000/tcp from 192.0.2.7", "5000/tcp from 2001:db8::/32"]),
    ({**NONE, "flask_trusted_proxies": ["127.0.0.1"]}, "https://blog.example.com", [], []),
    ({}, "https://blog.example.com", [80, 443], []),
])
def test_the_firewall_opens_what_visitors_need(given, url, opened, restricted, ask, evaluate):
    assert evaluate("flask", "__flask_url", **given) == url
    assert evaluate("hardening", "hardening_ports", **given) == evaluate("doctor", "doctor_ports", **given) == opened
    assert ask("incoming", **given) == restricted
    assert evaluate("hardening", "__hardening_incoming", **given) == ["%d/tcp" % port for port in opened] + restricted


def test_no_web_server_is_installed_and_no_certificate_made(ask, evaluate):
    assert ask("packages", **NONE) == [] and ask("driver", **NONE) == [{"proxy": "none"}]
    assert (evaluate("flask", "__flask_tls"), evaluate("flask", "__flask_tls", **NONE)) == (True, False)
    assert ask("role", **NONE) == ["selfhost.flask.socket"]


@pytest.mark.parametrize("trusted, group", [([], "nogroup"), (["192.0.2.7"], "www-data")])
def test_the_gate_knows_by_a_group_whether_forwarded_headers_count(trusted, group, evaluate, unit):
    given = {**OPEN, "flask_trusted_proxies": trusted}
    found = evaluate("socket", "__socket_group", **given)
    service = unit("listen.service", __socket_group=found, **given)["Service"]
    assert (found, service["User"], service["Group"], service["SupplementaryGroups"]) == (group, "www-data", group, "www-data")


def test_the_socket_outlives_the_slots(unit):
    socket, service = unit("listen.socket", **OPEN), unit("listen.service", **OPEN)
    assert socket["Socket"]["ListenStream"] == "0.0.0.0:5000"
    assert service["Service"]["ExecStart"].split()[-1] == "/srv/microblog/run/live.sock"
    assert service["Unit"]["Requires"] == service["Unit"]["After"] == "flask-microblog-listen.socket"


NO_ADDRESSES = ["5000", "localhost:5000", "0.0.0.0", "0.0.0.0:0", "0.0.0.0:70000", "::1:5000", "0.0.0.0:5000\n", "[::]5000"]


@pytest.mark.parametrize("listen", NO_ADDRESSES)
def test_what_is_no_address_and_port_is_refused(listen, refusals):
    (message,) = refusals("socket", **NONE, flask_listen=listen)
    assert message.startswith("flask_listen is '%s'. Set it to an address" % listen)


@pytest.mark.parametrize("given, words", [
    ({"flask_tls": "letsencrypt"}, "flask_tls is 'letsencrypt', and flask_web_server is 'none'"),
    ({"flask_basic_auth": {"ana": "secret"}, "flask_login_urls": ["/login"]}, "flask_basic_auth and flask_login_urls would have no effect"),
    ({"flask_private_folders": ["invoices"]}, "flask_private_folders would have no effect"),
    ({"flask_web_include": "x;"}, "flask_web_include would have no effect"),
    ({"flask_noindex": True, "flask_aliases": ["www.example.com"]}, "flask_aliases and flask_noindex would have no effect"),
    ({**BEHIND, "hardening_firewall_enabled": False}, "without a firewall (hardening_firewall_enabled) anybody"),
])
def test_what_needs_a_web_server_is_refused(given, words, refusals):
    (message,) = refusals("socket", **{**NONE, **given})
    assert words in message
    assert refusals("flask", **{**NONE, **given})[-1] == message


@pytest.mark.parametrize("given", [NONE, OPEN, BEHIND, {**NONE, "flask_trusted_proxies": ["127.0.0.1"], "hardening_firewall_enabled": False}])
def test_what_can_be_meant_is_not_refused(given, refusals):
    assert refusals("socket", **given) == []


@pytest.mark.parametrize("other, refused", [({"flask_listen": "127.0.0.1:5000"}, True), ({}, False), ({"flask_listen": "0.0.0.0:5001"}, False)])
def test_each_application_of_a_host_has_a_port_of_its_own(other, refused, refusals):
    found = refusals("socket", **OPEN, __flask_neighbours=[{**SHOP, **NONE, **other}])
    assert [message[:36] for message in found] == (["flask_listen has the port 5000 for shop"[:36]] if refused else [])


def test_a_neighbour_that_says_nothing_has_the_default_port(refusals):
    default = yaml.safe_load((ROLES / "flask/defaults/main.yml").read_text())["flask_listen"]
    assert refusals("socket", **NONE, flask_listen=default, __flask_neighbours=[{**SHOP, **NONE}])[0].startswith("flask_listen has the port")


@pytest.mark.parametrize("given, found, message", [
    (NONE, "caddy.service", None),
    (OPEN, "node.service", "stop node.service"),
    (OPEN, "docker.service", "The port 5000 is taken by docker.service."),
    (OPEN, "flask-microblog-listen.service", None),
    ({}, "docker.service", "The ports 80 and 443 are taken by docker.service."),
])
def test_only_who_has_the_applications_port_is_in_the_way(given, found, message, evaluate):
    web = [] if given == NONE else [{"port": "5000", "unit": found}]  # who has other ports is not even looked for
    login = {"web": web, "used": [], "blocked": []}
    said = str(evaluate("flask", "__flask_changed_use + __flask_obstacles", **given, __flask_login=login))
    assert message in said if message else said == "[]"


@pytest.mark.parametrize("given, expected", [(NONE, (0, [])), (OPEN, (5000, [])), (BEHIND, (0, ["port-listening:5000"] * 2))])
def test_the_doctor_knows_where_to_ask_and_what_is_meant_to_be(given, expected, evaluate):
    assert (int(evaluate("doctor", "__doctor_http_port", **given)), evaluate("doctor", "__doctor_not_ours", **given)) == expected
