# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks import dns
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks.dns import Names
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.target import Target

ADDRESSES = {"blog.example.com": ["192.0.2.1"], "www.example.com": ["198.51.100.7"], "192.0.2.1": ["192.0.2.1"]}


def test_names_lead_to_the_host(monkeypatch):
    monkeypatch.setattr(dns, "resolved", lambda name: ADDRESSES.get(name, []))
    aliases = ("www.example.com", "old.example.com", "intranet", "*.example.com")
    one = Names(Target("192.0.2.1", "blog.example.com", aliases))
    assert [finding.subject for finding in one.unresolved()] == ["old.example.com"]


@pytest.fixture
def one(monkeypatch):
    """Somebody outside, who knows which certificate is served at an address, and is told the addresses of a name."""
    made = Names(Target("192.0.2.1", "blog.example.com"))
    made.served, made.found = {}, {"192.0.2.1": ["192.0.2.1"]}
    monkeypatch.setattr(dns, "resolved", lambda name: made.found.get(name, []))
    monkeypatch.setattr(made, "digest", lambda address, name: made.served.get(address, ""))
    return made


HOST = dict(addresses=["192.0.2.1", "2001:db8::1"], fingerprint="f")


@pytest.mark.parametrize("found, facts, served, said", [
    (["192.0.2.1"], HOST, {}, None),
    (["192.0.2.1", "2001:db8::1"], HOST, {}, None),
    (["192.0.2.1", "2001:db8::bad"], HOST, {}, "also resolves to 2001:db8::bad"),
    (["2001:db8::1", "198.51.100.7"], HOST, {}, "also resolves to 198.51.100.7"),
    (["192.0.2.1", "198.51.100.7"], HOST, {"198.51.100.7": "f"}, None),  # behind a router
    (["192.0.2.1", "198.51.100.7"], HOST, {"198.51.100.7": "loaded"}, None),  # not the one on the disk
    (["198.51.100.7", "198.51.100.8"], HOST, {"198.51.100.7": "g"}, "198.51.100.7, 198.51.100.8, and not to this host"),
    (["192.0.2.1", "2001:db8::1"], {}, {}, None),  # nobody could log in, so it may be the host's own
    (["198.51.100.7"], {}, {}, "198.51.100.7, and not to this host"),
    (["198.51.100.7"], {}, {"198.51.100.7": "loaded"}, None),
])
def test_each_address_of_a_name_is_this_host(found, facts, served, said, one):
    one.found["blog.example.com"], one.served = found, served
    findings = list(one.elsewhere(facts, "loaded"))
    assert [finding.id for finding in findings] == (["name-elsewhere"] if said else [])
    assert all(said in finding.what for finding in findings)


def test_the_record_is_named(one):
    one.found["blog.example.com"] = ["192.0.2.1", "2001:db8::bad"]
    (finding,) = one.elsewhere(HOST)
    assert finding.subject == "blog.example.com"
    assert finding.remedy.startswith("Remove that DNS record AAAA; if")


def test_an_address_is_asked_once_and_may_be_dead(monkeypatch):
    asked = []

    def handshake(address, name):
        asked.append(address)
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(dns.tls, "handshake", handshake)
    made = Names(Target("192.0.2.1", "blog.example.com"))
    assert [made.digest("2001:db8::1", name) for name in ("blog.example.com", "www.example.com")] == ["", ""]
    assert asked == ["2001:db8::1"]
