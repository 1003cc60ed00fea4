# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host is told of its backups."""

from __future__ import annotations

import pytest
from deployments import DEPLOYMENTS

SECRET = "p%4$#'\"@/ :\\w"


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
@pytest.mark.parametrize("unit, action, schedule", [
    ("backup", "make", "*-*-* 03:17:00"), ("drill", "drill", "Sun *-*-* 05:17:00"),
])
def test_the_units_run_the_program_by_their_schedules(unit, action, schedule, deployment, render):
    name = DEPLOYMENTS[deployment]["flask_app"]
    command = "ExecStart=/usr/bin/python3 -I /srv/%s/deployment/backup.pyz /srv/%s %s\n" % (name, name, action)
    assert command in render("backup", unit + ".service.j2", deployment)
    assert "OnCalendar=%s\n" % schedule in render("backup", unit + ".timer.j2", deployment)


def test_the_rule_is_made_of_numbers(evaluate):
    settings = evaluate("backup", "__backup_host_settings", backup_keep_daily=3)
    assert settings["keep"] == {"daily": 3, "weekly": 4, "monthly": 6}
    assert settings["folder"] == "/var/backups/microblog"


def test_a_repository_needs_its_program_and_keeps_its_secrets(evaluate):
    given = dict(backup_restic_repository="s3:https://s3.example.com/b", backup_restic_env={"KEY": SECRET})
    assert evaluate("backup", "__backup_restic_settings", **given)["KEY"] == SECRET
    assert evaluate("backup", "__backup_packages", **given) == ["restic"]
    assert evaluate("backup", "__backup_packages", backup_enabled=False, **given) == []
    assert evaluate("backup", "__backup_packages") == []
