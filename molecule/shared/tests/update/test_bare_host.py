"""Bad input on a bare host: it ends at once, says what to set, and leaves the host as it was."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from machine import TESTHOST, Machine, scenario_state, wait_for
from playbook import run, spoken

# Each by the variable, its value, and what the user reads. GIT stands for the git server.
LEFT_OUT = None
REFUSALS = [
    ("flask_repo", LEFT_OUT, "flask_repo is not set. Set it in the inventory."),
    ("flask_repo", "", "flask_repo is empty. Set it to the URL"),
    ("flask_repo", "GIT/nothing", "The repository GIT/nothing can't be read"),
    ("flask_version", "v99", "or commit 'v99'. Set flask_version to one that it has: v6, v5"),
    ("flask_entrypoint", "nowhere:app", "nor nowhere/__init__.py. Set flask_entrypoint to"),
    ("flask_entrypoint", "wsgi:application", "it defines app, create_app. Set flask_entrypoint to"),
    ("flask_entrypoint", "wsgi.py", "flask_entrypoint is 'wsgi.py'. Set it to 'module:name'"),
    ("flask_app", "Guest Book", "flask_app is 'Guest Book', which is no valid user name. Set it to"),
    ("flask_app", "www-data", "the name of an administrator or of something else that a host has. Set it"),
    ("flask_app", "deploy", "the name of an administrator or of something else that a host has. Set it"),
    ("flask_app", "home", "has /usr/lib/tmpfiles.d/home.conf, which no run of this collection has made. Set"),
    ("flask_admins", [], "flask_admins is empty, so nobody could log in afterwards. Name at least one"),
    ("flask_tsl", "letsencrypt", "flask_tsl is no variable of selfhost.flask. Did you mean flask_tls?"),
    ("flask_database", "oracle", "flask_database is 'oracle'. Set it to external, mysql, none, postgresql or sqlite. Nothing was changed"),
]
IDS = [f"{name}={value}" for name, value, _ in REFUSALS]
SECONDS = 60  # on a very busy machine; alone it takes three

# What is new on the host, but for logs, sessions and the message of the day: the traces of a login.
CHANGES = r"""
find / /run /tmp -xdev \( -path /proc -o -path /sys -o -path /run/systemd -o -path /run/user -o -path /var/lib/fail2ban \
    -o -path /var/log -o -path /run/log -o -path /run/utmp -o -path /run/motd.dynamic \) -prune \
    -o -newerct "@$1" ! -path /run -print | sort -u
"""
OTHER_DISTRIBUTION = 'ID=debian\nVERSION_ID="11"\nPRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\n'


def git() -> str:
    """The URL of the scenario's git server."""
    return json.loads((scenario_state() / "answer.json").read_text())["git"]


def inventory(machine: Machine, folder: Path, **changed: object) -> Path:
    """The few lines that a user writes, some of them changed."""
    repository = {"flask_app": "guestbook", "flask_repo": f"{git()}/demo", "flask_version": "v1"}
    lines = {**repository, "flask_entrypoint": "wsgi:app", **changed}
    known = {name: value for name, value in lines.items() if value is not LEFT_OUT}
    (folder / "application.yml").write_text(yaml.safe_dump({"all": {"vars": known}}))
    argv = [sys.executable, str(TESTHOST), "inventory", machine.name]
    hosts = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    (folder / "hosts.yml").write_text(hosts)
    return folder


def changes(machine: Machine, since: float) -> list[str]:
    """The paths on the host that are not as they were."""
    answer = machine.inside(CHANGES, f"{since:.6f}")
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.splitlines()


def assert_refused(machine: Machine, inventory: Path, message: str) -> None:
    """The playbook says what to set, soon, and changes nothing."""
    begin = time.time()
    answer = run("site.yml", inventory=inventory)
    assert message in spoken(answer)
    assert answer.returncode == 2
    assert time.time() - begin < SECONDS
    assert changes(machine, begin) == []


@pytest.mark.parametrize(("name", "value", "message"), REFUSALS, ids=IDS)
def test_bad_input_is_refused(
    machine: Machine, tmp_path: Path, name: str, value: object, message: str
) -> None:
    value = value.replace("GIT", git()) if isinstance(value, str) else value
    lines = inventory(machine, tmp_path, **{name: value})
    assert_refused(machine, lines, message.replace("GIT", git()))


@pytest.fixture
def other_distribution(machine: Machine) -> Iterator[None]:
    """The host calls itself a distribution that is not supported."""
    rewrite = "cp -p /usr/lib/os-release /run/os-release.kept; cat >/usr/lib/os-release"
    machine.inside(rewrite, stdin=OTHER_DISTRIBUTION)
    yield
    machine.inside("mv /run/os-release.kept /usr/lib/os-release")


@pytest.fixture
def in_use(machine: Machine) -> Iterator[None]:
    """Something else is done there, for everybody."""
    machine.inside("systemd-run -q --unit=other python3 -m http.server 8123 --directory /var/empty")
    wait_for(lambda: machine.inside("ss -Hltn | grep -q :8123").returncode == 0, "the other program")
    yield
    machine.inside("systemctl stop other")


def test_server_that_is_in_use_and_other_distribution_are_refused_at_once(
    machine: Machine, other_distribution: None, in_use: None, tmp_path: Path
) -> None:
    message = (
        f"{machine.name} is in use. This run would close the ports 8123/tcp of python3 (hardening_ports keeps them open). If "
        f"that is meant to happen, set flask_take_over to true; else take another server. {machine.name} runs debian 11, which "
        "is none of debian 12, debian 13"
    )
    assert_refused(machine, inventory(machine, tmp_path), message)


def test_change_of_the_host_would_be_seen(machine: Machine) -> None:
    begin = time.time()
    machine.inside("touch /etc/hostname")
    assert changes(machine, begin) == ["/etc/hostname"]


def test_bare_host_lets_a_password_in(machine: Machine) -> None:
    """So that the tests of a hardened host mean something."""
    assert machine.ssh_by_password("root").stdout.strip() == "root"
