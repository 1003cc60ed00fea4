"""Another Python becomes the system's, as after an upgrade of the distribution."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from machine import ROOT, Machine, wait_for
from playbook import Visitors, run, spoken
from testinfra.host import Host

INSTALL = "apt-get install -q -y --no-install-recommends python{0}"


def system_python(host: Host) -> str:
    """Such as 3.14."""
    return host.check_output("readlink /usr/bin/python3").removeprefix("python")


def environment(host: Host) -> tuple[str, str]:
    """The path of the served environment, and its Python."""
    link = host.check_output(f"readlink -f {ROOT}/current/.venv")
    answer = host.check_output(f"{link}/bin/python -c 'import sys; print(*sys.version_info[:2], sep=\".\")'")
    return link, answer


@pytest.fixture
def other_python(host: Host) -> Iterator[str]:
    """One minor version less than the system's, in its place."""
    mine = system_python(host)
    major, _, minor = mine.partition(".")
    other = f"{major}.{int(minor) - 1}"
    wait_for(lambda: host.run(INSTALL.format(other)).rc == 0, f"python{other}", seconds=180)
    host.check_output(f"ln -sfn python{other} /usr/bin/python3")
    yield other
    host.check_output(f"ln -sfn python{mine} /usr/bin/python3")


def test_update_makes_the_environment_anew(machine: Machine, host: Host, other_python: str) -> None:
    before = environment(host)
    with Visitors(machine) as visitors:
        answer = run("update.yml")
    assert answer.returncode == 0, spoken(answer)
    assert visitors.problems == []
    after = environment(host)
    assert after[0] != before[0]
    assert (before[1] != other_python, after[1]) == (True, other_python)
    assert len(visitors.seen("slot")) == 2
    assert machine.answers()


def test_next_update_goes_back_with_the_system(machine: Machine, host: Host) -> None:
    answer = run("update.yml")
    assert answer.returncode == 0, spoken(answer)
    assert environment(host)[1] == system_python(host)
    assert machine.answers()
