# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks import tls as doctor_tls
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks.tls import Certificate, covers
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from findings import ids

DAY = 86400
NOW = 1_800_000_000


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
    assert ids(doctor_tls.certificate(found, tls, ["blog.example.com"], NOW)) == expected


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
    found = doctor_tls.read_certificate(made.public_bytes(serialization.Encoding.DER))
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
    assert ids(doctor_tls.versions(dict(zip(doctor_tls.VERSIONS, spoken)), profile, "show")) == expected
