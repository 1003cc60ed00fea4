"""New versions on PostgreSQL under load, versions that fail, a password, the way back, and what the doctor says."""

from __future__ import annotations

import json

import pytest
from machine import APP, Machine, live_slot, wait_for
from on_database import statement
from playbook import Visitors, run, spoken
from test_new_versions import V2_REVISION, V6_REVISION, deploy, revision, served
from test_ways_back import roll_back
from testinfra.host import Host
from traffic import Report, Traffic, settle

PASSWORD = "pelican4711-p%4$#'\"@/ :\\w"
LOGIN = "cd /; PGPASSWORD=%s runuser -u " + APP + " -- psql -XAtq --no-password -h /run/postgresql -c 'SELECT 1'"
SERVER = "postgresql@15-main"


def contents(host: Host) -> str:
    """All that the application has in its database, but for the marks that pg_dump makes up each time."""
    return host.check_output(f"cd /; runuser -u postgres -- pg_dump --exclude-schema=extensions {APP} | grep -v '^.\\(un\\)\\?restrict'")


def assert_nobody_noticed(report: Report, host: Host) -> None:
    """No page failed, and each post is stored, or was refused with a time for the next try."""
    assert (report.failed_gets, report.failed_posts) == (0, 0), report.get_failures + report.post_failures
    assert report.requests > 200 and report.stored > 20
    assert settle(report, set(statement(host, "SELECT body FROM posts").splitlines())) == []


def test_update_with_a_migration_is_noticed_by_nobody(machine: Machine, host: Host) -> None:
    with Traffic(machine.address, rate=40) as traffic:
        code, said = deploy("v2")
    assert code == 0, said
    assert traffic.report().versions == ["v1", "v2"]
    assert_nobody_noticed(traffic.report(), host)
    assert revision(host) == V2_REVISION


@pytest.mark.parametrize(
    ("version", "problem"),
    [
        ("v3", 'column "subject" does not exist'),
        ("v4", "cannot import name 'relative_time' from 'humanize'"),
        ("v5", "/healthz answered 500"),
    ],
)
def test_version_that_fails_is_not_served(machine: Machine, host: Host, version: str, problem: str) -> None:
    before, data = served(host), contents(host)
    with Visitors(machine) as visitors:
        code, said = deploy(version, "-e", "deployment_health_deadline=15")
    assert code == 2 and problem in said, said
    assert visitors.problems == [] and visitors.seen("version") == ["v2"]
    assert (served(host), contents(host)) == (before, data)


def test_password_comes_with_a_version_while_visitors_are_about(machine: Machine, host: Host) -> None:
    with Traffic(machine.address, rate=40) as traffic:
        code, said = deploy("v6", "-e", json.dumps({"flask_database_password": PASSWORD}))
    assert code == 0 and PASSWORD not in said, said
    assert_nobody_noticed(traffic.report(), host)
    assert revision(host) == V6_REVISION
    assert host.check_output(LOGIN, PASSWORD) == "1"
    assert "password authentication failed" in host.run(LOGIN, "another").stderr
    assert "no password supplied" in host.run(LOGIN, "").stderr


def test_rollback_to_a_copy_is_noticed_by_nobody_who_reads(machine: Machine, host: Host) -> None:
    with Visitors(machine) as visitors:
        code, said = roll_back("-e", "flask_rollback_database=restore")
    assert code == 0, said
    assert visitors.problems == [] and visitors.seen("version") == ["v6", "v2"]
    assert revision(host) == V2_REVISION
    assert host.check_output(LOGIN, PASSWORD) == "1"


def test_loads_leave_nothing_behind(host: Host) -> None:
    left = "SELECT rolname FROM pg_roles WHERE rolname LIKE '%__loader' UNION ALL SELECT nspname FROM pg_namespace " \
        "WHERE nspname LIKE '%__replaced' UNION ALL SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tableowner <> "
    assert statement(host, f"{left}'{APP}'") == ""


def test_next_run_takes_the_password_away(machine: Machine, host: Host) -> None:
    code, said = deploy("v2")
    assert code == 0, said
    assert host.check_output(LOGIN, "whatever") == "1"  # its system user is enough


def test_application_survives_a_restart_of_the_server(machine: Machine, host: Host) -> None:
    host.check_output(f"systemctl restart {SERVER}")
    wait_for(machine.answers, "an answer", seconds=20)


def test_doctor_finds_a_server_that_is_stopped_and_one_that_is_well(machine: Machine, host: Host) -> None:
    host.check_output(f"systemctl stop {SERVER}")
    answer = run("doctor.yml")
    assert answer.returncode == 2 and f"The database server {SERVER}.service is" in spoken(answer), spoken(answer)
    host.check_output(f"systemctl start {SERVER}")
    wait_for(machine.answers, "an answer", seconds=20)
    # A backup was damaged on purpose, and the server stopped.
    known = ["updates-pending", "slot-restarted", "drill-failed", "journal-errors"]
    answer = run("doctor.yml", "-e", json.dumps({"doctor_ignored": known}))
    assert answer.returncode == 0 and f"({APP}) is healthy" in spoken(answer), spoken(answer)
    assert live_slot(host) in ("blue", "green")
