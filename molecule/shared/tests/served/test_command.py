# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application's command on the host, beside what flask itself can do."""

from __future__ import annotations

from machine import APP, wait_for
from testinfra.host import Host


def test_says_what_is_served(host: Host) -> None:
    def status() -> str:
        shown = host.check_output(f"flask-{APP} status")
        return shown if "RUNNING" in shown else ""  # supervisor says STARTING for some seconds

    shown = wait_for(status, "a program that runs")
    assert shown.startswith("serves ") and "served" in shown


def test_shows_the_logs_of_the_live_slot_the_deployments_and_the_web_server(host: Host) -> None:
    shown = host.check_output(f"flask-{APP} logs -n 1")
    live = host.check_output(f"readlink /srv/{APP}/run/live.sock").partition(".")[0]
    for name in (f"/var/log/{APP}/{live}.log", f"/var/log/{APP}/deploy.log", f"/var/log/nginx/{APP}.access.log"):
        assert f"==> {name} <==" in shown


def test_opens_the_database_as_the_application(host: Host) -> None:
    assert APP in host.check_output(f"echo 'SELECT current_user' | flask-{APP} dbshell")


def test_never_runs_in_debug_mode(host: Host) -> None:
    said = host.check_output(f"echo 'print(app.debug)' | flask-{APP} shell")
    assert "False" in said and "True" not in said
