# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of a status is printed as it is."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.selfhost.flask.plugins.action import flask_status


@pytest.fixture
def say(monkeypatch):
    """What the plugin prints for an answer of the module, and what it returns."""

    def say(answer):
        shown = []
        monkeypatch.setattr(flask_status, "Display", lambda: SimpleNamespace(display=shown.append))
        task = SimpleNamespace(async_val=0, args=dict(name="blog"), check_mode=False, diff=False)
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
        made = flask_status.ActionModule(task, connection, SimpleNamespace(become_pass=None), None, None, None)
        monkeypatch.setattr(made, "_execute_module", lambda task_vars: answer)
        return shown, made.run(task_vars=dict(inventory_hostname="blog.example.com"))

    return say


def test_each_line_is_below_the_name_of_its_host(say):
    answer = dict(changed=False, table=["serves v1 from the blue slot", "blog-blue: RUNNING"])
    assert say(answer) == (["\nblog.example.com (blog)\n  serves v1 from the blue slot\n  blog-blue: RUNNING"], answer)


def test_a_module_that_failed_shows_nothing(say):
    assert say(dict(failed=True, msg="no")) == ([], dict(failed=True, msg="no"))
