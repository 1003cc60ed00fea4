# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the doctor makes of what a stranger sees: certificates, answers, names, ports, sshd's methods."""

from __future__ import annotations

import email.message
import socket
from datetime import datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.selfhost.flask.plugins.module_utils import _doctor_outside, _doctor_tls
from ansible_collections.selfhost.flask.plugins.module_utils._doctor import Finding, Said
from ansible_collections.selfhost.flask.plugins.module_utils._doctor_outside import Outside, Reply, Target, together
from ansible_collections.selfhost.flask.plugins.module_utils._doctor_tls import Certificate, covers

DAY = 86400
NOW = 1_800_000_000


def ids(findings) -> list:
    return [finding.id for finding in findings]


def certificate(begins=-1, ends=89, names=("blog.example.com",), self_signed=False) -> Certificate:
    return Certificate(tuple(names), NOW + begins * DAY, NOW + ends * DAY, "somebody", self_signed, "f")


CERTIFICATES = {
    "a good one": (certificate(), "letsencrypt", []),
    "an expired one": (certificate(-90, -1), "letsencrypt", ["certificate-expired"]),
    "one of tomorrow": (certificate(1, 90), "letsencrypt", ["certificate-not-yet-valid"]),
    "a fifth of its life is left": (certificate(-75, 15), "letsencrypt", ["certificate-expires-soon"]),
    "a short one in its middle": (certificate(-3, 3), "letsencrypt", []),
    "a long one with a month left": (certificate(-800, 30), "self_signed", []),
    "a long one at its end": (certificate(-800, 20), "self_signed", ["certificate-expires-soon"]),
    "another site's": (certificate(names=("shop.example.com",)), "letsencrypt", ["certificate-names"]),
    "no authority's": (certificate(self_signed=True), "letsencrypt", ["certificate-self-signed"]),
    "its own by choice": (certificate(self_signed=True), "self_signed", []),
}


@pytest.mark.parametrize("case", CERTIFICATES)
def test_certificates(case):
    found, tls, expected = CERTIFICATES[case]
    assert ids(_doctor_tls.certificate(found, tls, ["blog.example.com"], NOW)) == expected


@pytest.mark.parametrize("names, wanted, expected", [
    (("blog.example.com",), "BLOG.example.com.", True),
    (("*.example.com",), "blog.example.com", True),
    (("*.example.com",), "example.com", False),
    (("*.example.com",), "a.blog.example.com", False),
    (("*.example.com",), "*.example.com", True),
    (("192.0.2.1",), "192.0.2.1", True),
    (("2001:DB8:0:0:0:0:0:1",), "[2001:db8::1]", True),
    (("blog.example.com",), "192.0.2.1", False),
])
def test_names_of_a_certificate(names, wanted, expected):
    assert covers(names, wanted) is expected


