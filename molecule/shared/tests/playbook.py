"""Runs the collection's playbooks as a user does, and visitors meanwhile."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType

import requests
from machine import TOP, Machine, wait_for

PACE = 0.05
CHILDREN = 60  # seconds for those of a killed playbook to end
TASK = re.compile(r"^TASK \[(.+)\] \**$")


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


class Update:
    """update.yml, or another playbook, in the background, read line by line."""

    def __init__(self, version: str, *arguments: str, playbook: str = "update.yml", inventory: Path | None = None) -> None:
        program = Path(sys.executable).with_name("ansible-playbook")
        inventory = inventory or Path(os.environ["MOLECULE_INVENTORY_FILE"]).parent
        wanted = ["-i", inventory, "-e", f"flask_version={version}", *arguments]
        argv = [program, TOP / "playbooks" / playbook, *wanted]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        environment.update(ANSIBLE_CONFIG=str(TOP / "ansible.cfg"), NO_COLOR="1")
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            argv, cwd=TOP, env=environment, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )

    def until_task(self, name: str) -> None:
        """Returns when a task begins."""
        for line in self.process.stdout:
            self.lines.append(line)
            found = TASK.match(line.strip())
            if found and found[1] == name:
                return
        raise AssertionError(f"no task '{name}' in\n{''.join(self.lines)}")

    def end(self, seconds: float = 180) -> tuple[int, str]:
        """Its exit code, and what it said."""
        timer = threading.Timer(seconds, self.kill_all)
        timer.start()
        self.lines += list(self.process.stdout)
        timer.cancel()
        return self.process.wait(timeout=30), " ".join("".join(self.lines).split())

    def kill(self) -> None:
        """ansible-playbook alone; its children end in their own time."""
        self.process.kill()
        self.process.wait(timeout=30)
        wait_for(lambda: not self.remaining(), "the end of the killed playbook's children", CHILDREN)

    def kill_all(self) -> None:
        """With all its children, as who closes the terminal."""
        for pid in self.remaining():
            os.kill(pid, signal.SIGKILL)

    def remaining(self) -> list[int]:
        """The processes of its session."""
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, _, _, session = path.read_text().rpartition(")")[2].split()[:4]
            except OSError:
                continue
            if int(session) == self.process.pid and state != "Z":
                found.append(int(path.parent.name))
        return found

    def __enter__(self) -> Update:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill_all()
        self.process.wait(timeout=30)
        self.process.stdout.close()


class Visitors(threading.Thread):
    """Some 20 requests a second, every other one on a new connection, until the block ends; fewer if the pace is slower."""

    def __init__(self, machine: Machine, pace: float = PACE) -> None:
        super().__init__(daemon=True)
        self.pace = pace  # seconds between two requests
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
        while not self.left.wait(self.pace):
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
