"""New versions of the application while visitors are about: some work and some do not."""

from __future__ import annotations

import json
import re
import time

import pytest
from machine import APP, ROOT, SETTINGS, Machine, Visitor, live_slot, wait_for
from playbook import Visitors, run, spoken
from test_bare_host import changes
from testinfra.host import Host

# Settings that come with a version, and go with one that fails.
OTHERS = {"flask_database_password": "another's", "flask_env": {**SETTINGS["flask_env"], "ADDED": "1"}}
V2_REVISION, V6_REVISION = "2b8e4c75d0f2", "6d2a7f90c5b6"


def revision(host: Host) -> str:
    """The database's."""
    return host.check_output(f"flask-{APP} db current 2>/dev/null").split()[0]


def dump(host: Host) -> str:
    """The database's content."""
    return host.check_output(f"mysqldump --skip-comments {APP}")


def served(host: Host) -> tuple[str, str, str]:
    """Everything that an update changes."""
    return live_slot(host), host.check_output(f"readlink {ROOT}/current"), revision(host)


def deploy(version: str, *arguments: str) -> tuple[int, str]:
    """Its exit code, and what it said."""
    answer = run("update.yml", "-e", f"flask_version={version}", *arguments)
    return answer.returncode, spoken(answer)


def modules(said: str) -> list[str]:
    """What was run on the host, each run of it, as Ansible tells who wants to know all."""
    return re.findall(r"Using module file \S+/(\w+)\.py", said)


def test_plan_of_an_update_changes_nothing(machine: Machine, host: Host) -> None:
    before, since = (served(host), dump(host)), time.time()
    code, said = deploy("v2", "--check", "--diff", "-e", '{"flask_env": {"API_TOKEN": "x"}}')
    assert code == 0, said
    assert "1 commit: " in said and "v2: Likes and languages" in said
    assert "1 revision pending: 2b8e4c75d0f2 Likes" in said
    assert "requirements: " in said and "API_TOKEN" in said
    assert changes(machine, since) in ([], ["/tmp"])  # where it looks at the version's source
    assert (served(host), dump(host)) == before
    assert machine.visitor().get("/healthz").json()["version"] == "v1"


def test_update_is_noticed_by_nobody(machine: Machine, host: Host, visitor: Visitor) -> None:
    slot = live_slot(host)
    post = visitor.post("/posts", data={"body": "before the update"}).json()["id"]
    with Visitors(machine) as visitors:
        code, said = deploy("v2")
    assert code == 0, said
    assert visitors.problems == []
    assert visitors.seen("version") == ["v1", "v2"]
    assert visitors.seen("slot") == [slot, live_slot(host)]
    assert len(visitors.answers) > 100
    assert revision(host) == V2_REVISION
    assert visitor.post(f"/posts/{post}/like", headers={"Accept-Language": "es"}).ok
    assert "Me gusta (1)" in visitor.get("/", headers={"Accept-Language": "es"}).text


def test_what_somebody_removed_is_made_again(machine: Machine, host: Host) -> None:
    release = host.check_output(f"readlink -f {ROOT}/current")
    host.check_output(f"rm -r {release}/.venv/lib/python3*/site-packages/itsdangerous {ROOT}/current")
    with Visitors(machine) as visitors:
        code, said = deploy("v2")
    assert code == 0, said
    assert "a file in its environment differs" in said
    assert visitors.problems == []
    assert host.check_output(f"readlink -f {ROOT}/current") == f"{release}-2"
    assert machine.answers()


@pytest.mark.parametrize(
    ("version", "problem"),
    [
        ("v4", "cannot import name 'relative_time' from 'humanize'"),
        ("v5", "/healthz answered 500"),
        ("v99", "has no tag, branch or commit 'v99'. Set flask_version to one that it has"),
    ],
)
def test_version_that_fails_is_not_served(
    machine: Machine, host: Host, version: str, problem: str
) -> None:
    before, settings = served(host), host.file(f"{ROOT}/shared/.env").content
    with Visitors(machine) as visitors:
        code, said = deploy(version, "-e", json.dumps({**OTHERS, "deployment_health_deadline": 15}))
    assert code == 2
    assert problem in said
    assert visitors.problems == []
    assert visitors.seen("version") == ["v2"]
    assert served(host) == before
    assert host.file(f"{ROOT}/shared/.env").content == settings
    assert f" FAILED {version}" in host.check_output(f"tail -n 1 /var/log/{APP}/deploy.log")


def test_the_version_before_can_still_be_started(machine: Machine, host: Host) -> None:
    host.check_output(f"supervisorctl restart {APP}-{live_slot(host)}")
    wait_for(machine.answers, "an answer", seconds=20)
    assert machine.visitor().get("/posts/count").ok


def test_next_good_version_is_served(machine: Machine, host: Host) -> None:
    with Visitors(machine) as visitors:
        code, said = deploy("v6", "-vvv")
    assert code == 0, said
    assert modules(said) == ["flask_session", "command", "flask_build", "command", "flask_deployment", "command"]
    assert visitors.problems == []
    assert visitors.seen("version") == ["v2", "v6"]
    assert revision(host) == V6_REVISION


def test_same_version_again_changes_nothing(host: Host) -> None:
    before = served(host)
    code, said = deploy("v6", "-e", '{"flask_hooks": {}}', "-vvv")
    assert code == 0, said
    assert modules(said) == ["flask_build"]
    assert "changed=0" in said
    assert served(host) == before


def test_idle_slot_has_ended(host: Host) -> None:
    states = host.run(f"supervisorctl status {APP}-blue {APP}-green").stdout
    assert (states.count("RUNNING"), states.count("STOPPED")) == (1, 1)


def test_only_the_releases_of_good_versions_are_kept(host: Host) -> None:
    kept = sorted(name.split("-")[0] for name in host.file(f"{ROOT}/releases").listdir())
    assert kept == ["v1", "v2", "v6"]
