"""The shipped inventory, with the test host for its Pi, and a table of the memory in the end."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from machine import SETTINGS, STATE, TESTHOST, TOP, Machine, scenario_state
from playbook import run, spoken
from used_memory import MEMORY, Watch, processes_of

PI = "raspberrypi.local"
SHIPPED = TOP / "inventories/raspberrypi/hosts.yml"
# What differs from the shipped one: another application, what a Pi of 512 MB is told, and no swap,
# which a container has not.
CHANGED = {
    **{name: SETTINGS[name] for name in ("flask_app", "flask_entrypoint", "flask_health_url", "flask_login_urls")},
    "flask_version": "v1",
    "gunicorn_workers": 1,
    "base_swap_mb": 0,
}
TABLE = pytest.StashKey[list[tuple[str, ...]]]()
LARGEST = 8  # processes in the table
HEAD = ("", "seconds", "MB of the programs", "MB with the emulator", "ended for want of memory")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TABLE] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The table, also as a file."""
    rows = [HEAD, *config.stash[TABLE]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = ["  ".join(word.ljust(width) for word, width in zip(row, widths)).rstrip() for row in rows]
    terminalreporter.section("pi: the most memory in use")
    terminalreporter.write_line("\n".join(lines))
    (scenario_state() / "memory.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="session")
def inventory(machine: Machine) -> Path:
    """The shipped one with its Pi at the test host's address."""
    known = subprocess.run([sys.executable, TESTHOST, "inventory", machine.name], check=True, capture_output=True, text=True)
    connection = yaml.safe_load(known.stdout)["all"]["hosts"][machine.name]
    del connection["ansible_user"]  # the collection finds it
    git = yaml.safe_load((scenario_state() / "answer.json").read_text())["git"]
    shipped = yaml.safe_load(SHIPPED.read_text())
    shipped["all"]["hosts"] = {PI: connection}
    shipped["all"]["vars"].update(CHANGED, flask_repo=f"{git}/demo")
    path = STATE / f"{machine.name}.yml"
    path.write_text(yaml.safe_dump(shipped))
    return path


@pytest.fixture
def play(inventory: Path) -> Callable[..., str]:
    """Runs a playbook that has to succeed; what it said."""

    def play(playbook: str, *arguments: str) -> str:
        answer = run(playbook, *arguments, inventory=inventory)
        assert answer.returncode == 0, spoken(answer)
        return spoken(answer)

    return play


@pytest.fixture
def measured(machine: Machine, request: pytest.FixtureRequest) -> Callable:
    """Watches the host's memory while a block runs: the programs have to fit."""
    table = request.config.stash[TABLE]

    @contextmanager
    def measured(what: str) -> Iterator[None]:
        start = time.monotonic()
        with Watch(machine.name) as watch:
            yield
        seconds, most, killed = f"{time.monotonic() - start:.0f}", watch.most, watch.killed
        table.append((what, seconds, f"{most.emulated:.0f}", f"{most.all:.0f}", str(killed)))
        assert killed == 0 and most.emulated < MEMORY

    return measured


@pytest.fixture
def at_rest(machine: Machine, request: pytest.FixtureRequest) -> Callable[[str], float]:
    """Notes what the host's processes have, and the largest of them; the sum in MB."""
    table = request.config.stash[TABLE]

    def at_rest(what: str) -> float:
        found = processes_of(machine.name)
        rows = [(what, sum(one.used.emulated for one in found), sum(one.used.all for one in found))]
        rows += [(f"  {one.name}", one.used.emulated, one.used.all) for one in found[:LARGEST]]
        table.extend((name, "", f"{emulated:.0f}", f"{everything:.0f}", "") for name, emulated, everything in rows)
        return rows[0][1]

    return at_rest
