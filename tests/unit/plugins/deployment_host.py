# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host of a deployment: folders, supervisor with what it starts, and a pretended database with migrations.

Each step is known, so that a test can look at the host there, or let something happen.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from types import SimpleNamespace

from ansible_collections.selfhost.flask.plugins.module_utils.database.data import Data
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import Database, compare
from ansible_collections.selfhost.flask.plugins.module_utils.deployment import change as deployment_change
from ansible_collections.selfhost.flask.plugins.module_utils.deployment import deployment, transaction
from ansible_collections.selfhost.flask.plugins.module_utils.deployment import slots as deployment_slots
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.gate import Gate
from ansible_collections.selfhost.flask.plugins.module_utils.flask.application import Result
from ansible_collections.selfhost.flask.plugins.module_utils.flask.loading import Loading
from ansible_collections.selfhost.flask.plugins.module_utils.flask.migrations import MigrationError
from ansible_collections.selfhost.flask.plugins.module_utils.process import managers
from ansible_collections.selfhost.flask.plugins.module_utils.process.supervisor import Supervisor
from ansible_collections.selfhost.flask.plugins.module_utils.site import records as site_records
from ansible_collections.selfhost.flask.plugins.module_utils.site import settings as site_settings
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

REVISION = 'revision = "%s"\ndown_revision = %r\n'
LINKS = ("current", "run/live.sock", "slots/blue", "slots/green")
STEPS = (  # where the tests look at the host, or let something happen
    (Gate, "close"), (Gate, "open"), (deployment_slots.Slots, "switch"), (site_records.Records, "add"), (site_records.Records, "prune"),
    (site_settings.Settings, "take"),
)


class Killed(BaseException):
    """The process ends here, and does nothing more."""


class Memory(Database):
    """A database whose content is a number of rows for each table, and a revision."""

    kind = "sqlite"

    def __init__(self, host: DeploymentHost) -> None:
        super().__init__("/srv/blog.db")
        self.host = host
        self.rows, self.at = {"posts": 2}, []

    def tables(self) -> dict:
        return dict(self.rows)

    def revision(self) -> list:
        return list(self.at)

    def schema(self) -> dict:
        return {name: {"id": "int"} for name in self.rows}

    def size(self) -> int:
        return 0

    def content(self):
        self.host.reach("dump")
        yield json.dumps([self.rows, self.at]).encode()

    def load(self, dump, manifest, scratch) -> None:
        self.host.reach("restore")
        rows, at = json.load(dump)
        compare(manifest, rows, at)
        if not scratch:
            self.rows, self.at = rows, at


class Migrations:
    """What lies between the database and a release, whose migrations follow each other by their names."""

    host = None

    def __init__(self, app: App, directory: str, revision: str = "head", state: dict | None = None) -> None:
        folder = app.folder
        self.host.asked += [] if state else [revision]
        known = sorted(name[:-3] for name in os.listdir(os.path.join(folder, directory, "versions")))
        wanted = [name for name in known if revision in ("head", "heads") or name <= revision != "base"]
        done = [name for name in known if [name] <= self.host.database.at]
        self.before, self.after = self.host.database.revision(), wanted[-1:]
        self.downgrade = len(wanted) < len(done)
        self.pending = [{"revision": name, "message": "about " + name} for name in wanted if name not in done]
        if self.downgrade:
            undone = [name for name in reversed(done) if name not in wanted]
            irreversible = self.host.irreversible
            self.pending = [dict(revision=name, message="about " + name, reversible=name not in irreversible)
                            for name in undone]

    def run(self) -> None:
        database = self.host.database
        database.rows = dict(database.rows, half_done=1)
        try:
            self.host.reach("migrate")
        except RuntimeError as error:
            database.at = ["half"]
            raise MigrationError("it is at half now", Result([], 1, "", ""), {}, str(error)) from error
        del database.rows["half_done"]
        database.at = self.after


