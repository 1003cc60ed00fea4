# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import time

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.certificate import keeper, store
from ansible_collections.selfhost.flask.plugins.module_utils.certificate.certificate import (
    CertificateError,
    self_signed,
)
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from tls_host import TlsHost

NAMES = ["blog.example.com", "www.example.com"]


@pytest.fixture
def host(tmp_path, monkeypatch):
    found = TlsHost(tmp_path, monkeypatch)
    monkeypatch.setattr(keeper.Keeper.__init__, "__defaults__", (found.places, time.time))
    return found


@pytest.fixture
def certificate(host, run):
    """Runs the module for the host's application."""

    def certificate(state="present", **given):
        return run("flask_certificate", **{"state": state, "name": "blog", "root": str(host.root), **given})

    return certificate


def test_a_certificate_is_made_once(host, certificate):
    result = certificate(names=NAMES)
    assert result["changed"] and set(NAMES) <= set(result["names"])
    assert result["diff"]["before"] == "" and "www.example.com" in result["diff"]["after"]
    assert not certificate(names=NAMES)["changed"]


def test_check_mode_makes_none(host, certificate):
    assert certificate(names=NAMES, _ansible_check_mode=True)["changed"]
    assert not os.path.exists(host.places.certificates) and os.listdir(host.root / "deployment") == []
    certificate(names=NAMES)
    assert not certificate(names=NAMES, _ansible_check_mode=True)["changed"]
    assert certificate(names=NAMES[:1], _ansible_check_mode=True)["changed"]


def test_check_mode_foresees_what_is_asked_for(host, certificate):
    assert certificate("issued", _ansible_check_mode=True)["changed"]
    about = dict(origin="letsencrypt", names=NAMES, acme={"server": "https://acme.example.com", "check": False})
    certificate(**about)
    assert certificate("issued", _ansible_check_mode=True)["changed"] and host.asked() == []
    assert certificate("issued")["changed"] and host.asked()
    assert not certificate("issued", _ansible_check_mode=True)["changed"] and not certificate("issued")["changed"]


def test_the_program_and_its_settings_are_brought_up_to_date(host, certificate):
    certificate(names=NAMES)
    own = host.root / "deployment"
    assert {name: oct((own / name).stat().st_mode)[-3:] for name in os.listdir(own)} == {
        "certificate.pyz": "600", "certificate.json": "600",
    }
    assert json.loads((own / "certificate.json").read_text())["names"] == NAMES
    (own / "certificate.pyz").write_text("older")
    assert certificate(names=NAMES)["changed"] and not certificate(names=NAMES)["changed"]


@pytest.mark.usefixtures("strict_umask")
def test_a_proxy_can_enter_where_challenges_and_certificates_are(host, certificate):
    (host.root / "deployment").rmdir()
    host.root.rmdir()
    certificate(names=NAMES)
    folders = {"state": "755", "state/acme": "755", "state/tls": "755", "ssl": "755", "ssl/blog": "755", "srv/blog": "755", "srv/blog/deployment": "700"}
    assert {name: oct((host.folder / name).stat().st_mode)[-3:] for name in folders} == folders


def test_what_is_provided_is_checked_without_a_host(host, certificate):
    pair = self_signed(NAMES[:1], [], 90)
    given = dict(origin="provided", certificate=pair.certificate, key=pair.key)
    assert not certificate("checked", names=NAMES[:1], **given)["changed"]
    result = certificate("checked", names=NAMES, **given)
    assert result["failed"] and result["msg"].endswith("and not for www.example.com. Get one for all names of the site.")
    assert "PRIVATE KEY" not in json.dumps(result)
    assert os.listdir(host.root / "deployment") == []


def test_what_is_provided_and_bad_changes_nothing(host, certificate):
    certificate(names=NAMES)
    told = (host.root / "deployment/certificate.json").read_text()
    pair = self_signed(["other.example.com"], [], 90)
    assert certificate(origin="provided", names=NAMES, certificate=pair.certificate, key=pair.key)["failed"]
    assert (host.root / "deployment/certificate.json").read_text() == told


@pytest.fixture
def unit(host, monkeypatch):
    """systemd, whose unit runs the program; what it was told."""
    told = []

    def run(argv):
        told.append(argv)
        try:
            keeper.Keeper(str(host.root), keeper.read_settings(str(host.root))).keep()
        except CertificateError as error:
            raise CommandError("the unit has failed") from error

    monkeypatch.setattr(keeper, "run", run)
    return told


DNS = dict(origin="letsencrypt", names=["*.example.com"], acme={"server": "https://acme.example.com", "dns": True})


def test_challenges_by_dns_are_tried_where_the_timer_runs_them(host, certificate, unit):
    certificate(**DNS)
    assert certificate("issued")["changed"] and "--manual-auth-hook" in host.asked()
    assert not certificate("issued")["changed"]
    assert unit == [["systemctl", "start", "flask-blog-certificate.service"]]


def test_a_hook_that_fails_in_the_unit_fails_the_task(host, certificate, unit):
    (host.fake / "problem").write_text("Hook ran with error output: HOME: parameter not set\n")
    certificate(**DNS)
    message = certificate("issued")["msg"]
    assert "HOME: parameter not set\nIt was asked for by flask-blog-certificate.service" in message


def test_a_unit_that_says_nothing_is_named(host, certificate):
    (host.fake / "refusal").write_text("Unit not found.")
    certificate(**DNS)
    message = certificate("issued")["msg"]
    assert "Unit not found." in message and "`journalctl -u flask-blog-certificate.service`" in message


def test_challenges_by_http_are_asked_for_at_once(certificate, unit):
    certificate(**{**DNS, "names": NAMES, "acme": {"server": "https://acme.example.com", "check": False}})
    assert certificate("issued")["changed"] and unit == []


def test_a_refusal_is_the_message(host, certificate):
    (host.fake / "problem").write_text("Detail: too many certificates\n")
    certificate(origin="letsencrypt", names=NAMES, acme={"server": "https://acme.example.com", "check": False})
    result = certificate("issued")
    assert result["failed"] and "Detail: too many certificates" in result["msg"]


def test_a_certificate_that_is_served_needs_no_second_run(host, certificate, monkeypatch):
    served = []
    monkeypatch.setattr(store.Proxy, "served", lambda self, name: served[0])
    about = dict(names=NAMES, services=["nginx"])
    assert not certificate(**about)["settled"]  # it was made just now
    served.append(host.keeper().store.facts().fingerprint)
    assert certificate(**about)["settled"]
    served[0] = "of another one, which the proxy has loaded before"
    assert not certificate(**about)["settled"]


def test_what_an_acme_server_is_asked_for_is_looked_at_each_time(host, certificate):
    certificate(**DNS)
    assert not certificate(**DNS)["settled"]


def test_what_another_installation_had_is_borrowed_without_a_proxy_being_told(host, certificate):
    assert certificate("borrowed", certificate="x", key="y")["failed"]
    certificate(names=NAMES, origin="letsencrypt", services=["nginx"], acme=dict(server="https://acme.example.com/directory"))
    pair = self_signed(NAMES, [], 9)
    given = dict(certificate=pair.certificate, key=pair.key)
    assert certificate("borrowed", _ansible_check_mode=True, **given)["changed"]
    result = certificate("borrowed", **given)
    assert result["changed"] and pair.key not in str(result)
    assert "failed" in certificate("borrowed", certificate=pair.certificate)
