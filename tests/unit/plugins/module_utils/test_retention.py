# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.backup.retention import kept, prune


def at(*hours):
    return ["2026%s0000Z" % hour for hour in hours]


DAYS = ["202601%02dT031700Z" % day for day in range(1, 32)]
MONTHS = ["2025%02d15T031700Z" % month for month in range(1, 13)]


@pytest.mark.parametrize("names, keep, left", [
    ([], {"daily": 7}, []),
    (DAYS, {"daily": 3}, DAYS[-3:]),
    (DAYS, {}, DAYS[-1:]),
    (DAYS, {"daily": 0, "weekly": 0, "monthly": 0}, DAYS[-1:]),
    (DAYS, {"weekly": 3}, ["20260118T031700Z", "20260125T031700Z", "20260131T031700Z"]),
    (MONTHS + DAYS, {"monthly": 3}, ["20251115T031700Z", "20251215T031700Z", "20260131T031700Z"]),
    (MONTHS[:2], {"daily": 7}, MONTHS[:2]),
    (at("0130T01", "0130T22", "0131T23"), {"daily": 7}, at("0130T22", "0131T23")),
    (at("0131T01", "0131T02", "0131T03"), {}, at("0131T01", "0131T02", "0131T03")),
    (["20251229T010000Z", *at("0101T01", "0105T01")], {"weekly": 2}, at("0101T01", "0105T01")),
])
def test_the_newest_of_each_day_week_and_month_stays_and_all_of_the_last_day(names, keep, left):
    assert sorted(kept(names, keep)) == left


def test_what_is_no_backup_is_never_removed(tmp_path):
    names = ["before-migration", "20260101T000000Z.old", ".20260101T000000Z.new", "20261301T000000Z", *DAYS]
    for name in names:
        (tmp_path / name).mkdir()
    assert prune(str(tmp_path), {"daily": 1}) == DAYS[:-1]
    assert sorted(os.listdir(tmp_path)) == sorted([*names[:4], DAYS[-1]])