class App:
    """The application of a release: what happens when it is loaded, in the sandbox and outside of it."""

    host = None

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.name = os.path.relpath(folder, self.host.root / "releases").split("/")[0]

    def inspect(self, directory: str = "", current: list | None = None) -> Loading:
        self.host.reach("inspect")
        harmless = dict(loads=True, touches=[], databases=[], secret_key="own")
        about = dict(harmless, **self.host.loadings.get(self.name, {}))
        if about["loads"] and current is not None:
            about["revisions"] = self.state()
        return Loading(**about)

    def load(self, question: str = "load", **dummy: object) -> dict:
        self.host.reach("load")
        return self.state() if question == "database" else {}

    def run_line(self, line: str) -> Result:
        self.host.lines.append((self.name, line))
        self.host.reach("run")
        return Result([line], 1 if line == "false" else 0, "", "its last words")

    def report(self, result: Result, advice: str) -> str:
        return "`%s` ended with exit code %d. %s\n%s" % (*result.argv, result.code, advice, result.err)

    def answer(self, dummy: str, **ignored: object) -> dict:
        found = Migrations(self, "migrations")
        return dict(current=found.before)

    def state(self) -> dict:
        found = Migrations(self, "migrations", state={"known": True})
        return dict(current=found.before, desired=found.after, pending=found.pending, downgrade=False, command="db")


