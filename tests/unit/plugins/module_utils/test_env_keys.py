# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.selfhost.flask.plugins.module_utils.flask.env_keys import (
    assigned_keys,
    compare_keys,
    demanded_keys,
    mark_managed,
)


def test_keys_are_those_with_a_value():
    text = "A=1\nexport B='x'\n# C=3\nD\nA=2\nE=\nF=''\n"
    assert assigned_keys(text) == ["A", "B"]
    assert compare_keys(text, ["A", "C"], ["A", "B", "D"]) == {"added": ["C"], "removed": [], "missing": ["D"]}


def test_keys_that_are_taken_out_will_be_gone():
    text = mark_managed("A=1\nB=1\nHAND=1\n", ["A", "B"])
    assert compare_keys(text, ["A"], ["HAND"]) == {"added": [], "removed": ["B"], "missing": []}


def test_an_example_asks_for_what_it_gives_a_value():
    text = (
        "export SECRET_KEY=change-me\nDISABLE_AUTH=\nMAIL_USERNAME=\"\"\nexport EMPTY=\nDATABASE_URL=mysql://x # why\n"
        "API_KEY=${OTHER}\nCOMPOSE_PROJECT_NAME=blog\nFLASK_DEBUG=1\nFLASK_ENV=development\nFLASK_APP=blog\n"
        "FLASK_RUN_PORT=5000\nPYTHONUNBUFFERED=1\nDOCKER_TAG=x\nFLASK_ADMIN=ana@example.com\n"
    )
    assert demanded_keys(text) == ["SECRET_KEY", "DATABASE_URL", "API_KEY", "FLASK_ADMIN"]
