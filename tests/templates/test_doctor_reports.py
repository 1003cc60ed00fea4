# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the doctor's reports are written."""

from __future__ import annotations

import pytest
import yaml
from deployments import ROLES

TASKS = yaml.safe_load((ROLES / "doctor/tasks/reports.yml").read_text(encoding="utf-8"))
PATHS = {"doctor_json": TASKS[0]["ansible.builtin.copy"]["dest"], "doctor_html": TASKS[1]["ansible.builtin.template"]["dest"]}


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("given, expected", [
    ("report", "{here}/report"), ("../report", "{above}/report"), ("~/report", "{home}/report"), ("/srv/report", "/srv/report"),
])
def test_a_report_is_written_where_the_user_stands(name, given, expected, evaluate, tmp_path, monkeypatch):
    here = tmp_path / "project"
    (here / "home").mkdir(parents=True)
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(here / "home"))
    template = PATHS[name].replace("{{", "").replace("}}", "")
    assert template != PATHS[name] and evaluate("doctor", template, **{name: given}) == expected.format(
        here=here, above=tmp_path, home=here / "home"
    )
