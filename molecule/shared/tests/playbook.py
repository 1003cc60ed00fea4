"""Runs the collection's playbooks as a user does, and visitors meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType

import requests
from machine import TOP, Machine

PACE = 0.05


def run(
    playbook: str, *arguments: str, inventory: str | Path | None = None, collection: Path = TOP
) -> subprocess.CompletedProcess[str]:
    """One playbook on the scenario's hosts, or on those of another inventory; of this collection, or of a copy."""
    inventory = inventory or Path(os.environ["MOLECULE_INVENTORY_FILE"]).parent
    program = Path(sys.executable).with_name("ansible-playbook")
    argv = [program, collection / "playbooks" / playbook, "-i", inventory, *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment.update(ANSIBLE_CONFIG=str(TOP / "ansible.cfg"), NO_COLOR="1")
    if collection != TOP:
        environment["ANSIBLE_COLLECTIONS_PATH"] = str(collection.parents[2])
    return subprocess.run(
        argv, cwd=TOP, env=environment, capture_output=True, text=True, timeout=1800, check=False
    )


def spoken(answer: subprocess.CompletedProcess[str]) -> str:
    """What a run said, without the line breaks that the display put into it."""
    return " ".join((answer.stdout + answer.stderr).split())


class Visitors(threading.Thread):
    """Some 20 requests a second, every other one on a new connection, until the block ends."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(daemon=True)
        self.machine = machine
        self.regular = machine.visitor()
        self.left = threading.Event()
        self.answers: list[dict[str, str]] = []
        self.problems: list[str] = []

    def __enter__(self) -> Visitors:
        self.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.left.set()
        self.join(timeout=30)

    def run(self) -> None:
        while not self.left.wait(PACE):
            self.look(self.regular)
            with self.machine.visitor() as newcomer:
                self.look(newcomer)

    def look(self, visitor: requests.Session) -> None:
        """One request; anything but an answer of the application is a problem."""
        try:
            answer = visitor.get("/posts/count")
            answer.raise_for_status()
            self.answers.append(answer.json())
        except requests.RequestException as error:
            self.problems.append(str(error))

    def seen(self, what: str) -> list[str]:
        """The versions, or slots, in the order in which they first answered."""
        return list(dict.fromkeys(answer[what] for answer in self.answers))
