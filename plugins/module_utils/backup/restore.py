# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application's data is brought to what is in a backup, made whole or taken back whole.

The change is a transaction like a deployment's: its journal has the copy from before, and whoever dies,
flask-<app>-recover brings the database back to it and lets the requests in again.
"""

from __future__ import annotations

import gzip
import os
import stat
from typing import NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.backup import store
from ansible_collections.selfhost.flask.plugins.module_utils.backup.creation import make
from ansible_collections.selfhost.flask.plugins.module_utils.backup.renaming import Renaming
from ansible_collections.selfhost.flask.plugins.module_utils.backup.store import BackupError
from ansible_collections.selfhost.flask.plugins.module_utils.common.dotenv import edit, read
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import write_file
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import run
from ansible_collections.selfhost.flask.plugins.module_utils.common.stream import feed
from ansible_collections.selfhost.flask.plugins.module_utils.database.data import data_of, database_of
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import members_of
from ansible_collections.selfhost.flask.plugins.module_utils.database.dump import match, named, parts_of
from ansible_collections.selfhost.flask.plugins.module_utils.database.several import as_one, pairs_of
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.gate import StillWriting
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.health import Unhealthy
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.slots import Slots
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.transaction import Transaction
from ansible_collections.selfhost.flask.plugins.module_utils.flask.env_keys import managed_keys, mark_managed
from ansible_collections.selfhost.flask.plugins.module_utils.process.manager import ProcessError
from ansible_collections.selfhost.flask.plugins.module_utils.shared import files as shared_files
from ansible_collections.selfhost.flask.plugins.module_utils.site.records import RESTORED, Records
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import give_tree
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

PROBLEMS = (*store.PROBLEMS, StillWriting, ProcessError)
HOSTS_OWN = "DATABASE_URL"  # is true of this host, and not of the backup's, as all that site.yml has written
COMES_ALONG = "SECRET_KEY"  # but for what the other host has made itself, and visitors' sessions are signed with
UNDONE = "%(problem)s\nEverything is as it was before.%(copy)s"
STUCK = (
    "%(problem)s\nThis could not be rolled back yet: %(reason)s\nRequests that write may be answered 503, and the "
    "workers are stopped. flask-%(name)s-recover.service tries again every few seconds; see its log: "
    "`sudo journalctl -u flask-%(name)s-recover`.%(copy)s"
)
DIFFERS = (
    "The database is now at revision %(now)s, and the served release %(release)s belongs to %(wanted)s. Run "
    "`selfhost.flask.update -e flask_version=%(version)s` to serve the version of the backup, or a newer version, which "
    "migrates it."
)
STALE = (
    "The application could not be started again, so what it has in memory is from before: %s Fix that, and run "
    "`selfhost.flask.update`."
)
OTHERS = (
    "The backup's database is %s, and the one that the application uses on this host is %s. Set flask_database, and "
    "run `selfhost.flask.site`."
)


class Order(NamedTuple):
    """What is to be restored: a backup, with or without its settings, who asks for that, and who has to read it anew."""

    path: str
    settings: bool = False
    patience: float = 30
    by: str = ""
    readers: tuple = ()  # units that have read what is in shared/
    of: str = ""  # the application that it is a backup of, where that is another one
    folder: str = ""  # of this application's backups, where the backup is somewhere else


def check(site: Site, path: str, of: str = "") -> dict:
    """A backup's manifest; BackupError where it can't be restored here. Nothing is touched."""
    manifest = store.verify(site, path, of)
    plan_of(site, path, manifest, of)
    store.check_room(site.path("shared"), manifest["unpacked"], "the restoration")
    return manifest


class Plan(NamedTuple):
    """How the application's databases come back."""

    copied: list  # from their copies in the backup
    lacking: list  # those that stay, because the backup has nothing of them
    unused: list  # what the backup has of others
    common: tuple = ()  # those that the application of the backup uses as well, on this host
    renaming: Renaming | None = None

    def notes(self) -> list:
        lacking = ["The backup has nothing of %s, which is as it was." % one.name for one in self.lacking]
        left = "The backup's copy of %s was left out: the application does not use it."
        common = ["%s is as it was: %s uses it as well." % (one.name, self.renaming.of) for one in self.common]
        return lacking + [left % one for one in self.unused] + common


