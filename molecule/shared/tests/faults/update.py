"""An update that something happens to, the visitors meanwhile, and what is there afterwards."""

from __future__ import annotations

import hashlib
import json
import select
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import pytest
import requests
from machine import APP, TESTHOST, Machine, wait_for
from playbook import Update, Visitors, run, spoken

OLD, NEW = "2b8e4c75d0f2", "6d2a7f90c5b6"  # the revisions of v2, and of v6 and its kin
ON_HOST = Path(__file__).with_name("on_host.py").read_text()
DEADLINE = 60  # for the host to come to its senses

REFUSED = "refused before anything changed"
BY_MODULE = "taken back by the module"
BY_UNIT = "taken back by the recovery unit"
COMPLETED = "completed"
COMPLETED_BY_UNIT = "completed by the recovery unit"


def worst(step: str, *values: object) -> object:
    """A case that every run has."""
    return pytest.param(*values or (step,), id=step)


def every(step: str, *values: object) -> object:
    """A case that runs where FAULTS is all."""
    return pytest.param(*values or (step,), id=step, marks=pytest.mark.every)


def on_host(machine: Machine, *words: str) -> list[str]:
    """The command line of on_host.py."""
    return [sys.executable, str(TESTHOST), "exec", machine.name, "--", "python3", "-c", ON_HOST, *words]


