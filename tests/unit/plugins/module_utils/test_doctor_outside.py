# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the doctor makes of both sides: what a stranger sees, and what the host says of itself."""

from __future__ import annotations

import email.message
import socket

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks import exposure as doctor_exposure
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks.tls import Certificate
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks.web import Reply
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.findings import Finding, Said
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.outside import Outside, together
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.target import Target
from findings import ids


@pytest.fixture
def one():
    """Somebody outside of a host whose name nobody asks for."""
    return Outside(Target("192.0.2.1", "blog"))


def test_a_port_that_is_open_is_said_once(one):
    one.exposure.open = {8000}
    listening = (("tcp", 8000), ("udp", 8000), ("tcp", 9))
    listeners = [dict(protocol=protocol, port=port, program="x") for protocol, port in listening]
    found = list(one.compared(dict(listeners=listeners)))
    assert [(finding.id, finding.where, finding.subject) for finding in found] == [
        ("port-listening", "inside", "8000"), ("port-listening", "inside", "9"),
    ]


@pytest.mark.parametrize("about", [dict(is_itself=True), dict(is_unseen=True)])
def test_what_is_not_seen_from_here_is_not_said(about, monkeypatch):
    """A port of the host's own looks open from the host itself, and no port does where nobody can come."""
    one = Outside(Target("192.0.2.1", "blog", **about))
    titles = [title for title, dummy in [*one.checks(), *one.after(dict(listeners=[]), [])]]
    assert not [title for title in titles if "orts" in title]
    assert bool([title for title in titles if "HTTPS" in title]) == one.target.is_itself == ("Static files" in titles)
    (found,) = one.compared(dict(listeners=[dict(protocol="tcp", port=8000, program="x")]))
    assert found.id == "port-listening" and "can't be seen from here" in found.what


def test_a_site_that_nobody_here_can_come_to_is_a_finding_of_its_own():
    assert ids(Outside(Target("10.0.0.5", "blog", is_unseen=True)).unseen()) == ["outside-unseen"]


def test_what_is_served_is_what_is_on_the_disk(one):
    one.web.certificate = Certificate(("blog",), 0, 1, "somebody", False, "f")
    assert ids(one.compared(dict(fingerprint="f"))) == []
    assert ids(one.compared(dict(fingerprint="g"))) == ["certificate-not-loaded"]
    one.web.reply = Reply(200, email.message.Message(), "well", 0.1)
    assert ids(one.compared(dict(headers=["Strict-Transport-Security"]))) == ["header-missing"]


def test_a_dead_host_is_looked_at_all_the_same(one, monkeypatch):
    def refused(address, timeout):
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", refused)
    monkeypatch.setattr(doctor_exposure, "ask", lambda *argv: Said(255, "", "Connection refused"))
    login = Finding("ssh-unreachable", "what", "remedy").described()
    findings, checks, inside = together(one, lambda: dict(findings=[login], checks=[], facts={}))
    assert set(ids(findings)) == {"https-unreachable", "http-unreachable"}
    assert inside["findings"] == [login] and len(checks) == 10


@pytest.mark.parametrize("found, asked", [
    ([], ["bob"]),
    (["disk-full"], ["bob"]),
    (["ssh-password-login"], []),
    (["ssh-password-login:Match Address 10.0.0.0/8"], ["bob"]),
])
def test_others_are_asked_about_where_the_host_itself_knows_of_no_password_login(found, asked, one, monkeypatch):
    seen = []
    monkeypatch.setattr(one.exposure, "others", lambda users: seen.extend(users) or [])
    said = [dict(zip(("id", "subject"), name.partition(":")[::2])) for name in found]
    for dummy, look in one.after(dict(guessable=["bob"]), said)[:1]:
        list(look())
    assert seen == asked


@pytest.mark.parametrize("port, asked", [(5000, ["HTTP: health, headers"]), (0, [])])
def test_without_a_proxy_nothing_is_asked_over_https(port, asked):
    one = Outside(Target("192.0.2.1", "blog", tls="none", http_port=port, proxy="none", app="blog"))
    assert [title for title, dummy in one.checks() if "HTTP" in title or "TLS" in title] == asked


@pytest.mark.parametrize("port, asked", [(5000, True), (0, False)])
def test_a_name_may_lead_to_a_proxy_elsewhere(port, asked, monkeypatch):
    one, seen = Outside(Target("192.0.2.1", "blog.example.com", tls="none", http_port=port, proxy="none", app="blog")), []
    monkeypatch.setattr(one.names, "elsewhere", lambda facts, served: seen.append(facts) or [])
    assert list(one.compared({})) == [] and bool(seen) == asked