def plan_of(site: Site, path: str, manifest: dict, of: str = "") -> Plan:
    """BackupError where the backup is of other databases altogether. A SQLite file may be among its files as well.

    One that is external to a backup is that which the application uses, and stays as it is.
    """
    members = members_of(database_of(site))
    renaming = Renaming(site, of, tuple(one.name for one in members)) if of else None
    made = parts_of(manifest["database"]) if manifest["database"] else []
    parts = [renaming.dump(part) for part in made] if renaming else made
    found = match(parts, members)
    common = [one for one, part in zip(found, made) if one and named(part) == (one.kind, one.name)]
    common = common if renaming and renaming.is_here() else []
    if renaming:
        renaming = renaming._replace(matched=tuple((named(part), one.name) for part, one in zip(made, found) if one))
    members = [one for one in members if one not in common]
    others = {one: shared_files.inside(site, one) for one in members if one not in found}
    files = shared_files.count(os.path.join(path, store.SHARED))["sqlite"] if any(others.values()) else []
    lacking = [one for one in others if others[one] not in files]
    is_without = members and len(lacking) == len(members) and not manifest.get("external")
    if (parts and not members and not common) or is_without:
        kinds = ([part["kind"] for part in parts], [one.kind for one in members])
        raise BackupError(OTHERS % tuple(" and ".join(each) or "none" for each in kinds))
    unused = [part["database"] for part, one in zip(parts, found) if one is None]
    return Plan([one for one in found if one and one not in common], lacking, unused, tuple(common), renaming)


