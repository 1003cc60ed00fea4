"""The ways in which a run of site.yml comes to its end too early, in the middle of what it does on the host."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from machine import TESTHOST, Machine
from playbook import run, spoken
from update import Frozen, Update

SITE = "site.yml"
DATA = "/var/lib/mysql"
FIRST_RUN = 900  # the most seconds until a run of site.yml has come to its last steps

# The route to everybody but this machine is gone; nothing is known of packages, as on an image that was tidied.
CUT_OFF = """
echo 'Acquire::Retries "0";' >/etc/apt/apt.conf.d/99-once
ip route show default >/run/route
ip route del default
find /var/lib/apt/lists -type f -delete
"""
CONNECT = "rm /etc/apt/apt.conf.d/99-once; ip route add $(sed s/linkdown// /run/route)"

# A folder is a file system of its own that is too small, and later a folder again with what has come into it.
TOO_SMALL = 'mkdir -p "$1" && mount -t tmpfs -o mode=755,size=20m small "$1"'
ROOMY = 'mkdir /run/kept && cp -a "$1/." /run/kept && umount "$1" && cp -a /run/kept/. "$1" && rm -r /run/kept'


@contextmanager
def frozen(machine: Machine, module: str, point: str) -> Iterator[tuple[Frozen, Update]]:
    """A run of site.yml that has come to a point of a module's work."""
    with Frozen(machine, module, point, FIRST_RUN) as held, Update("v1", playbook=SITE) as site:
        held.until_there(site)
        yield held, site


def kill(machine: Machine, module: str, point: str) -> None:
    """The module and its children; by that, the run of the playbook fails."""
    with frozen(machine, module, point) as (held, site):
        held.tell("kill all")
        code, said = site.end()
    assert code == 2, said


def cut_the_power(machine: Machine, module: str, point: str) -> None:
    with frozen(machine, module, point) as (_, site):
        subprocess.run([sys.executable, TESTHOST, "kill", machine.name], check=True, timeout=60)
        site.kill_all()
        subprocess.run([sys.executable, TESTHOST, "start", machine.name], check=True, timeout=120)


def kill_the_playbook(machine: Machine, task: str) -> None:
    """ansible-playbook alone, when a task has begun; what is at work on the host for it comes to its end."""
    with Update("v1", playbook=SITE) as site:
        site.until_task(task)
        site.kill()


def fill_the_disk(machine: Machine, module: str, point: str) -> None:
    """MariaDB's files find no room when it is installed, which its package does not notice; killed somewhat later."""
    assert machine.inside(TOO_SMALL, DATA).returncode == 0
    kill(machine, module, point)
    assert machine.inside(f"ls {DATA}").stdout.split() != []
    done = machine.inside(ROOMY, DATA)
    assert done.returncode == 0, done.stderr


def cut_off(machine: Machine, message: str) -> None:
    """The host has no network."""
    assert machine.inside(CUT_OFF).returncode == 0
    answer = run(SITE)
    assert machine.inside(CONNECT).returncode == 0
    assert answer.returncode == 2, spoken(answer)
    assert message in spoken(answer)
