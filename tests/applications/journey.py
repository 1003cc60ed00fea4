"""One application's way: from a bare host to a restored backup, used by a visitor after each step."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import playbook
import yaml
from guest import Guest, named
from machine import STATE, TESTHOST, TOP, Machine
from recipe import Recipe

OWN = STATE / "applications"
# The test host's name is in no DNS, and its image is as old as it is.
SURROUNDINGS = ["name-unresolved", "updates-pending"]
PYTHON = "/opt/python/bin/python3"
TAKE_PYTHON = f"""mkdir -p /opt/python
tar -x --no-same-owner -C /opt/python
echo /opt/python/lib >/etc/ld.so.conf.d/opt-python.conf
ldconfig
{PYTHON} -c 'import ctypes, sqlite3, ssl'
"""


class Step(NamedTuple):
    """What became of one step; a problem is empty if it worked."""

    name: str
    seconds: float
    problem: str


class Failed(Exception):
    """What a step found wrong, in a line or two."""


def told(answer: subprocess.CompletedProcess[str]) -> str:
    """The message of the task that failed, as a person would read it."""
    text = answer.stdout + answer.stderr
    found = re.findall(r"^(?:\[ERROR\]|fatal): .*?(?=^(?:TASK|PLAY|\[ERROR\]|$)|\Z)", text, re.M | re.S)
    return " ".join((found[-1] if found else text[-600:]).split())[:600]


class Journey:
    """A recipe on a host of its own."""

    def __init__(
        self, recipe: Recipe, clones: Path, image: str, on: str = "", python: Path | None = None
    ) -> None:
        self.recipe, self.use, self.clones = recipe, recipe.use, clones
        self.image, self.python, self.keep = image, python, bool(on)
        self.host = on or re.sub(r"[^a-z0-9]+", "-", f"app-{recipe.name}".lower())
        self.folder = OWN / recipe.name / image
        self.written: list[str] = []

    def steps(self) -> Iterator[Step]:
        """Each step when it has ended; nothing comes after one that failed."""
        for name, action in self.actions():
            begin, problem = time.monotonic(), ""
            try:
                action()
            except (Failed, AssertionError, OSError, subprocess.SubprocessError) as error:
                problem = str(error) or repr(error)
            yield Step(name, time.monotonic() - begin, problem)
            if problem:
                self.say("What the host says", self.host_logs())
                return

    def actions(self) -> list[tuple[str, Callable[[], None]]]:
        """The table's columns."""
        return [
            ("host", self.start), ("site", self.deploy), ("use", self.visit), ("again", self.again),
            ("update", self.update), ("use", self.visit), ("rollback", self.roll_back), ("use", self.visit),
            ("backup", self.back_up), ("restore", self.restore), ("doctor", self.examine),
        ]

    def start(self) -> None:
        """A bare host, and the repository where it can reach it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = STATE / "hosts" / self.host / "host.json"
        if not (self.keep and kept.exists()):
            self.remove()
            output([sys.executable, TESTHOST, "up", self.host, "--image", self.image])
            if self.python:
                self.give_python()
        self.about = json.loads(kept.read_text())
        self.machine = Machine(self.host, self.about["address"])
        neighbours = [sys.executable, TOP / "molecule/shared/neighbours", "start", self.folder / "neighbours"]
        self.git = json.loads(output([*neighbours, self.about["address"], self.clones]))["git"]

    def give_python(self) -> None:
        """The host gets a Python of this machine, as somebody would install one."""
        words = ["--exclude=test", "--exclude=__pycache__", "-cf", "-", "-C", self.python, "."]
        with subprocess.Popen(["tar", *words], stdout=subprocess.PIPE) as archive:
            argv = [sys.executable, TESTHOST, "exec", self.host, "--", "sh", "-euc", TAKE_PYTHON]
            subprocess.run(argv, stdin=archive.stdout, check=True, timeout=300)

    def remove(self) -> None:
        """The host of this run, or of one before."""
        neighbours = [sys.executable, TOP / "molecule/shared/neighbours", "stop", self.folder / "neighbours"]
        subprocess.run([str(word) for word in neighbours], check=False)
        subprocess.run([sys.executable, str(TESTHOST), "down", self.host], capture_output=True, check=False)

    def lay_over(self, version: str) -> None:
        """The second inventory: where the host and the repository are in this test."""
        path = STATE / "hosts" / self.host / "known_hosts"
        variables = {
            "ansible_host": self.about["address"],
            "ansible_user": self.about["user"],
            "ansible_ssh_private_key_file": self.about["key"],
            "ansible_ssh_common_args": f"-o StrictHostKeyChecking=yes -o UserKnownHostsFile={path}",
            "flask_repo": f"{self.git}/{self.recipe.repository}",
            "flask_version": version,
            "doctor_ignored": [*SURROUNDINGS, *self.recipe.variables.get("doctor_ignored", [])],
        }
        if self.python:
            variables["flask_python"] = PYTHON
        inventory = {"all": {"hosts": {self.recipe.domain: variables}}}
        (self.folder / "host.yml").write_text("---\n" + yaml.safe_dump(inventory))

    def run(self, name: str, *arguments: str) -> str:
        """One playbook with both inventories; what it said is kept."""
        second = ("-i", str(self.folder / "host.yml"))
        answer = playbook.run(f"{name}.yml", *second, *arguments, inventory=self.recipe.path)
        self.say(f"{name}.yml {' '.join(arguments)}", answer.stdout + answer.stderr)
        if answer.returncode:
            raise Failed(told(answer))
        return answer.stdout

    def say(self, title: str, text: str) -> None:
        """Keeps it for whoever looks for a cause."""
        with open(self.folder / "said.log", "a") as log:
            log.write(f"\n===== {title}\n{text}")

    def host_logs(self) -> str:
        """The ends of the host's logs, if there is a host."""
        script = "tail -v -n 40 /var/log/$1/*.log /var/log/nginx/$1.error.log; journalctl --no-pager -n 40"
        argv = [sys.executable, TESTHOST, "exec", self.host, "--", "bash", "-c", script, "bash"]
        argv.append(self.recipe.variables["flask_app"])
        done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, timeout=60, check=False)
        return done.stdout + done.stderr

    def deploy(self) -> None:
        """The older version, to the bare host."""
        (self.folder / "said.log").unlink(missing_ok=True)
        self.lay_over(self.use.OLDER)
        self.run("site")

    def again(self) -> None:
        """Nothing is left to do."""
        said = self.run("site")
        if not re.search(r": ok=\d+ +changed=0 ", said):
            tasks = re.findall(r"^TASK \[(.*?)\].*?\n(?:(?!^TASK).*\n)*?^changed: ", said, re.M)
            raise Failed(f"site.yml changed something again: {', '.join(tasks)}")

    def update(self) -> None:
        """The version that the recipe names."""
        self.lay_over(self.recipe.version)
        self.run("update")

    def roll_back(self) -> None:
        """The older version is served again."""
        self.run("rollback", "-e", f"flask_rollback_database={getattr(self.use, 'ROLLBACK', 'refuse')}")

    def visit(self) -> None:
        """Somebody writes, somebody else reads all that was ever written, and the page is complete."""
        text = f"note {uuid.uuid4().hex[:8]}"
        with named(self.recipe.domain, self.about["address"]):
            self.use.write(Guest(self.recipe.domain), text)
            if getattr(self.use, "KEEPS", True):
                self.written.append(text)
            self.read()
            guest = Guest(self.recipe.domain)
            guest.load(self.use.MAIN)
            if self.use.STATIC:
                guest.get(self.use.STATIC)

    def read(self) -> str:
        """The page on which all is that was written."""
        page = self.use.read(Guest(self.recipe.domain))
        missing = [text for text in self.written if text not in page]
        assert not missing, f"{missing[0]!r} was written and is not there"
        return page

    def back_up(self) -> None:
        """What has been written so far."""
        self.run("backup")

    def restore(self) -> None:
        """What was written since the backup is gone, and all else is there."""
        later = f"note {uuid.uuid4().hex[:8]}"
        with named(self.recipe.domain, self.about["address"]):
            self.use.write(Guest(self.recipe.domain), later)
        self.run("restore")
        with named(self.recipe.domain, self.about["address"]):
            assert later not in self.read(), "what was written after the backup is still there"

    def examine(self) -> None:
        """The doctor finds nothing at all."""
        report = self.folder / "report.json"
        said = self.run("doctor", "-e", f"doctor_json={report}", "-e", "doctor_fail_on=never")
        findings = json.loads(report.read_text())[0]["findings"]
        if findings:
            raise Failed("; ".join(f"{one['id']}: {one['what']}" for one in findings) or said)


def output(argv: list) -> str:
    """What a command prints; it has to work."""
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, timeout=900, check=False)
    if done.returncode:
        raise Failed(done.stderr.strip()[-600:])
    return done.stdout
