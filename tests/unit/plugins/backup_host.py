# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host of backups: an application with a real SQLite database and files of its own, of which they are made.

Beside it a restic, as far as backups need one.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import pwd
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.backup import backup, creation, restic
from ansible_collections.selfhost.flask.plugins.module_utils.deployment import transaction
from ansible_collections.selfhost.flask.plugins.module_utils.process import managers
from ansible_collections.selfhost.flask.plugins.module_utils.process.supervisor import Supervisor
from ansible_collections.selfhost.flask.plugins.module_utils.shared import files as shared_files
from ansible_collections.selfhost.flask.plugins.module_utils.site import site as site_site

USER = pwd.getpwuid(os.geteuid()).pw_name
RESTIC = """#!{python}
import json, os, pathlib, shutil, sys
home, arguments = pathlib.Path(os.environ["RESTIC_REPOSITORY"]), sys.argv[1:]
with open(os.environ["CALLS"], "a") as file:
    file.write(json.dumps(arguments) + "\\n")
if arguments[0] == os.environ.get("FAILS"):
    sys.exit("Fatal: no route to host")
if arguments[0] == "init":
    home.mkdir()
elif not home.is_dir():
    sys.exit("Fatal: unable to open config file")
elif arguments[0] == "backup":
    path = pathlib.Path(arguments[-1])
    shutil.copytree(path, home / path.name / str(path).lstrip("/"))
elif arguments[0] == "snapshots":
    made = [(path.name, next(path.rglob("manifest.json"))) for path in sorted(home.iterdir())]
    found = [dict(id=name, time=name, paths=["/" + str(file.parent.relative_to(home / name))]) for name, file in made]
    print(json.dumps(found or None))
elif arguments[0] == "restore":
    shutil.copytree(home / arguments[1], arguments[3], dirs_exist_ok=True)
"""


def processes(supervisor: object) -> list:
    return [{"name": name} for name in supervisor.groups]


class BackupHost:
    """An application's folders, and what a test changes and reads there."""

    def __init__(self, folder: Path, name: str = USER) -> None:
        self.folder = folder
        self.site = site_site.Site(name, str(folder / "srv"), str(folder / "log"))
        self.backups = folder / "backups"
        self.shared = folder / "srv/shared"
        self.own = folder / "srv/deployment"
        for made in (self.own, self.shared / "instance", self.shared / "logs", folder / "log"):
            made.mkdir(parents=True)
        for made in ("releases/v1-aaaa", "run", "slots", "gate"):
            (folder / "srv" / made).mkdir(parents=True)
        self.database = self.shared / "instance/blog.db"
        self.env = self.shared / ".env"
        self.env.write_text("DATABASE_URL=sqlite:///%s\nSECRET_KEY=first\n" % self.database)
        self.sql("CREATE TABLE post (body TEXT)", "CREATE TABLE alembic_version (version_num TEXT)")
        self.sql("INSERT INTO alembic_version VALUES ('a1')", "INSERT INTO post VALUES ('one'), ('two')")
        (folder / "srv/current").symlink_to("releases/v1-aaaa")
        self.record(release="v1-aaaa", version="v1", commit="c" * 40, outcome="served", revision=["a1"])
        self.configure()

    def sql(self, *queries: str) -> list:
        """The rows of the last query."""
        with closing(sqlite3.connect(self.database)) as connection, connection:
            return [connection.execute(query).fetchall() for query in queries][-1]

    def posts(self) -> list:
        return [body for (body,) in self.sql("SELECT body FROM post")]

    def record(self, **entry: object) -> None:
        (self.folder / "srv/releases.json").write_text(json.dumps([entry]))

    def records(self) -> list:
        return json.loads((self.folder / "srv/releases.json").read_text())

    def configure(self, **keep: int) -> None:
        about = dict(name=self.site.name, log=self.site.log, folder=str(self.backups), keep=keep or {"daily": 7})
        (self.own / "backup.json").write_text(json.dumps(about))

    def make(self) -> Path:
        """A backup's folder."""
        return self.backups / creation.make(self.site, str(self.backups), "a test")["backup"]

    @staticmethod
    def damage(path: Path) -> None:
        """Turns a bit of a file."""
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

    def files(self) -> dict:
        """What the application has written, without its database."""
        paths = [path for name in ("instance", "logs") for path in (self.shared / name).rglob("*")]
        found = {str(path.relative_to(self.shared)): path for path in paths if not path.name.startswith("blog.db")}
        return {
            name: os.readlink(path) if path.is_symlink() else path.read_text() if path.is_file() else ""
            for name, path in sorted(found.items())
        }

    def report(self, name: str) -> dict:
        return json.loads((self.own / name).read_text())


def pretend(supervisor: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is another one here than on a real host: whoever runs the tests is the application's user as well."""
    monkeypatch.setattr(shared_files, "places", lambda site: ["instance", "logs"])
    for module in (backup, creation):
        monkeypatch.setattr(module, "PATIENCE", 0.2)
    names = ("20260131T03%02d%02dZ" % divmod(second, 60) for second in itertools.count())
    monkeypatch.setattr(creation, "_free_name", lambda folder: next(names))
    monkeypatch.setattr(transaction, "guard", lambda site: None)
    monkeypatch.setitem(managers.MANAGERS, "supervisor", functools.partial(Supervisor, supervisor.server_address))
    monkeypatch.setattr(type(supervisor), "getAllProcessInfo", processes, raising=False)


def install_restic(host: BackupHost, monkeypatch: pytest.MonkeyPatch) -> Callable:
    """A program that answers as restic does; the arguments that it got."""
    program = host.folder / "bin/restic"
    program.parent.mkdir()
    program.write_text(RESTIC.format(python=sys.executable))
    program.chmod(0o755)
    calls = host.folder / "calls"
    calls.touch()
    environment = {"RESTIC_REPOSITORY": str(host.folder / "repository"), "CALLS": str(calls), "KEY": "s3cret"}
    (host.own / restic.ENVIRONMENT).write_text(json.dumps(environment))
    (host.own / restic.PASSWORD).write_text("passw0rd\n")
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    return lambda: [json.loads(line) for line in calls.read_text().splitlines()]
