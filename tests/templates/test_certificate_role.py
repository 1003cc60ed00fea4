# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host is told of its certificate."""

from __future__ import annotations

import pytest
from deployments import DEPLOYMENTS

ACME = {"flask_tls": "letsencrypt"}
TEXT = "-----BEGIN CERTIFICATE-----\nx\n"


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
    assert evaluate("tls", "__tls_packages") == ["openssl"]
    assert evaluate("tls", "__tls_packages", **ACME) == ["openssl", "certbot"]
