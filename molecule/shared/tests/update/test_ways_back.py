"""Back to an earlier version, closed for a while, and what is said about all that."""

from __future__ import annotations

import pytest
from machine import APP, ROOT, Machine, Visitor, live_slot, wait_for
from playbook import Visitors, run, spoken
from test_new_versions import V2_REVISION, V6_REVISION, deploy, revision, served
from testinfra.host import Host

NOTES = "/root/noted-by-hooks"


def roll_back(*arguments: str) -> tuple[int, str]:
    """Its exit code, and what it said."""
    answer = run("rollback.yml", *arguments)
    return answer.returncode, spoken(answer)


def jobs(host: Host) -> list[str]:
    """What the worker has said."""
    return host.check_output(f"cat /var/log/{APP}/jobs.log").splitlines()


def noted(host: Host) -> list[str]:
    """The versions that the hooks found served, since the last time."""
    lines = host.check_output(f"cat {NOTES}; rm {NOTES}").splitlines()
    return [line.partition("-")[0] for line in lines]


def close(what: str) -> None:
    answer = run("maintenance.yml", "-e", f"flask_maintenance={what}")
    assert answer.returncode == 0, spoken(answer)


def test_rollback_that_would_lose_something_is_refused(host: Host) -> None:
    before = served(host)
    code, said = roll_back()
    assert code == 2
    assert f"downgrade: undoes {V6_REVISION} When a post was liked" in said
    assert "restore: loses what was written since" in said
    assert "Nothing was changed" in said
    assert served(host) == before


def test_rollback_with_a_downgrade_is_noticed_by_nobody(machine: Machine, host: Host) -> None:
    with Visitors(machine) as visitors:
        code, said = roll_back("-e", "flask_rollback_database=downgrade")
    assert code == 0, said
    assert visitors.problems == []
    assert visitors.seen("version") == ["v6", "v2"]
    assert revision(host) == V2_REVISION


def test_next_rollback_does_not_choose_the_release_that_was_left(host: Host) -> None:
    code, said = roll_back("--check", "--diff")
    assert code == 0, said
    assert "+release: v1-" in said


def test_rollback_to_a_copy_loses_what_came_after_it_and_nothing_else(
    host: Host, visitor: Visitor
) -> None:
    host.check_output(f"rm -f {NOTES}")
    before = visitor.get("/posts/count").json()["count"]
    code, said = deploy("v6")
    assert code == 0, said
    assert visitor.post("/posts", data={"body": "written after the migration"}).ok
    code, said = roll_back("-e", "flask_rollback_database=restore")
    assert code == 0, said
    assert visitor.get("/posts/count").json() | {"pid": "", "slot": ""} == {
        "count": before, "version": "v2", "pid": "", "slot": "",
    }
    assert revision(host) == V2_REVISION


def test_hooks_ran_at_their_points(host: Host) -> None:
    assert noted(host) == ["v2", "v2", "v6", "v2"]
    assert deploy("v4", "-e", "deployment_health_deadline=5")[0] == 2
    assert set(noted(host)) == {"v2"}


def test_worker_finishes_its_job_and_comes_back_with_the_release(host: Host) -> None:
    lines = jobs(host)
    changes = [index for index, line in enumerate(lines) if index and line[:2] != lines[index - 1][:2]]
    assert len(changes) >= 2
    for index in changes:
        assert lines[index].endswith("begins")
        assert lines[index - 1].endswith("is done")
    assert lines[-1].startswith("v2")


@pytest.mark.parametrize(("closed", "reading"), [("writes", 200), ("all", 503)])
def test_maintenance_closes_the_site_and_opens_it_again(
    visitor: Visitor, closed: str, reading: int
) -> None:
    close(closed)
    answer = visitor.post("/posts", data={"body": "too late"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "600")
    assert visitor.get("/posts/count").status_code == reading
    code, said = deploy("v2")  # asks for the health of what is closed
    assert code == 0, said
    close("nothing")
    assert visitor.post("/posts", data={"body": "in time"}).status_code == 201


def test_status_says_what_was_deployed(host: Host) -> None:
    answer = run("status.yml")
    said = spoken(answer)
    assert answer.returncode == 0, said
    assert f"serves v2-" in said and f"from the {live_slot(host)} slot" in said
    assert f"database at {V2_REVISION}" in said
    assert "rolled back" in said and "failed" in said
    log = host.check_output(f"cat /var/log/{APP}/deploy.log")
    assert "FAILED v4-" in log and "FAILED v99 " in log and "served v6-" in log


def test_release_is_not_shown_to_visitors(visitor: Visitor) -> None:
    assert "X-Release" not in visitor.get("/").headers


def test_slot_starts_again_with_the_settings_that_it_was_launched_with(
    machine: Machine, host: Host
) -> None:
    code, said = deploy("v5", "-e", '{"flask_env": {"SECRET_KEY": "another", "DATABASE_URL": "sqlite://"}}')
    assert code == 2, said
    host.check_output(f"supervisorctl restart {APP}-{live_slot(host)}")
    wait_for(machine.answers, "the slot's answer")
    assert machine.visitor().get("/posts/count").json()["version"] == "v2"
    assert host.run(f"ls {ROOT}/slots").stdout.split().count(f"{live_slot(host)}.settings") == 1