class Guests(Visitors):
    """Visitors who also write: each post is stored, or they are told when to try again."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self.sent: set[str] = set()
        self.stored: list[str] = []
        self.refused = 0
        self.excused = False

    def run(self) -> None:
        """Some 12 requests a second, of which two write."""
        turn = 0
        while not self.left.wait(0.1):
            turn += 1
            self.attempt(self.look, self.regular)
            with self.machine.visitor() as newcomer:
                self.attempt(self.write if turn % 5 == 0 else self.look, newcomer)

    def attempt(self, act: Callable[[requests.Session], None], visitor: requests.Session) -> None:
        """What fails while the host is out on purpose is no problem."""
        excused, before = self.excused, len(self.problems)
        act(visitor)
        if excused or self.excused:
            del self.problems[before:]

    def write(self, visitor: requests.Session) -> None:
        body = str(uuid.uuid4())
        self.sent.add(named(body))
        try:
            answer = visitor.post("/posts", data={"body": body})
        except requests.RequestException as error:
            self.problems.append(f"POST: {error}")
            return
        if answer.status_code == 201:
            self.stored.append(named(body))
        elif answer.status_code == 503 and "Retry-After" in answer.headers:
            self.refused += 1
        else:
            self.problems.append(f"POST: {answer.status_code} {answer.text[:200]}")

    @contextmanager
    def outage(self) -> Iterator[None]:
        """The host or its database is out on purpose; what counts begins when it answers again."""
        self.excused = True
        yield
        wait_for(self.machine.answers, "an answer after the outage", seconds=DEADLINE)
        self.excused = False


class Frozen:
    """A module of an update on the host, stopped at a point of its work, until told what to do."""

    def __init__(
        self, machine: Machine, module: str, point: str, seconds: float = 5 * DEADLINE, app: str = APP
    ) -> None:
        argv = on_host(machine, "freeze", app, module, point, str(seconds))
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.expect("ready")

    def expect(self, word: str) -> None:
        said = self.process.stdout.readline().strip()
        assert said == word, f"{said} {self.process.stderr.read()}"

    def until_there(self, update: Update) -> None:
        """Returns when the module is at the point, which it has to be before the update ends."""
        while not select.select([self.process.stdout], [], [], 0.2)[0]:
            assert update.process.poll() is None, f"nothing came to that point in\n{update.end()[1]}"
        self.expect("there")

    def tell(self, order: str) -> None:
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        self.expect("done")

    def __enter__(self) -> Frozen:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.kill()  # whose own end on the host lets the module go on
        self.process.communicate(timeout=30)


class Story:
    """One fault: the visitors around it, and what is asserted in the end."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.guests = Guests(machine)
        self.state: dict = {}
        self.before = self.look(0)
        self.begin = self.fault = time.time()
        self.outcome, self.seconds = "", 0.0

    def look(self, since: float | None = None) -> dict:
        """What on_host.py says."""
        since = self.begin if since is None else since
        argv = on_host(self.machine, "state", APP, f"{since:.3f}")
        answer = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        if answer.returncode:
            raise OSError(answer.stderr[-500:])
        return json.loads(answer.stdout)

    def now(self) -> None:
        """The fault happens."""
        self.fault = time.time()

    def is_settled(self) -> bool:
        """Whether nothing is at work any more on the host."""
        self.state = self.look()
        return not self.state["busy"]

    def settle(self) -> str:
        """Waits until the host has come to an end with it; the version that is served."""
        try:
            wait_for(self.is_settled, "an end of what was begun", DEADLINE)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.state['busy']}") from None
        self.seconds = time.time() - self.fault
        return self.machine.visitor().get("/healthz").json()["version"]

    def assert_old(self) -> None:
        """Everything is as it was, and the visitors noticed nothing."""
        version = self.settle()
        self.outcome = self.how_it_was_taken_back()
        assert self.guests.problems == []
        assert version == "v2"
        assert set(self.guests.seen("version")) == {"v2"}
        assert self.state["revision"] == [OLD]
        assert self.state["links"] == self.before["links"]
        assert self.state["slots"] == self.before["slots"]
        self.assert_rows()

    def assert_new(self, version: str) -> None:
        """The change is complete, and the visitors noticed nothing but the new version."""
        assert self.settle() == version
        by_unit = "completed the change" in self.state["recovery"]
        self.outcome = COMPLETED_BY_UNIT if by_unit else COMPLETED
        assert self.guests.problems == []
        assert set(self.guests.seen("version")) == {"v2", version}
        assert self.state["revision"] == [NEW]
        live, current = self.state["links"]
        slot = live.removesuffix(".sock")
        assert list(self.state["slots"]) == [slot]
        assert f"/{current}/" in f"{self.state['slots'][slot]}/"
        self.assert_rows()

    def assert_either(self, version: str) -> None:
        """Complete, or as it was."""
        if self.settle() == version:
            self.assert_new(version)
        else:
            self.assert_old()

    def assert_rows(self) -> None:
        """Every row that was there, and every one that a visitor was told is stored; no other."""
        stored, count, rows = set(self.guests.stored), len(self.before["rows"]), self.look()["rows"]
        assert checksum(rows[:count]) == checksum(self.before["rows"])
        later = rows[count:]
        assert stored <= set(later) <= self.guests.sent
        assert len(later) == len(set(later))

    def how_it_was_taken_back(self) -> str:
        if "took back the change" in self.state["recovery"]:
            return BY_UNIT
        entry = self.state["entry"]
        begun = self.state["entries"] > self.before["entries"] and "from" in entry
        return BY_MODULE if begun and entry["outcome"] == "failed" else REFUSED

    def assert_next_update_converges(self) -> None:
        """A good version with a pending migration is served, as if nothing had been."""
        if self.state["revision"] == [NEW]:
            go_back()
        before = len(self.guests.problems)
        answer = run("update.yml", "-e", "flask_version=v6")
        assert answer.returncode == 0, spoken(answer)
        assert "failed=0" in spoken(answer)
        assert self.settle_quietly() == "v6"
        assert self.guests.problems[before:] == []
        assert self.state["revision"] == [NEW]
        self.assert_rows()

    def settle_quietly(self) -> str:
        """The version that is served; the time it takes is not the fault's."""
        seconds = self.seconds
        version = self.settle()
        self.seconds = seconds
        return version


def named(body: str) -> str:
    """Stands for a post, as on_host.py writes it."""
    return hashlib.md5(body.encode()).hexdigest()[:12]


def checksum(rows: list[str]) -> tuple[int, str]:
    """Stands for rows in their order."""
    return len(rows), hashlib.sha256("\n".join(rows).encode()).hexdigest()


def tasks_of(playbook: str) -> list[str]:
    """The names of all tasks, in their order, as they are shown when they begin."""
    lines = run(playbook, "--list-tasks").stdout.splitlines()
    return [line.partition("TAGS:")[0].strip() for line in lines if "TAGS:" in line and "play #" not in line]


def go_back() -> None:
    """v2 is served again, with the database that it had."""
    answer = run("rollback.yml", "-e", "flask_rollback_database=downgrade")
    assert answer.returncode == 0, spoken(answer)
