# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused before a host is touched, and what the host is told of its certificate."""

from __future__ import annotations

import pytest
from deployments import DEPLOYMENTS

ACME = {"flask_tls": "letsencrypt"}
TEXT = "-----BEGIN CERTIFICATE-----\nx\n"

# what is set, and what the message begins with
BAD = {
    "nothing provided": ({"flask_tls": "provided"}, "flask_tls is 'provided'. Set tls_certificate and tls_key"),
    "no key provided": ({"flask_tls": "provided", "tls_certificate": TEXT}, "flask_tls is 'provided'."),
    "a file that is not there": (
        {"flask_tls": "provided", "tls_certificate": TEXT, "tls_key": "none.pem"},
        "There is no file ./none.pem. Set tls_key to the path",
    ),
    "a wildcard by HTTP": ({**ACME, "flask_aliases": ["*.example.com"]}, "*.example.com has a wildcard, which is"),
    "an address": ({**ACME, "flask_domain": "192.0.2.1"}, "192.0.2.1 is an address. Set"),
    "an IPv6 address": ({**ACME, "flask_domain": "2001:db8::1"}, "2001:db8::1 is an address. Set"),
    "two servers": (
        {**ACME, "tls_acme_staging": True, "tls_acme_directory": "https://ca.example.com/d"},
        "tls_acme_staging is Let's Encrypt's, and tls_acme_directory is set to https://ca.example.com/d.",
    ),
    "a server without TLS": ({**ACME, "tls_acme_directory": "http://x/"}, "tls_acme_directory is 'http://x/'. Set it"),
}
GOOD = {
    "self-signed for an address": {"flask_domain": "192.0.2.1"},
    "names for Let's Encrypt": {**ACME, "flask_aliases": ["www.example.com"]},
    "a wildcard by DNS": {**ACME, "flask_aliases": ["*.example.com"], "tls_dns_hook": "#!/bin/sh\n"},
    "what is provided as text": {"flask_tls": "provided", "tls_certificate": TEXT, "tls_key": TEXT},
    "another server": {**ACME, "tls_acme_directory": "https://ca.example.com:8443/acme"},
    "what is for another origin": {"tls_certificate": "none.pem"},
}


@pytest.fixture
def refusals(evaluate):
    """The messages that the preflight would end with."""

    def refusals(deployment="usual", **given):
        return [check["message"] for check in evaluate("tls", "__tls_checks", deployment, **{"inventory_dir": None, **given}) if not check["valid"]]

    return refusals


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_a_valid_inventory_passes(deployment, refusals):
    assert refusals(deployment) == []


@pytest.mark.parametrize("case", GOOD)
def test_what_is_right_passes(case, refusals):
    assert refusals(**GOOD[case]) == []


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_answered_with_what_to_set(case, refusals):
    given, message = BAD[case]
    assert [text[: len(message)] for text in refusals(**given)] == [message]


@pytest.mark.parametrize("given, server", [
    ({}, "https://acme-v02.api.letsencrypt.org/directory"),
    ({"tls_acme_staging": True}, "https://acme-staging-v02.api.letsencrypt.org/directory"),
    ({"tls_acme_directory": "https://ca.example.com/d"}, "https://ca.example.com/d"),
])
def test_the_server_is_let_s_encrypt_s_unless_another_is_set(given, server, evaluate):
    assert evaluate("tls", "__tls_acme", **ACME, **given)["server"] == server


def test_a_path_is_read_beside_the_inventory_and_a_text_is_taken_as_it_is(evaluate, tmp_path):
    (tmp_path / "key.pem").write_text("a key {{ 1 + 1 }}\n")
    given = dict(flask_tls="provided", inventory_dir=str(tmp_path), tls_certificate=TEXT, tls_key="key.pem")
    texts = evaluate("tls", "__tls_texts", **given)
    assert texts == {"tls_certificate": TEXT, "tls_key": "a key {{ 1 + 1 }}"}


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_the_timer_runs_the_program(deployment, render):
    name = DEPLOYMENTS[deployment]["flask_app"]
    unit = render("tls", "certificate.service.j2", deployment)
    command = "ExecStart=/usr/bin/python3 -I /srv/%s/deployment/certificate.pyz /srv/%s renew\n" % (name, name)
    assert command in unit and "After=network-online.target nginx.service\n" in unit
    assert "RandomizedDelaySec=" in render("tls", "certificate.timer.j2", deployment)


def test_certbot_finds_its_folders_at_its_first_run(render):
    unit = render("tls", "certificate.service.j2", **ACME)
    assert "StateDirectory=letsencrypt\nLogsDirectory=letsencrypt\n" in unit
    assert "StateDirectory" not in render("tls", "certificate.service.j2")


def test_certbot_is_installed_where_it_is_needed(evaluate):
    assert evaluate("tls", "tls_packages") == ["openssl"]
    assert evaluate("tls", "tls_packages", **ACME) == ["openssl", "certbot"]