def test_a_real_certificate_is_read():
    key, begin = ec.generate_private_key(ec.SECP256R1()), datetime(2026, 1, 2, tzinfo=timezone.utc)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "blog")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(begin).not_valid_after(begin + timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("blog"), x509.DNSName("www.blog")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    found = _doctor_tls.read_certificate(made.public_bytes(serialization.Encoding.DER))
    assert (found.names, found.ends - found.begins, found.self_signed) == (("blog", "www.blog"), 90 * DAY, True)
    assert (found.begins, found.issuer) == (begin.timestamp(), "blog")
    assert found.fingerprint == made.fingerprint(hashes.SHA256()).hex()


@pytest.mark.parametrize("spoken, profile, expected", [
    ((False, False, True, True), "intermediate", []),
    ((None, None, True, True), "intermediate", []),
    ((True, False, True, True), "intermediate", ["tls-old-version"]),
    ((False, False, True, False), "intermediate", ["tls-profile"]),
    ((False, False, True, True), "modern", ["tls-profile"]),
    ((False, False, False, True), "modern", []),
])
def test_versions_of_tls(spoken, profile, expected):
    assert ids(_doctor_tls.versions(dict(zip(_doctor_tls.VERSIONS, spoken)), profile)) == expected


def reply(status=200, text="well", seconds=0.1, **headers) -> Reply:
    message = email.message.Message()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    return Reply(status, message, text, seconds)


@pytest.fixture
def outside(monkeypatch):
    """Somebody outside, and what the host would answer him."""

    def outside(answer=None, **options):
        made = Outside(Target(**dict(dict(address="192.0.2.1", domain="blog.example.com"), **options)))
        monkeypatch.setattr(made, "get", lambda path, secure=True: answer)
        return made

    return outside


@pytest.mark.parametrize("answer, options, expected", [
    (reply(), {}, []),
    (reply(503), {}, ["health-error"]),
    (reply(), dict(health_text="pelican"), ["health-text"]),
    (reply(seconds=3), {}, ["health-slow"]),
    (reply(Server="nginx/1.22.1"), {}, ["server-version-shown"]),
    (reply(Server="nginx"), dict(headers=("X-Content-Type-Options",)), ["header-missing"]),
    (reply(X_Content_Type_Options="nosniff"), dict(headers=("X-Content-Type-Options",)), []),
    (reply(Date="Thu, 01 Jan 2026 00:00:00 GMT"), {}, ["clock-wrong"]),
])
def test_the_health_answer(answer, options, expected, outside):
    assert ids(outside(answer, **options).health()) == expected


@pytest.mark.parametrize("answer, expected", [
    (reply(301, Location="https://blog.example.com/"), []),
    (reply(308, Location="https://blog.example.com/"), []),
    (reply(200), ["http-not-redirected"]),
    (reply(301, Location="http://blog.example.com/"), ["http-not-redirected"]),
])
def test_http_leads_to_https(answer, expected, outside):
    assert ids(outside(answer).http()) == expected


@pytest.mark.parametrize("answer, expected", [
    (reply(ETag='"67a-1f"'), []),
    (reply(ETag='W/"67a-1f"'), []),
    (reply(403), ["static-refused"]),
    (reply(ETag='"1700000000.0-31-1234"'), ["static-not-by-proxy"]),
])
def test_static_files(answer, expected, outside):
    one = outside(answer)
    assert ids(one.static("/static/a.css")) == []  # where nothing answers, that is said already
    one.reply = reply()
    assert ids(one.static("/static/a.css")) == expected and ids(one.static("")) == []


REFUSED = "deploy@192.0.2.1: Permission denied (%s).\n"


@pytest.mark.parametrize("said, expected", [
    (Said(255, "", REFUSED % "publickey"), []),
    (Said(255, "", REFUSED % "publickey,password"), ["ssh-password-login"]),
    (Said(255, "", REFUSED % "publickey,keyboard-interactive"), ["ssh-password-login"]),
    (Said(0, "", ""), ["ssh-password-login"]),
    (Said(255, "", "ssh: connect to host 192.0.2.1 port 22: Connection refused"), []),
    (Said(127, "", "there is no ssh here"), []),
])
def test_password_logins(said, expected, outside, monkeypatch):
    asked = []
    monkeypatch.setattr(_doctor_outside, "ask", lambda *argv: (asked.extend(argv), said)[1])
    assert ids(outside(ssh_port=2222, ssh_user="deploy", ssh_args="-J gate -o Nothing=x").ssh()) == expected
    assert "PreferredAuthentications=none" in asked and asked[-2:] == ["deploy@192.0.2.1", "true"]
    assert ["-J", "gate"] == asked[asked.index("-J"):][:2] and "Nothing=x" not in asked


def test_ports_that_should_not_be_open():
    with socket.socket() as server, socket.socket() as closed:
        server.bind(("127.0.0.1", 0))
        server.listen()
        closed.bind(("127.0.0.1", 0))
        port, other = server.getsockname()[1], closed.getsockname()[1]
        one = Outside(Target("127.0.0.1", "blog"))
        assert [finding.subject for finding in one.ports((port, other))] == [str(port)]
        assert ids(Outside(Target("127.0.0.1", "blog", ports=(port,))).ports((port, other))) == []
        listeners = [dict(protocol="tcp", port=number, program="x") for number in (port, other)]
        assert [finding.subject for finding in one.compared(dict(listeners=listeners))] == [str(other)]


ADDRESSES = {"blog.example.com": ["192.0.2.1"], "www.example.com": ["198.51.100.7"], "192.0.2.1": ["192.0.2.1"]}


def test_names_lead_to_the_host(outside, monkeypatch):
    monkeypatch.setattr(_doctor_outside, "resolved", lambda name: ADDRESSES.get(name, []))
    one = outside(aliases=("www.example.com", "old.example.com", "intranet", "*.example.com"))
    assert [finding.subject for finding in one.names()] == ["old.example.com"]
    monkeypatch.setattr(one, "is_ours", lambda name, facts: False)
    assert [(finding.id, finding.subject) for finding in one.elsewhere({})] == [("name-elsewhere", "www.example.com")]
    assert list(one.elsewhere(dict(addresses=["198.51.100.7"]))) == []
    monkeypatch.setattr(one, "is_ours", lambda name, facts: True)
    assert list(one.elsewhere({})) == []


def test_what_is_served_is_what_is_on_the_disk(outside):
    one = outside()
    one.certificate = certificate()
    assert ids(one.compared(dict(fingerprint="f"))) == []
    assert ids(one.compared(dict(fingerprint="g"))) == ["certificate-not-loaded"]
    one.reply = reply()
    assert ids(one.compared(dict(headers=["Strict-Transport-Security"]))) == ["header-missing"]


def test_a_dead_host_is_looked_at_all_the_same(monkeypatch):
    def refused(address, timeout):
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", refused)
    monkeypatch.setattr(_doctor_outside, "ask", lambda *argv: Said(255, "", "Connection refused"))
    login = Finding("ssh-unreachable", "what", "remedy").described()
    one = Outside(Target("192.0.2.1", "blog"))
    findings, checks, inside = together(one, lambda: dict(findings=[login], checks=[], facts={}))
    assert set(ids(findings)) == {"https-unreachable", "http-unreachable"}
    assert inside["findings"] == [login] and len(checks) == 9