class DeploymentHost:
    """Everything that a deployment meets; `steps` has what it did, and `on` what happens there."""

    def __init__(self, root, supervisor, serve, monkeypatch) -> None:
        self.root, self.supervisor, self.serve = root, supervisor, serve
        self.backups = root.parent / "backups"
        self.servers = {}
        self.broken = {}  # release -> what its servers answer; None where they end at once
        self.steps, self.states, self.on = [], {}, {}
        self.commands = []  # that were run as root
        self.lines = []  # (release, line) that were run for the shell in a release
        self.loadings = {}  # release -> what its loading in the sandbox shows
        self.asked = []  # for which revisions the application was asked
        self.database = Memory(self)
        self.irreversible = set()
        self.site = Site("blog", str(root), str(root / "log"))
        supervisor.files = {"blog-blue": 1, "blog-green": 1}
        supervisor.on_start, supervisor.on_stop = self.start, self.stop
        for name in ("releases", "run", "slots", "venvs", "shared", "log", "gate", "deployment"):
            (root / name).mkdir(parents=True)
        (root / "shared/.env").touch()
        self.pretend(monkeypatch)

    def about(self) -> dict:
        """What all modules that change what is served are told."""
        root = str(self.root)
        return dict(
            name="blog", root=root, log=root + "/log", app="blog:app", config=[root + "/shared/.env"],
            deadline=0, patience=0,
        )

    def pretend(self, monkeypatch) -> None:
        """What is another one here than on a real host."""
        host = self

        class Client(Supervisor):
            """The real one, with the steps known."""

            def __init__(self, timeout: float) -> None:
                super().__init__(host.supervisor.server_address, 5)

            def start(self, name: str) -> None:
                host.reach("start " + name)
                super().start(name)

            def stop(self, *names: str) -> None:
                host.reach("stop " + " ".join(names))
                super().stop(*names)

        Migrations.host = App.host = self
        monkeypatch.setitem(managers.MANAGERS, "supervisor", Client)
        for module in (deployment, deployment_change):
            monkeypatch.setattr(module, "Migrations", Migrations)
        monkeypatch.setattr(deployment, "data_of", lambda *dummy: Data(self.database))
        monkeypatch.setattr(deployment.Deployment, "application", lambda dummy, folder: App(folder))
        monkeypatch.setattr(deployment.Deployment, "sandboxed", lambda dummy, folder: App(folder))
        monkeypatch.setattr(deployment, "inspect", lambda app, **question: app.inspect(**question))
        monkeypatch.setattr(transaction, "databases_at", lambda pairs, user: self.database)
        monkeypatch.setattr(transaction, "run", lambda argv: (self.reach("guard"), self.commands.append(argv)))
        for module in (site_records, transaction):
            monkeypatch.setattr(module, "dump_folder", lambda site: str(self.backups))
        for kind, name in STEPS:
            monkeypatch.setattr(kind, name, self.watched(getattr(kind, name), name))
        link = deployment_slots.replace_link
        monkeypatch.setattr(deployment_slots, "replace_link", lambda path, target: (
            self.reach("link " + os.path.basename(path)), link(path, target),
        ))
        numbers = itertools.count(1)  # instead of the time, of which two may be the same
        clock = SimpleNamespace(
            monotonic=time.monotonic, gmtime=time.gmtime, strftime=lambda *dummy: str(next(numbers)),
        )
        monkeypatch.setattr(transaction, "time", clock)
        if os.geteuid() != 0:
            monkeypatch.setattr(os, "chown", lambda *dummy, **ignored: None)

    def watched(self, function, name: str):
        def watched(owner, *arguments, **options):
            self.reach(name)
            return function(owner, *arguments, **options)

        return watched

    def reach(self, step: str) -> None:
        """A step is about to be made: an exception happens in its place, once; a function is called."""
        self.steps.append(step)
        self.states.setdefault(step, self.state())
        happens = self.on.pop(step, None)
        if isinstance(happens, BaseException):
            raise happens
        if happens:
            happens()

    def state(self) -> dict:
        """What the visitors and the workers have."""
        links, running = self.links(), self.programs()
        return dict(
            live=links.get("run/live.sock", "").partition(".")[0],
            closed=sorted(path.stem for path in (self.root / "gate").glob("*.closed")),
            slots={name.partition("-")[2] for name in running if "-" in name},
            workers={name.partition(".")[2] for name in running if "." in name},
            revision=self.database.revision() if self.database else None,
        )

    def release(self, name, venv="one", subfolder="", migrations=()):
        """A release that is built, with its virtual environment and migrations."""
        folder = self.root / "releases" / name / subfolder
        folder.mkdir(parents=True)
        (self.root / "venvs" / venv).mkdir(exist_ok=True)
        (folder / ".venv").symlink_to(os.path.relpath(self.root / "venvs" / venv, folder))
        for parent, revision in zip((None, *migrations), migrations):
            (folder / "migrations/versions").mkdir(parents=True, exist_ok=True)
            (folder / "migrations/versions" / (revision + ".py")).write_text(REVISION % (revision, parent))
        return folder

    def workers(self, *names) -> list:
        """Supervisor knows these workers from now on."""
        self.supervisor.files.update(("blog." + name, 1) for name in names)
        return list(names)

    def start(self, program):
        if "." in program:
            return
        slot = program.partition("-")[2]
        release = self.site.release_name(os.readlink(self.root / "slots" / slot))
        with open(self.root / "log" / (slot + ".log"), "a", encoding="utf-8") as log:
            log.write("starting %s\nits last words\n" % release)
        answer = self.broken.get(release, {})
        if callable(answer):
            answer = answer()
        self.supervisor.pids[program] = len(self.supervisor.calls)
        if answer is not None:
            self.servers[slot] = self.serve(self.root / "run" / (slot + ".sock"), **{"release": release, **answer})

    def stop(self, program):
        server = self.servers.pop(program.partition("-")[2], None)
        if server:
            server.close()

    def look_anew(self):
        """Forgets the steps until now; what is served at present, and with which settings."""
        self.steps, self.states, self.asked, self.commands = [], {}, [], []
        return self.state(), self.links(), self.database and self.database.tables(), self.settings()

    def settings(self):
        """What is in .env, and for how many; what is beside it."""
        path = self.root / "shared/.env"
        beside = sorted(os.listdir(path.parent)) + [one.name for one in (self.root / "deployment").glob("env*")]
        return path.read_text(), oct(path.stat().st_mode)[-3:], beside

    def stage(self, text):
        """Lays settings beside those that are there, as the dotenv module does."""
        path = self.root / "shared/.env.next"
        path.write_text(text)
        path.chmod(0o640)

    def links(self):
        """What the links of the application point to."""
        found = {name: os.readlink(self.root / name) for name in LINKS if (self.root / name).is_symlink()}
        return {name: os.path.basename(target) for name, target in found.items()}

    def entries(self):
        path = self.root / "releases.json"
        return json.loads(path.read_text()) if path.exists() else []

    def records(self):
        return [(entry["release"], entry["outcome"]) for entry in self.entries()]

    def journal(self):
        return transaction.Journal(self.site).read()

    def dumps(self):
        return sorted(path.name for path in self.backups.glob("*"))

    def programs(self):
        """The programs that run."""
        return {name for name, state in self.supervisor.states.items() if state == "RUNNING"}
