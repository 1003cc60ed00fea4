"""What the tests of a host's surroundings have in common."""

from __future__ import annotations

import pytest
from machine import Machine, machines


def host_named(name: str) -> Machine:
    """One of the scenario's hosts."""
    (machine,) = [machine for machine in machines() if machine.name == f"surroundings-{name}"]
    return machine


@pytest.fixture(scope="session")
def local() -> Machine:
    """The host on which the playbooks run."""
    return host_named("local")


@pytest.fixture(scope="session")
def behind() -> Machine:
    """The host that ssh reaches through the other one alone."""
    return host_named("behind")


@pytest.fixture(scope="session")
def gate() -> Machine:
    """The jump host."""
    return host_named("gate")


@pytest.fixture(scope="session")
def lxc() -> Machine:
    """The host that can't confine services."""
    return host_named("lxc")
