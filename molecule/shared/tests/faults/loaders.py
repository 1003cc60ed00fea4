"""Three applications beside the demo one, which change their database when they are loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType

import yaml
from machine import TESTHOST, TOP, Machine, scenario_state, wait_for
from playbook import run, spoken

BUILD = TOP / "molecule/applications/build"
PASSWORD = "otter4711"
SOCKET = "unix_socket=/run/mysqld/mysqld.sock"
APPLICATIONS = {
    "arena": {"flask_entrypoint": "arena:create_app()"},
    # Its data are in a file that its own configuration names; DATABASE_URL names another one.
    "ledger": {
        "flask_entrypoint": "ledger:create_app()",
        "flask_database": "sqlite",
        "flask_env": {"DATABASE_URL": "sqlite:////srv/ledger/shared/data/ledger.db"},
        "flask_shared_paths": ["instance", "data"],
    },
    "seed": {
        "flask_entrypoint": "run:app",
        "flask_database_password": PASSWORD,
        "flask_env": {
            "DB_ENGINE": "mysql+pymysql", "DB_USERNAME": "seed", "DB_PASS": PASSWORD, "DB_HOST": "localhost",
            "DB_NAME": f"seed?{SOCKET}",
        },
    },
}
COMMON = {"flask_health_url": "/healthz"}
# What a host needs for an application that nobody visits through the proxy.
PARTS = "base,database,app,deployment,process"
MYSQL = 'mysqldump --skip-comments --skip-extended-insert "$1"'
SQLITE = """
python3 -c 'import sqlite3, sys; print("\\n".join(sqlite3.connect(sys.argv[1]).iterdump()))' /srv/$1/shared/data/$1.db
"""
WRITE = """
for number in 1 2 3 4 5; do
    curl --silent --fail --unix-socket "/srv/$1/run/live.sock" --data "body=post $number" http://localhost/posts
done
"""
# Asks as fast as it is answered, until its input ends.
READ = """
import http.client, json, select, socket, sys

seen, problems = [], []
while not select.select([sys.stdin], [], [], 0.05)[0]:
    try:
        connection = http.client.HTTPConnection("localhost", timeout=20)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(20)
        connection.sock.connect("/srv/%s/run/live.sock" % sys.argv[1])
        connection.request("GET", "/posts/count")
        answer = connection.getresponse()
        said = answer.read().decode()
        if answer.status != 200:
            problems.append("%d %s" % (answer.status, said[:200]))
        else:
            seen.append(json.loads(said))
    except OSError as error:
        problems.append(str(error))
print(json.dumps([seen, problems]))
"""


def on_the_host(machine: Machine, *words: str) -> list[str]:
    return [sys.executable, str(TESTHOST), "exec", machine.name, "--", *words]


def make_inventory(machine: Machine, folder: Path) -> Path:
    """One name for each of them, all of the one host that the scenario has."""
    git = json.loads((scenario_state() / "answer.json").read_text())["git"]
    host = yaml.safe_load((Path(os.environ["MOLECULE_INVENTORY_FILE"])).read_text())["all"]["hosts"][machine.name]
    hosts = {
        name: {**host, **COMMON, **about, "flask_app": name, "flask_repo": f"{git}/{name}", "flask_version": "v1"}
        for name, about in APPLICATIONS.items()
    }
    whole = yaml.safe_load((TOP / "molecule/shared/group_vars/all.yml").read_text())
    of_the_host = {name: value for name, value in whole.items() if name.startswith("hardening_")}
    (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": of_the_host}}))
    return folder


def serve_first_versions(machine: Machine, inventory: Path) -> None:
    """Each serves v1, with five posts."""
    repositories = scenario_state() / "repositories"
    if not (repositories / "seed").exists():
        subprocess.run([BUILD, repositories], check=True, timeout=120)
    for playbook, *words in (("provision.yml", "--tags", PARTS), ("update.yml",)):
        answer = run(playbook, *words, inventory=inventory)
        assert answer.returncode == 0, spoken(answer)
    for name in APPLICATIONS:
        written = machine.inside(WRITE, name)
        assert written.returncode == 0, written.stderr


class Loader:
    """One of them: what is in its database, and who reads from it meanwhile."""

    def __init__(self, machine: Machine, name: str, inventory: Path) -> None:
        self.machine = machine
        self.name = name
        self.inventory = inventory
        self.seen: list[dict] = []
        self.problems: list[str] = []

    def content(self) -> str:
        """Every row and every column."""
        answer = self.machine.inside(SQLITE if self.name == "ledger" else MYSQL, self.name)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    def update(self, version: str) -> subprocess.CompletedProcess[str]:
        return run(
            "update.yml", "--limit", self.name, "-e", f"flask_version={version}", "-e", "deployment_health_deadline=15",
            inventory=self.inventory,
        )

    def entry(self) -> dict:
        """The last one of the records."""
        return json.loads(self.machine.inside('cat "/srv/$1/releases.json"', self.name).stdout)[-1]

    def answers(self) -> bool:
        """Whether it serves, without a proxy."""
        visit = 'curl --silent --fail --unix-socket "/srv/$1/run/live.sock" http://localhost/healthz'
        return self.machine.inside(visit, self.name).returncode == 0

    def is_settled(self) -> bool:
        """Whether no change is under way any more."""
        return self.machine.inside('test ! -e "/srv/$1/deployment/journal.json"', self.name).returncode == 0

    def settle(self) -> None:
        wait_for(self.is_settled, "an end of what was begun", seconds=60)

    def __enter__(self) -> Loader:
        argv = on_the_host(self.machine, "python3", "-c", READ, self.name)
        self.reader = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.leave()

    def leave(self) -> None:
        """No reads from here on."""
        if self.reader.stdin and not self.reader.stdin.closed:
            self.seen, self.problems = json.loads(self.reader.communicate("\n", timeout=60)[0])
