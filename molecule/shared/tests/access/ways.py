"""Who gets into the scenario's hosts, and the playbook that decides it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from machine import ADMIN, KEY, TOP, Machine, machines
from playbook import run, spoken

PLAYBOOK = TOP / "molecule/access/converge.yml"

# All that decides who gets in, as the host itself says.
STATE_OF_HOST = """
mkdir -p /run/sshd  # behind ssh.socket, it is not there before the first login
cat /etc/ssh/sshd_config.d/00-selfhost.conf
cat /etc/systemd/system/ssh.socket.d/selfhost.conf 2>/dev/null || echo no drop-in
sha256sum /etc/ssh/ssh_host_* /etc/ssh/moduli /etc/ufw/*.rules /etc/ufw/ufw.conf /etc/default/ufw
sshd -T -C user=deploy,host=localhost,addr=127.0.0.1
ss -H -l -t -n | awk '{print $4}' | sort
systemctl is-active ssh.socket || true
ufw status verbose
iptables -w -S INPUT
cat /etc/sudoers.d/selfhost-admins-* /var/lib/selfhost/admins/* /home/*/.ssh/authorized_keys
getent group sudo
"""
# For runs whose proof fails anyway: two tries, neither of which waits long for an answer.
IMPATIENT = {"__hardening_patience": 2, "ansible_ssh_timeout": 3}


def everywhere(look: Callable[[Machine], object]) -> list:
    """The same on all hosts, at the same time."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(look, machines()))


def inside(script: str) -> list[str]:
    """What a script prints on each host."""

    def run_inside(machine: Machine) -> str:
        done = machine.inside(script)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return everywhere(run_inside)


def ways_in() -> list[str]:
    """Everything that decides who gets in."""
    return inside(STATE_OF_HOST)


def converge(**variables: object) -> subprocess.CompletedProcess[str]:
    """The playbook, with other variables."""
    return run(str(PLAYBOOK), "-e", json.dumps({"hardening_deadline": 45, **variables}))


def converged(**variables: object) -> str:
    """What a run said that had to succeed."""
    answer = converge(**variables)
    assert answer.returncode == 0, answer.stdout[-6000:] + answer.stderr
    return answer.stdout


def changed_nothing(said: str) -> bool:
    """Whether a run found every host as it should be."""
    return said.count("changed=0 ") == len(machines())


def can_log_in(machine: Machine) -> bool:
    """Whether the administrator gets in on a new connection, at the port that he had before."""
    done = machine.ssh(ADMIN, f"IdentityFile={KEY}", "BatchMode=yes", "ConnectTimeout=3")
    return done.stdout.strip() == ADMIN


def assert_taken_back(answer: subprocess.CompletedProcess[str]) -> None:
    """The run failed on each host, and said in which state it left it and what to do."""
    assert answer.returncode == 2
    for machine in machines():
        assert f"Nobody could log in to {machine.name} with the new configuration" in spoken(answer)
        assert "The host has its old configuration again" in spoken(answer)
    assert "Then run the playbook again." in spoken(answer)
