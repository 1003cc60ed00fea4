"""Another application of the host wants all of it for itself, and the first one goes on."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType

import pytest
import requests
import yaml
from machine import APP, SETTINGS, TESTHOST, Machine, live_slot, wait_for
from playbook import run, spoken
from testinfra.host import Host

NEIGHBOUR = "greedy"
PATIENCE = 2.0  # seconds that a page of the first application may take meanwhile
# What a host needs for an application that nobody visits through the proxy.
PARTS = "base,database,app,deployment,process"
CONTROLLERS = "cat /sys/fs/cgroup/cgroup.controllers 2>/dev/null || ls /sys/fs/cgroup"
# A program of an application, as its process manager starts it. It ends in time, and nothing of it is left.
PROGRAM = """
app=$1 seconds=$2 program=$3
shift 3
"/srv/$app/bounded" timeout --signal KILL "$seconds" sh -c "$program" "$app" "$@" 2>&1 || echo "ended with $?"
pkill --signal KILL --uid "$app" --full intruder || :
rm -f /dev/shm/intruder /tmp/intruder
"""
# None of these takes more than so much: a host without bounds is not spoilt by them, nor the machine that it is on.
MEMORY = "exec python3 -c 'intruder = [bytearray(1 << 20) for number in range(1500)]; print(\"all of it\")'"
FILE = "dd if=/dev/zero of=$1/intruder bs=1M count=1500 && echo all of it || echo ended with $?; sleep 3"
FORKS = "for number in $(seq 3000); do sh -c 'sleep 9; : intruder' & done; echo all of it"
SPIN = "for number in $(seq 40); do sh -c 'while :; do :; done; : intruder' & done; wait"
LOGINS = """
cd "/srv/$0/current" && exec .venv/bin/python -c '
import os, sys, time, dotenv, sqlalchemy
dotenv.load_dotenv(".env")
wanted, intruder = int(sys.argv[1]), []
engine = sqlalchemy.create_engine(os.environ["DATABASE_URL"], poolclass=sqlalchemy.pool.NullPool)
try:
    while len(intruder) < wanted:
        intruder.append(engine.connect())
    print("all of it")
except sqlalchemy.exc.SQLAlchemyError as error:
    print("refused after", len(intruder), error)
sys.stdout.flush()
time.sleep(0 if wanted == 1 else 4)' "$1"
"""
VISITS = """
exec python3 -c '
import socket, sys, time
intruder = []
try:
    while len(intruder) < 9500:
        intruder.append(socket.create_connection(("127.0.0.1", 443), timeout=1))
        intruder[-1].send(b"\\x16")
    print("all of it")
except OSError as error:
    print("refused after", len(intruder), error)
sys.stdout.flush()
time.sleep(3)'
"""
# What it tries, with the words of its program, and what becomes of that.
TRIES = {
    "memory": (MEMORY, [], "ended with 137"),
    "memory in files of /tmp": (FILE, ["/tmp"], "ended with 137"),
    "the shared memory": (FILE, ["/dev/shm"], "ended with"),
    "processes": (FORKS, [], "Cannot fork"),
    "connections to the database": (LOGINS, ["300"], "refused after 60"),
    "connections to the proxy": (VISITS, [], "refused after 256"),
}
# The part that a program of an application has of the processor's time which it and the other one use in two seconds.
SHARE = """
import contextlib, os, pwd, sys
owner = pwd.getpwnam(sys.argv[2]).pw_uid

def used():
    ticks = 0
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.stat("/proc/" + name).st_uid == owner:
                with open("/proc/%s/stat" % name) as file:
                    ticks += int(file.read().rpartition(")")[2].split()[11])
    return ticks / os.sysconf("SC_CLK_TCK")

