# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this computer can see of a host: itself, one that it can come to, and one behind another one."""

from __future__ import annotations

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.doctor import viewpoint
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.viewpoint import is_inward, is_itself, outer_address


@pytest.mark.parametrize("address, expected", [("127.0.0.1", True), ("192.0.2.1", False), ("nowhere.invalid", False)])
def test_the_host_itself_is_known_by_its_addresses(address, expected):
    assert is_itself(address) == expected


@pytest.mark.parametrize("address, expected", [
    ("10.0.0.5", True), ("100.64.0.5", True), ("fd00::5", True), ("nowhere.invalid", True), ("8.8.8.8", False), ("2606:4700::1", False),
])
def test_an_address_of_a_network_behind_something_is_known(address, expected):
    assert is_inward(address) == expected


@pytest.mark.parametrize("address, domain, open_at, expected", [
    ("10.0.0.5", "8.8.8.8", ["10.0.0.5"], "10.0.0.5"),  # ssh alone is closed to others
    ("10.0.0.5", "8.8.8.8", [], "8.8.8.8"),  # whether that answers is what the doctor looks at
    ("10.0.0.5", "10.0.0.6", [], ""),
    ("10.0.0.5", "nowhere.invalid", [], ""),
    ("8.8.8.8", "nowhere.invalid", [], "8.8.8.8"),
])
def test_the_visits_go_to_where_visitors_come(address, domain, open_at, expected, monkeypatch):
    monkeypatch.setattr(viewpoint, "answers", lambda address, port: address in open_at)
    assert outer_address(address, domain, 443) == expected
