"""Versions that change the database when they are loaded: whatever happens, nothing of that is left."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cuts import SCENARIO
from loaders import APPLICATIONS, Loader, make_inventory, serve_first_versions
from machine import TESTHOST, Machine, wait_for
from playbook import run, spoken
from update import Frozen, Update

# They take twenty minutes; two of them have MariaDB.
pytestmark = [pytest.mark.every, pytest.mark.skipif(SCENARIO != "faults", reason="the scenario faults has them")]

DEPLOYMENT = "flask_deployment"
POINTS = ["begun", "closed", "dumping", "migrating", "launching"]


def cases(steps: list[str]) -> list:
    """All applications with all steps."""
    return [pytest.param(name, step, id=f"{name}-{step}") for name in APPLICATIONS for step in steps]


@pytest.fixture(scope="session")
def inventory(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """v1 of all of them is served."""
    found = make_inventory(machine, tmp_path_factory.mktemp("loaders"))
    serve_first_versions(machine, found)
    return found


@pytest.fixture
def loader(request: pytest.FixtureRequest, machine: Machine, inventory: Path) -> Iterator[Loader]:
    """v1 of one is served before and after, without a read that failed, and with all that is in its database."""
    found = Loader(machine, request.param, inventory)
    before = found.content()
    assert before.count("of the first version") == 5
    with found:
        yield found
        found.settle()
        found.leave()
    assert found.problems == []
    assert {answer["version"] for answer in found.seen} == {"v1"} and len(found.seen) > 5
    assert found.content() == before


@pytest.mark.parametrize(("loader", "version"), cases(["broken", "unhealthy"]), indirect=["loader"])
def test_version_that_changes_its_data_when_it_is_loaded_fails(loader: Loader, version: str) -> None:
    answer = loader.update(version)
    assert answer.returncode == 2, spoken(answer)
    assert "The database is as it was." in spoken(answer)
    assert loader.entry()["outcome"] == "failed"


@pytest.mark.parametrize(("loader", "point"), cases(POINTS), indirect=["loader"])
def test_module_is_killed_when_a_version_changes_its_data_when_it_is_loaded(loader: Loader, point: str) -> None:
    with Frozen(loader.machine, DEPLOYMENT, point, app=loader.name) as frozen:
        with Update("slow", "--limit", loader.name, inventory=loader.inventory) as update:
            frozen.until_there(update)
            frozen.tell("kill all")
            code, said = update.end()
    assert code == 2, said


@pytest.mark.parametrize("name", APPLICATIONS)
def test_power_is_lost_when_a_version_changes_its_data_when_it_is_loaded(
    machine: Machine, inventory: Path, name: str
) -> None:
    loader = Loader(machine, name, inventory)
    before = loader.content()
    with Frozen(machine, DEPLOYMENT, "migrating", app=name) as frozen:
        with Update("slow", "--limit", name, inventory=inventory) as update:
            frozen.until_there(update)
            subprocess.run([sys.executable, TESTHOST, "kill", machine.name], check=True, timeout=60)
            update.kill_all()
            subprocess.run([sys.executable, TESTHOST, "start", machine.name], check=True, timeout=120)
    wait_for(loader.answers, "an answer after the outage", seconds=60)
    loader.settle()
    assert loader.content() == before


def test_a_good_version_follows(machine: Machine, inventory: Path) -> None:
    """As if nothing had been; what it changed unasked is said of the one that has no migrations."""
    answer = run("update.yml", "-e", "flask_version=v2", "-e", "flask_confirm=all", inventory=inventory)
    assert answer.returncode == 0, spoken(answer)
    assert "the table likes is new. A copy of the database from before is /var/backups/seed/before-migration/" in spoken(answer)
    for name in APPLICATIONS:
        loader = Loader(machine, name, inventory)
        assert loader.entry()["outcome"] == "served" and loader.entry()["version"] == "v2"
        assert loader.content().count("of the first version") == 5
