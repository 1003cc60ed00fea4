# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the doctor makes of a site's answers."""

from __future__ import annotations

import email.message
import ssl
import time
from unittest import mock

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks import tls as doctor_tls
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks.tls import Certificate
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks.web import Reply, Web
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.findings import settle
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.target import Target
from findings import ids


def reply(status=200, text="well", seconds=0.1, **headers) -> Reply:
    message = email.message.Message()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    return Reply(status, message, text, seconds)


@pytest.fixture
def web(monkeypatch):
    """A visit, and what the host would answer."""

    def web(answer, **options):
        made = Web(Target(**dict(dict(address="192.0.2.1", domain="blog.example.com"), **options)))
        monkeypatch.setattr(made, "get", lambda path, secure=True: answer)
        return made

    return web


@pytest.mark.parametrize("answer, options, expected", [
    (reply(), {}, []),
    (reply(503), {}, ["health-error"]),
    (reply(), dict(health_text="pelican"), ["health-text"]),
    (reply(status=401), dict(health_status=(401,)), []),
    (reply(seconds=3), {}, ["health-slow"]),
    (reply(Server="nginx/1.22.1"), {}, ["server-version-shown"]),
    (reply(Server="nginx"), dict(headers=("X-Content-Type-Options",)), ["header-missing"]),
    (reply(X_Content_Type_Options="nosniff"), dict(headers=("X-Content-Type-Options",)), []),
    (reply(Date="Thu, 01 Jan 2026 00:00:00 GMT"), {}, ["clock-wrong"]),
])
def test_the_health_answer(answer, options, expected, web):
    assert ids(web(answer, **options).health()) == expected


def test_a_site_with_a_password_is_asked_with_one():
    web = Web(Target("192.0.2.1", "blog.example.com", basic_auth=("ana", "secret")))
    assert web.login(True) == {"Authorization": "Basic YW5hOnNlY3JldA=="}
    assert web.login(False) == Web(Target("192.0.2.1", "blog.example.com")).login(True) == {}


@pytest.mark.parametrize("tls, self_signed, trusted, expected", [
    ("self_signed", True, False, []),
    ("provided", True, False, ["certificate-untrusted"]),
    ("provided", True, True, []),  # this computer was told of it
    ("provided", False, False, ["certificate-untrusted"]),
    ("letsencrypt", False, True, []),
    ("letsencrypt", True, False, ["certificate-self-signed"]),
])
def test_browsers_are_not_to_warn_unless_that_was_asked_for(tls, self_signed, trusted, expected, web, monkeypatch):
    found = Certificate(("blog.example.com",), 0, time.time() + 80 * 86400, "somebody", self_signed, "f")
    context = mock.MagicMock()
    if not trusted:
        context.wrap_socket.side_effect = ssl.SSLCertVerificationError("no")
        context.wrap_socket.side_effect.verify_message = "self-signed certificate"
    monkeypatch.setattr(doctor_tls, "handshake", mock.MagicMock())
    monkeypatch.setattr(doctor_tls, "read_certificate", lambda der: found)
    monkeypatch.setattr(doctor_tls.ssl, "create_default_context", lambda: context)
    monkeypatch.setattr(doctor_tls.socket, "create_connection", mock.MagicMock())
    assert ids(settle(web(reply(), tls=tls).https())) == expected


@pytest.mark.parametrize("answer, expected", [
    (reply(301, Location="https://blog.example.com/"), []),
    (reply(308, Location="https://blog.example.com/"), []),
    (reply(200), ["http-not-redirected"]),
    (reply(301, Location="http://blog.example.com/"), ["http-not-redirected"]),
])
def test_http_leads_to_https(answer, expected, web):
    assert ids(web(answer).http()) == expected


@pytest.mark.parametrize("answer, expected", [
    (reply(ETag='"67a-1f"'), []),
    (reply(ETag='W/"67a-1f"'), []),
    (reply(403), ["static-refused"]),
    (reply(ETag='"1700000000.0-31-1234"'), ["static-not-by-proxy"]),
])
def test_static_files(answer, expected, web):
    one = web(answer)
    assert ids(one.static("/static/a.css")) == []  # where nothing answers, that is said already
    one.reply = reply()
    assert ids(one.static("/static/a.css")) == expected and ids(one.static("")) == []


PLAIN = dict(tls="none", http_port=5000, proxy="none", app="blog")


def test_without_a_proxy_the_application_is_asked_over_http_at_its_port(web):
    (finding,) = web(reply(503), **PLAIN).health()
    assert finding.what.startswith("http://blog.example.com:5000/ answers 503")


def test_a_port_that_nobody_listens_at_is_said_with_the_unit(monkeypatch):
    def refused(address, timeout):
        assert address == ("192.0.2.1", 5000)
        raise ConnectionRefusedError(111, "Connection refused")

    one = Web(Target("192.0.2.1", "blog.example.com", **PLAIN))
    monkeypatch.setattr("socket.create_connection", refused)
    (finding,) = one.health()
    assert finding.id == "health-error" and "flask-blog-listen.socket" in finding.remedy and "Connection refused" in finding.what
