"""Runs on the host, by its own python3: what state the application is in, and freezing an update.

  python3 on_host.py state APP SINCE        prints the state as JSON
  python3 on_host.py freeze APP MODULE POINT SECONDS

`freeze` waits until a module of Ansible is at a point of its work, stops it and all its children, and
says so. Then it does what it is told, line by line: `kill` the module alone, `kill all` of them, or
`go on`, which is also what it does at the end of its input. A point is one of those below, or
`runs:WORDS` in the command line of a child, or `has:PATH` for what the module has made, with `*` for what is not known of it.
"""

import contextlib
import fcntl
import glob
import hashlib
import json
import os
import select
import signal
import subprocess
import sys
import time

HALF_WAY = "/tmp/half-way"  # by the slow version's migration
COPIES = "SELECT nspname FROM pg_namespace WHERE nspname LIKE '%\\_\\_replaced' UNION SELECT datname FROM pg_database " \
    "WHERE datname LIKE '%\\_\\_tried' UNION SELECT rolname FROM pg_roles WHERE rolname LIKE '%\\_\\_loader'"
PAYLOADS = "/tmp/ansible_*_payload_*"


def arguments(pid):
    """A process's command line; nothing where it has ended."""
    try:
        with open("/proc/%s/cmdline" % pid, "rb") as file:
            return file.read().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def parents():
    """The parent of each process."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open("/proc/%s/stat" % name) as file:
                found[int(name)] = int(file.read().rpartition(")")[2].split()[1])
    return found


def modules():
    """What runs a module: an interpreter without arguments, which read its program from its input."""
    found = {pid: arguments(pid) for pid in parents()}
    return [
        pid for pid, argv in found.items()
        if len(argv) == 1 and os.path.basename(argv[0]).startswith("python3")
    ]


def family(pid):
    """A process and all that came from it."""
    of, found = parents(), [pid]
    for one in found:
        found.extend(child for child, parent in of.items() if parent == one)
    return found


def is_stopped(pid):
    try:
        with open("/proc/%s/stat" % pid) as file:
            return file.read().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False


def go_on(pids):
    """runuser stops itself when it hears that its child was stopped, also somewhat later."""
    quiet = time.monotonic() + 0.3
    while time.monotonic() < quiet:
        stopped = [pid for pid in pids if is_stopped(pid)]
        if stopped:
            send(reversed(stopped), signal.SIGCONT)
            quiet = time.monotonic() + 0.3
        time.sleep(0.005)


def send(pids, number):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


class Points:
    """What can be seen of an update from outside."""

    def __init__(self, app):
        self.root = "/srv/%s" % app
        self.backups = "/var/backups/%s/before-migration" % app
        self.live = self.slot("run/live.sock") if self.exists("run/live.sock") else "green"
        self.idle = {"blue": "green", "green": "blue"}[self.live]

    def reached(self, point, pid):
        """Whether a module is there."""
        kind, _, word = point.partition(":")
        return getattr(self, kind)(pid, *filter(None, [word]))

    def runs(self, pid, words):
        return any(words in " ".join(arguments(child)) for child in family(pid)[1:])

    def has(self, pid, path):
        return bool(glob.glob(path))

    def slot(self, link):
        return os.readlink("%s/%s" % (self.root, link)).partition(".")[0]

    def exists(self, name):
        return os.path.lexists("%s/%s" % (self.root, name))

    def begun(self, pid):
        return True

    def working(self, pid):
        """A program of its own runs, for longer than git needs to say its version."""
        return len(family(pid)) > 1

    def closed(self, pid):
        return self.exists("gate/%s.closed" % self.live)

    def dumping(self, pid):
        dumps = glob.glob(self.backups + "/*.gz")
        return any(not os.path.exists(dump[:-2] + "json") for dump in dumps)

    def migrating(self, pid):
        return os.path.exists(HALF_WAY)

    def launching(self, pid):
        return self.exists("run/%s.sock" % self.idle) and self.exists("slots/" + self.idle)

    def switched(self, pid):
        return self.slot("run/live.sock") == self.idle

    def draining(self, pid):
        return self.switched(pid) and not self.exists("slots/" + self.live)


def wait(condition, end):
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end or select.select([sys.stdin], [], [], 0)[0]:  # nothing is told before, so it is its end
            sys.exit("the module did not come to that point")
        time.sleep(0.001)


def stopped_at(points, point, module, known, end):
    """A module at a point, stopped; one of the same name that ends before it is let go."""
    while True:
        wait(lambda: [name for name in set(glob.glob(PAYLOADS)) - known if module + "_payload" in name], end)
        pid = wait(modules, end)[0]
        wait(lambda: points.reached(point, pid) or not arguments(pid), end)
        send([pid], signal.SIGSTOP)
        if arguments(pid):
            return pid


def freeze(app, module, point, seconds):
    """Stops a module at a point, and does with it what the input says."""
    end, known, points = time.monotonic() + float(seconds), set(glob.glob(PAYLOADS)), Points(app)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(HALF_WAY)
    print("ready", flush=True)
    pid = stopped_at(points, point, module, known, end)
    pids = family(pid)
    send(pids, signal.SIGSTOP)
    print("there", flush=True)
    obey(sys.stdin, pid, pids)


def obey(orders, pid, pids):
    order = orders.readline().strip()
    if order.startswith("kill"):
        send(pids if order == "kill all" else [pid], signal.SIGKILL)
    with contextlib.suppress(BrokenPipeError):  # the test has ended
        print("done", flush=True)
    go_on(pids)


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def ask(name, mariadb, postgresql=""):
    """What a database answers to a statement, by the server that the host has."""
    if os.path.exists("/usr/bin/psql"):
        return output("runuser", "-u", "postgres", "--", "psql", "-XAtq", "-d", name, "-c", postgresql or mariadb)
    return output("mysql", "-N", name, "-e", mariadb)


def is_held(path):
    """Whether somebody has the lock of a file."""
    with open(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def state(app, since):
    """The database, what is at work, and what was done since a time."""
    root, unit = "/srv/" + app, "flask-%s-recover.service" % app
    with open(root + "/releases.json") as file:
        entries = json.load(file)
    rows = ask(app, "SELECT body FROM posts ORDER BY id")
    busy = {
        "a journal": os.path.exists(root + "/deployment/journal.json"),
        "a step": is_held(root + "/deployment/step"),
        "a module": bool(modules()),
        "the recovery unit": output("systemctl", "is-active", unit).strip() == "activating",
        "closed for writes": bool(glob.glob(root + "/gate/*.closed")),
        "a second database": bool(ask(app, "SHOW DATABASES LIKE '%\\_\\_re%'", COPIES)),
    }
    return {
        "revision": ask(app, "SELECT version_num FROM alembic_version").split(),
        "rows": [hashlib.md5(row.encode()).hexdigest()[:12] for row in rows.splitlines()],
        "busy": [name for name, found in busy.items() if found],
        "entries": len(entries),
        "entry": entries[-1],
        "links": [os.readlink(root + "/run/live.sock"), os.readlink(root + "/current")],
        "slots": {name: os.readlink(path) for name in ("blue", "green")
                  for path in [root + "/slots/" + name] if os.path.islink(path)},
        "recovery": output("journalctl", "--unit", unit, "--since", "@" + since, "--output", "cat"),
    }


if __name__ == "__main__":
    verb, *words = sys.argv[1:]
    if verb == "freeze":
        freeze(*words)
    else:
        print(json.dumps(state(*words)))
