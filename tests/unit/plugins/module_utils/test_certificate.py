# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a certificate says, and what is held against it."""

from __future__ import annotations

import subprocess
import time

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.certificate.certificate import (
    CertificateError,
    Facts,
    Pair,
    belongs,
    blocks,
    check,
    covers,
    facts_of,
    has_names,
    self_signed,
    without_redundant,
)

DAY = 24 * 3600
NOW = time.time() + 600
NAMES = ["blog.example.com", "*.blog.example.com"]


@pytest.fixture(scope="module")
def pair():
    return self_signed(NAMES, ["192.0.2.1", "2001:db8::1"], 90)


@pytest.fixture(scope="module")
def other():
    return self_signed(["other.example.com"], [], 90)


@pytest.mark.parametrize("pattern, name, good", [
    ("blog.example.com", "blog.example.com", True),
    ("BLOG.example.com", "blog.Example.com", True),
    ("*.example.com", "blog.example.com", True),
    ("*.example.com", "example.com", False),
    ("*.example.com", "a.blog.example.com", False),
    ("*.example.com", "*.example.com", True),
    ("*.example.com", "*.blog.example.com", False),
    ("blog.example.com", "*.example.com", False),
    ("b*.example.com", "blog.example.com", False),
    ("2001:DB8:0:0:0:0:0:1", "2001:db8::1", True),
    ("192.0.2.1", "192.0.2.11", False),
])
def test_a_wildcard_is_for_one_label(pattern, name, good):
    assert covers(pattern, name) is good


@pytest.mark.parametrize("days, left, due, late", [
    (90, 31, False, False), (90, 29, True, False), (90, 14, True, True),
    (45, 16, False, False), (45, 14, True, False), (45, 7, True, True),
    (10, 6, False, False), (10, 4, True, False),
    (6, 3.1, False, False), (6, 2.9, True, False), (6, 1.4, True, True),
    (825, 276, False, False), (825, 274, True, False), (90, -1, True, True),
])
def test_the_share_of_the_life_that_is_left_decides(days, left, due, late):
    facts = Facts((), NOW - (days - left) * DAY, NOW + left * DAY, "", "", "")
    assert (facts.is_due(NOW), facts.is_late(NOW)) == (due, late)


def test_a_self_signed_certificate_says_what_it_is(pair):
    facts = pair.facts()
    assert facts.names == ("blog.example.com", "*.blog.example.com", "192.0.2.1", "2001:db8::1")
    assert facts.life == 90 * DAY and abs(facts.not_before - NOW) < 1200
    text = subprocess.run(["openssl", "x509", "-noout", "-text"], input=pair.certificate, capture_output=True, text=True)
    assert "prime256v1" in text.stdout and "CA:FALSE" in text.stdout and facts.subject == facts.issuer


def test_a_name_that_is_too_long_for_the_subject_is_still_a_name():
    name = "a" * 60 + ".a-rather-long-domain.example.com"
    assert self_signed([name], [], 1).facts().names == (name,)


def test_names_are_compared_without_the_host_s_addresses(pair):
    facts = pair.facts()
    assert has_names(facts, list(reversed(NAMES))) and has_names(facts, NAMES + ["192.0.2.1"])
    assert not has_names(facts, NAMES[:1]) and not has_names(facts, NAMES + ["www.example.com"])


def test_a_name_is_not_asked_for_beside_a_wildcard_that_is_good_for_it():
    names = ["www.example.com", "example.com", "*.example.com", "a.www.example.com"]
    assert without_redundant(names) == ["example.com", "*.example.com", "a.www.example.com"]
    assert without_redundant(NAMES) == NAMES


def test_what_is_good_passes(pair):
    assert check(pair, ["blog.example.com", "a.blog.example.com"], NOW).fingerprint == pair.facts().fingerprint


def refusal(pair, names=("blog.example.com",), now=NOW):
    with pytest.raises(CertificateError) as raised:
        check(pair, list(names), now)
    return str(raised.value)


def test_a_key_of_another_certificate_is_refused(pair, other):
    assert belongs(pair) and not belongs(Pair(pair.certificate, other.key))
    assert "The key is not the certificate's" in refusal(Pair(pair.certificate, other.key))


def test_names_that_are_missing_are_named(pair):
    text = refusal(pair, ["blog.example.com", "www.example.com", "a.b.blog.example.com"])
    assert text.endswith("and not for www.example.com, a.b.blog.example.com. Get one for all names of the site.")


def test_dates_are_today_s(pair):
    assert refusal(pair, now=NOW + 91 * DAY).startswith("The certificate expired on ")
    assert refusal(pair, now=NOW - DAY).startswith("The certificate is not valid before ")


def test_a_chain_is_in_order(pair, other):
    text = refusal(Pair(pair.certificate + other.certificate, pair.key))
    assert "other.example.com is not the issuer of the certificate before it" in text


def test_what_is_no_certificate_or_key_says_so(pair):
    assert "no -----BEGIN CERTIFICATE-----" in refusal(Pair("x", pair.key))
    broken = pair.certificate[:100] + "*" + pair.certificate[101:]
    assert refusal(Pair(broken, pair.key)).startswith("openssl x509: ")
    assert "private key in PEM format" in refusal(Pair(pair.certificate, "x"))


def test_a_key_with_a_passphrase_is_refused(pair):
    command = ["openssl", "pkcs8", "-topk8", "-passout", "pass:secret"]
    locked = subprocess.run(command, input=pair.key, capture_output=True, text=True, check=True).stdout
    assert "passphrase" in refusal(Pair(pair.certificate, locked))


def test_the_site_s_own_is_the_first_of_a_file(pair, other):
    text = pair.certificate + other.certificate
    assert len(blocks(text)) == 2 and facts_of(text).names == pair.facts().names
