"""The login is found without running into sshd's and the firewall's limits, which these hosts have for once."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from machine import ADMIN, KEY, STATE, TOP, Machine, machines
from playbook import run, spoken

PLAYBOOK = TOP / "molecule/access/login.yml"
MEMORY = TOP / ".ansible/selfhost.flask"
PORT = 2222
FORGET = "echo / >/proc/net/xt_recent/DEFAULT"
# As our own drop-in has it, but for the tests' exemption.
STRICT = f"mkdir -p /run/sshd; ufw allow {PORT}/tcp; /usr/sbin/sshd -o Port={PORT} -o PidFile=/run/strict.pid"
EXEMPTION = "PerSourcePenaltyExemptList=192.0.2.1"


def find_login(hosts: Path, *arguments: str, **variables: object) -> subprocess.CompletedProcess[str]:
    """The search, by a controller that remembers nothing and has no connection open."""
    for path in MEMORY.glob("*.json"):
        path.unlink()
    variables.setdefault("ansible_control_path_dir", str(hosts.parent))
    return run(str(PLAYBOOK), "-e", json.dumps(variables), *arguments, inventory=hosts)


def is_open(machine: Machine) -> bool:
    """Whether the firewall lets a new connection to sshd in."""
    try:
        with socket.create_connection((machine.address, 22), timeout=2):
            return True
    except OSError:
        return False


@pytest.fixture
def newer() -> Machine:
    """The host with the newer sshd, which has penalties."""
    return machines()[-1]


@pytest.fixture
def hosts(newer: Machine, tmp_path: Path) -> Path:
    """An inventory with one host by six names, as whom nobody is said to log in."""
    known = f"-F none -o UserKnownHostsFile={STATE / 'hosts' / newer.name / 'known_hosts'}"
    about = {"ansible_host": newer.address, "ansible_ssh_common_args": known}
    inventory = {"all": {"hosts": {f"name{number}": dict(about) for number in range(1, 7)}}}
    path = tmp_path / "hosts.yml"
    path.write_text(yaml.safe_dump(inventory))
    return path


@pytest.fixture
def strict(newer: Machine) -> Iterator[None]:
    """An sshd at another port that spares nobody."""
    started = newer.inside(f"{STRICT} $(sshd -T | grep -qi persourcepenaltyexemptlist && echo '-o {EXEMPTION}')")
    assert started.returncode == 0, started.stderr
    yield
    newer.inside(f"kill $(cat /run/strict.pid); ufw delete allow {PORT}/tcp")


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An ssh agent with four keys that open nothing before the right one."""
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(tmp_path / "agent")], stdout=subprocess.DEVNULL)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    try:
        while not (tmp_path / "agent").exists():
            os.sched_yield()
        for number in range(4):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / f"key{number}"], check=True)
        paths = [*(str(tmp_path / f"key{number}") for number in range(4)), str(KEY)]
        subprocess.run(["ssh-add", "-q", *paths], check=True)
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.mark.usefixtures("strict", "agent")
def test_right_user_and_right_key_are_found_although_sshd_counts_what_fails(hosts: Path) -> None:
    answer = find_login(hosts, "--limit", "name1", users=["root", "pi", ADMIN], ports=[PORT], fresh=True)
    assert answer.returncode == 0, spoken(answer)
    assert f"name1 is {ADMIN}" in spoken(answer)


def test_six_names_of_one_host_are_one_login_for_its_firewall(hosts: Path, newer: Machine) -> None:
    assert newer.inside(f"ufw limit 22/tcp comment selfhost:ssh; {FORGET}").returncode == 0
    try:
        answer = find_login(hosts, "-f", "1", users=[ADMIN], fresh=True, ansible_ssh_private_key_file=str(KEY))
        assert answer.returncode == 0, spoken(answer)
        assert answer.stdout.count(f"is {ADMIN}") == 6
        assert not all(is_open(newer) for dummy in range(6))  # so that there is a limit to run into
    finally:
        newer.inside("ufw allow 22/tcp comment selfhost:ssh")
