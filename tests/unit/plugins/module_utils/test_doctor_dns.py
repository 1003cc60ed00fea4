# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.selfhost.flask.plugins.module_utils import _doctor_dns
from ansible_collections.selfhost.flask.plugins.module_utils._doctor_dns import Names
from ansible_collections.selfhost.flask.plugins.module_utils._doctor_target import Target

ADDRESSES = {"blog.example.com": ["192.0.2.1"], "www.example.com": ["198.51.100.7"], "192.0.2.1": ["192.0.2.1"]}


def test_names_lead_to_the_host(monkeypatch):
    monkeypatch.setattr(_doctor_dns, "resolved", lambda name: ADDRESSES.get(name, []))
    aliases = ("www.example.com", "old.example.com", "intranet", "*.example.com")
    one = Names(Target("192.0.2.1", "blog.example.com", aliases))
    assert [finding.subject for finding in one.unresolved()] == ["old.example.com"]
    monkeypatch.setattr(one, "is_ours", lambda name, facts: False)
    assert [(finding.id, finding.subject) for finding in one.elsewhere({})] == [("name-elsewhere", "www.example.com")]
    assert list(one.elsewhere(dict(addresses=["198.51.100.7"]))) == []
    monkeypatch.setattr(one, "is_ours", lambda name, facts: True)
    assert list(one.elsewhere({})) == []
