"""The folder in which somebody keeps an inventory, and types what the documentation's pages say."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import yaml
from machine import SETTINGS, TOP, Application, Machine, Visitor, scenario_state
from playbook import spoken

HEADING = r"^#{1,4} %s\n(.*?)(?=^#{1,4} |\Z)"
BLOCK = r"^ *```%s\n(.*?)^ *```$"
CSRF = re.compile(r'name="csrf_token"[^>]* value="([^"]+)"')
FIRST, DOMAIN = "first.example.com", "blog.example.com"
OWN = {"flask_env": {}, "flask_database_password": "", "flask_app": "microblog"}  # nothing that the host can choose by itself


def blocks(page: str, heading: str, kind: str = "sh") -> list[str]:
    """The blocks of a kind that a page has below a heading."""
    (text,) = re.findall(HEADING % re.escape(heading), (TOP / "docs" / page).read_text(), re.M | re.S)
    return re.findall(BLOCK % kind, text, re.M | re.S)


def lines_of(block: str) -> list[str]:
    """The commands of a block, each on one line."""
    return [" ".join(line.split()) for line in block.replace("\\\n", " ").splitlines() if line.strip()]


class Project:
    """An inventory, whose hosts have the same address, and commands that are typed beside it."""

    def __init__(self, folder: Path, machine: Machine, connection: dict[str, object]) -> None:
        self.folder, self.machine = folder, machine
        answer = json.loads((scenario_state() / "answer.json").read_text())
        self.variables = {**SETTINGS, **OWN, **connection, "neighbours": answer}
        self.hosts: dict[str, dict] = {}

    def write(self) -> None:
        inventory = {"all": {"hosts": self.hosts, "vars": self.variables}}
        (self.folder / "inventory.yml").write_text(yaml.safe_dump(inventory))

    def type(self, line: str) -> subprocess.CompletedProcess[str]:
        """A command that begins with ansible-playbook; without -i, the inventory is the one that ansible.cfg would name."""
        self.write()
        program, *words = shlex.split(line)
        assert program == "ansible-playbook", line
        own = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        own.update(
            ANSIBLE_HOME=str(TOP / ".ansible"), ANSIBLE_COLLECTIONS_PATH=str(TOP / ".ansible/collections"),
            ANSIBLE_INVENTORY=str(self.folder / "inventory.yml"), NO_COLOR="1",
        )
        return subprocess.run(
            [Path(sys.executable).with_name(program), *words],
            cwd=self.folder, env=own, capture_output=True, text=True, timeout=1800, check=False,
        )

    def play(self, line: str) -> str:
        """What a command said that has to succeed."""
        answer = self.type(line)
        assert answer.returncode == 0, f"{line}\n{spoken(answer)}"
        return spoken(answer)

    def site(self) -> str:
        return self.play("ansible-playbook selfhost.flask.site")

    def application(self, app: str, domain: str) -> Application:
        return Application(self.machine.name, self.machine.address, app, domain)


def findings(project: Project) -> list[tuple[str, str]]:
    """The doctor's names for what is wrong, and with what."""
    report = project.folder / "report.json"
    options = '{"doctor_ignored": ["name-unresolved"], "doctor_fail_on": "never"}'  # a test host's name is in no DNS
    project.play(f"ansible-playbook selfhost.flask.doctor -e doctor_json={report} -e '{options}'")
    return sorted((one["id"], one["subject"]) for one in json.loads(report.read_text())[0]["findings"])


def done(machine: Machine, script: str, *words: str) -> str:
    """What a script on the host says; it has to work."""
    answer = machine.inside(script, *words)
    assert answer.returncode == 0, f"{script}\n{answer.stdout}{answer.stderr}"
    return answer.stdout


def count(application: Application) -> int:
    return application.visitor().get("/posts/count").json()["count"]


def fill_in(visitor: Visitor, path: str, files: dict | None = None, **fields: str) -> None:
    """A form, as a browser sends it."""
    token = CSRF.search(visitor.get(path).text)[1]
    headers = {"Referer": f"https://{visitor.headers['Host']}{path}"}
    answer = visitor.post(path, data={**fields, "csrf_token": token}, files=files, headers=headers, allow_redirects=False)
    assert answer.status_code == 302, answer.text
