# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.gate import Gate

CHECK = {"_ansible_check_mode": True}


@pytest.fixture
def maintain(run, host):
    """Closes the application for something."""

    def maintain(closed, **arguments):
        return run("flask_maintenance", root=str(host.root), closed=closed, **arguments)

    return maintain


# what is closed before and after, and whether that is a change
MOVES = [
    ("nothing", "nothing", False), ("nothing", "writes", True), ("nothing", "all", True), ("writes", "writes", False),
    ("writes", "all", True), ("all", "writes", True), ("all", "all", False), ("all", "nothing", True),
]


@pytest.mark.parametrize("before, after, changed", MOVES)
def test_check_then_run_then_run_again(before, after, changed, maintain, host):
    maintain(before)
    assert maintain(after, **CHECK)["changed"] is changed
    assert Gate(host.site).closed() == before
    result = maintain(after)
    assert (result["changed"], result["closed"], Gate(host.site).closed()) == (changed, after, after)
    assert result["diff"] == {"before": "closed: %s\n" % before, "after": "closed: %s\n" % after}
    assert not maintain(after)["changed"]


def test_another_text_is_a_change(maintain, host):
    maintain("all", text="Back at noon.")
    assert maintain("all", text="Back at one.", retry_after=60)["changed"]
    assert Gate(host.site).refused("site") == b'{"retry_after": 60, "message": "Back at one."}'
