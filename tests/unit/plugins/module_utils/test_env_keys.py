# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.selfhost.flask.plugins.module_utils._env_keys import assigned_keys, compare_keys


def test_keys_are_those_with_a_value():
    text = "A=1\nexport B='x'\n# C=3\nD\nA=2\n"
    assert assigned_keys(text) == ["A", "B"]
    assert compare_keys(["A"], ["A", "B"], ["A", "B", "C"]) == {"added": ["B"], "missing": ["C"]}