class Restoration:
    """The way from what is there to what a backup has; whoever runs it has the application's step."""

    def __init__(self, site: Site, order: Order, manifest: dict) -> None:
        self.site = site
        self.order = order
        self.manifest = manifest
        self.plan = Plan([], [], [])
        self.env = site.path("shared", ".env")
        self.before = ""
        self.problems = []  # of the application and its workers, when they were started anew

    def run(self) -> dict:
        """Restores; what the module returns."""
        name = "backup-" + self.manifest["backup"]
        try:
            self._stage_noted(name)
            transaction = Transaction.begin(self.site, self.site.path("releases", name), 0, by=self.order.by)
            try:
                self._change(transaction)
            except PROBLEMS as error:
                self._take_back(transaction, error)
            self._complete(transaction)
        finally:
            run(shared_files.owner_argv(self.site, "clean", self.manifest["places"]), self.site.name)
        seconds = transaction.journal["entry"]["seconds"]
        return dict(before=self.before, seconds=seconds, notice=self._notice(transaction.journal["entry"]["from"]))

    def _stage_noted(self, name: str) -> None:
        """What fails here is in no transaction that would note it."""
        try:
            self.plan = plan_of(self.site, self.order.path, self.manifest, self.order.of)
            self._stage()
        except PROBLEMS as error:
            Records(self.site).add_failure(name, str(error), by=self.order.by)
            raise

    def _stage(self) -> None:
        """Lays the files beside those that are there, which takes its time, while the application runs."""
        there = shared_files.places(self.site)
        for place in set(self.manifest["places"]) - set(there):
            self._make_place(place)
        argv = shared_files.owner_argv(self.site, "stage", self.manifest["places"])
        with gzip.open(os.path.join(self.order.path, store.SHARED)) as file:
            feed(argv, file, self.site.name)

    def _make_place(self, place: str) -> None:
        """A folder that the application has not here, as on a host where nothing was deployed yet."""
        path = os.path.normpath(self.site.path("shared", place))
        if not path.startswith(self.site.path("shared") + os.sep) or os.path.islink(path):
            raise BackupError("The backup has files of %s, which leads out of shared/. Restore another one." % place)
        os.makedirs(path)
        os.chmod(path, 0o750)
        give_tree(path, self.site.name)

    def _change(self, transaction: Transaction) -> None:
        """Copies what is there, and replaces it; nobody writes meanwhile."""
        live = transaction.journal["live"]
        transaction.close_writes([live] if live else [], self.order.patience)
        with transaction.timed("copy"):
            folder = self.order.folder or os.path.dirname(self.order.path)
            made = make(self.site, folder, store.BEFORE, held=True)
            self.before = os.path.join(folder, made["backup"])
        database = as_one(self.plan.copied)
        if database:
            dump = os.path.join(self.before, store.DATABASE)
            transaction.note(dump=dump, databases=pairs_of(database))
            with transaction.timed("database"):
                renamed = dict(renamed=self.plan.renaming.dump) if self.plan.renaming else {}
                database.restore(os.path.join(self.order.path, store.DATABASE), **renamed)
        transaction.note(readers=list(self.order.readers))
        with transaction.timed("files"):
            self._replace_files()
        transaction.note(dump="", committed=False)  # from here on there is nothing to be taken back
        if live:
            with transaction.timed("launch"):
                self._renew(transaction.slots, live, transaction.journal["idle"])

    def _renew(self, slots: Slots, live: str, idle: str) -> None:
        """Starts the application anew: it may have some of its data in memory, and would write that over what is restored."""
        try:
            slots.renew(live, idle)
        except (Unhealthy, ProcessError, OSError) as error:
            self.problems.append(STALE % error)
            slots.retire(idle)
            return
        slots.switch(idle)
        slots.retire(live)

    def _replace_files(self) -> None:
        """The settings, where they are wanted, and what the application has written."""
        present = self._settings() if self.order.settings else b""
        try:
            kept = self.plan.copied + self.plan.lacking + list(self.plan.common)
            run(shared_files.owner_argv(self.site, "swap", self.manifest["places"], kept), self.site.name)
        except PROBLEMS:
            if present:
                self._write_settings(present)
            raise

    def _settings(self) -> bytes:
        """Takes the backup's settings, but for those that are this host's; what was there."""
        with open(self.env, "rb") as file:
            present = file.read()
        with open(os.path.join(self.order.path, store.SETTINGS), encoding="utf-8", errors="surrogateescape") as file:
            wanted = file.read()
        there = present.decode("utf-8", "surrogateescape")
        kept = {HOSTS_OWN, *managed_keys(there)} - {COMES_ALONG}
        own = {key: value for key, value in read(there).items() if key in kept}
        if self.plan.renaming:
            wanted = self.plan.renaming.settings(wanted, own)
            self.problems += self.plan.renaming.note(self.plan.renaming.still_named(wanted, own))
        text = edit(wanted, own, [])
        managed = sorted({*managed_keys(there), *managed_keys(wanted)})
        self._write_settings(mark_managed(text, managed).encode("utf-8", "surrogateescape"))
        return present

    def _write_settings(self, content: bytes) -> None:
        status = os.stat(self.env)
        write_file(self.env, content, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)

    def _complete(self, transaction: Transaction) -> None:
        """Lets the requests in, and the workers go on."""
        transaction.open_writes()
        if transaction.journal["live"]:
            with transaction.timed("workers"):
                transaction.problems += transaction.slots.start_workers()
        self.problems += transaction.problems
        Records(self.site).add(dict(transaction.journal["entry"], outcome=RESTORED, dump=""))
        transaction.file.remove()

    def _take_back(self, transaction: Transaction, error: Exception) -> None:
        """Ends the change that met a problem; BackupError in any case."""
        copy = " A copy of that is %s." % self.before if self.before else ""
        about = dict(problem=str(error), name=self.site.name, copy=copy)
        try:
            transaction.end(str(error))
        except PROBLEMS as reason:
            raise BackupError(STUCK % dict(about, reason=reason)) from error
        raise BackupError(UNDONE % about) from error

    def _notice(self, release: str) -> str:
        """What is left to be done."""
        found, data = self.problems + self.plan.notes(), data_of(self.site)
        wanted = Records(self.site).served(release).get("revision", [])
        now = data.database.revision() if data.database else []
        if release and sorted(now) != sorted(wanted):
            values = dict(now=", ".join(now) or "none", wanted=", ".join(wanted) or "none", release=release)
            found.append(DIFFERS % dict(values, version=self.manifest["version"] or "VERSION"))
        if self.order.settings:
            found.append("Run `selfhost.flask.update`, so that the application starts with the settings of the backup.")
        found += data.notes()
        return " ".join(found)