before, program = used(), ["bounded", "timeout", "2", "sh", "-c", "while :; do :; done"]
own = os.wait4(os.posix_spawn("/srv/%s/bounded" % sys.argv[1], program, os.environ), 0)[2].ru_utime
print(own / (own + used() - before))
"""


def script(machine: Machine, *words: str) -> list[str]:
    return [sys.executable, str(TESTHOST), "exec", machine.name, "--", "sh", "-euc", *words]


def start(machine: Machine, app: str, seconds: int, program: str, *words: str) -> subprocess.Popen[str]:
    """A program of an application, in the background, for at most so many seconds."""
    argv = script(machine, PROGRAM, "sh", app, str(seconds), program, *words)
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


class Watch(threading.Thread):
    """Who asks the first application for a page that its database has, on a new connection each time."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(daemon=True)
        self.machine, self.left = machine, threading.Event()
        self.seconds: list[float] = []
        self.problems: list[str] = []

    def run(self) -> None:
        while not self.left.wait(0.05):
            begin = time.monotonic()
            try:
                with self.machine.visitor() as visitor:
                    visitor.get("/posts/count").raise_for_status()
            except requests.RequestException as error:
                self.problems.append(str(error))
            self.seconds.append(time.monotonic() - begin)

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.left.set()
        self.join(timeout=30)

    def assert_served(self) -> None:
        assert self.problems == []
        assert len(self.seconds) > 5 and max(self.seconds) < PATIENCE, sorted(self.seconds)[-5:]


@pytest.fixture(scope="session")
def shared(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """The host has another application, too, as an inventory with both of them sets it up."""
    if not {"cpu", "memory", "pids"} <= set(machine.inside(CONTROLLERS).stdout.split()):
        pytest.skip("the kernel lets this host bound nothing")
    host = yaml.safe_load(Path(os.environ["MOLECULE_INVENTORY_FILE"]).read_text())["all"]["hosts"][machine.name]
    hosts = {machine.name: host, NEIGHBOUR: {**host, "flask_app": NEIGHBOUR}}
    inventory = tmp_path_factory.mktemp("inventory") / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": SETTINGS}}))
    for playbook, *words in (("provision.yml", "--tags", PARTS), ("update.yml",)):
        answer = run(playbook, *words, "--limit", NEIGHBOUR, inventory=inventory)
        assert answer.returncode == 0, spoken(answer)
    return machine


@pytest.mark.parametrize("what", TRIES)
def test_another_application_can_t_have_all_of_it(shared: Machine, what: str) -> None:
    program, words, end = TRIES[what]
    with Watch(shared) as watch:
        said = start(shared, NEIGHBOUR, 8, program, *words).communicate(timeout=60)[0]
    assert end in said and "all of it" not in said, said
    watch.assert_served()


def test_another_application_can_t_have_all_processors(shared: Machine) -> None:
    """Half of them are for each; one of 41 programs alike would have a fortieth."""
    with Watch(shared) as watch:
        spinning = start(shared, NEIGHBOUR, 5, SPIN)
        share = float(shared.inside('python3 -c "$1" "$2" "$3"', SHARE, APP, NEIGHBOUR).stdout)
        spinning.communicate(timeout=60)
    assert share > 0.2
    watch.assert_served()


def test_it_logs_in_and_starts_while_another_has_what_it_can_get(shared: Machine, host: Host) -> None:
    has = [start(shared, NEIGHBOUR, 8, LOGINS, "300"), start(shared, NEIGHBOUR, 8, FILE, "/dev/shm")]
    wait_for(lambda: shared.inside("pgrep --uid $1 sleep", NEIGHBOUR).returncode == 0, "a full /dev/shm")
    assert "all of it" in start(shared, APP, 5, LOGINS, "1").communicate(timeout=30)[0]
    workers = f"pgrep --parent $(supervisorctl pid {APP}-{live_slot(host)})"
    victim = host.check_output(workers).split()[0]
    host.check_output(f"kill -9 {victim}")
    wait_for(lambda: victim not in host.check_output(workers).split(), "another worker", seconds=5)
    assert shared.answers()
    for one in has:
        one.communicate(timeout=30)
