# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules that change what an application serves have in common."""

from __future__ import annotations

import contextlib
import json
import os
import time
import xmlrpc.client

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils import _program
from ansible_collections.selfhost.flask.plugins.module_utils._database import Database, DatabaseError
from ansible_collections.selfhost.flask.plugins.module_utils._database_url import database_of
from ansible_collections.selfhost.flask.plugins.module_utils._files import write_file
from ansible_collections.selfhost.flask.plugins.module_utils._flask import FlaskApp
from ansible_collections.selfhost.flask.plugins.module_utils._gate import StillWriting
from ansible_collections.selfhost.flask.plugins.module_utils._health import Health, Unhealthy
from ansible_collections.selfhost.flask.plugins.module_utils._lock import take_lock
from ansible_collections.selfhost.flask.plugins.module_utils._migrations import MigrationError, Migrations
from ansible_collections.selfhost.flask.plugins.module_utils._mysql_account import password_of
from ansible_collections.selfhost.flask.plugins.module_utils._records import Records
from ansible_collections.selfhost.flask.plugins.module_utils._release import SEAL, is_sealed, seal_tree
from ansible_collections.selfhost.flask.plugins.module_utils._revisions import heads, revisions
from ansible_collections.selfhost.flask.plugins.module_utils._settings import Settings, read_settings
from ansible_collections.selfhost.flask.plugins.module_utils._site import Busy, CommandError, Lock, Site, step
from ansible_collections.selfhost.flask.plugins.module_utils._slots import Slots
from ansible_collections.selfhost.flask.plugins.module_utils._transaction import Transaction, recover
from ansible_collections.selfhost.flask.plugins.module_utils._tree import Tree

PROBLEMS = (Unhealthy, MigrationError, DatabaseError, CommandError, StillWriting, OSError, xmlrpc.client.Error)
UNDONE = "%(problem)s\n%(served)s%(database)s Mend the cause and run the playbook again."
STUCK = (
    "%(problem)s\nThis could not be taken back yet: %(reason)s\n%(served)s Requests that write may be answered "
    "503. flask-%(name)s-recover.service tries again every few seconds; see its log with journalctl."
)
UNFINISHED = (
    "%(release)s is served now, but what follows could not be done: %(problem)s flask-%(name)s-recover.service tries "
    "again every few seconds; see its log with journalctl."
)


class Deployment:
    """A task's application on this host."""

    def __init__(self, module: AnsibleModule) -> None:
        params = module.params
        self.module = module
        self.params = params
        self.site = Site(params["name"], params["root"], params["log"], tuple(params["workers"]))
        self.slots = Slots(self.site)
        self.settings = Settings(self.site)
        self.health = Health(params["health_url"], params["host"], params["health_text"], params["deadline"])
        self.holder = {}

    @contextlib.contextmanager
    def at_work(self):
        """This process changes the application, and nobody else; the session ends with it."""
        self._take_lock()
        try:
            with step(self.site.root):
                self._check_session()
                recover(self.site)
                _program.install(self.site)
                try:
                    yield
                finally:
                    self.settings.discard()  # where the transaction has not taken it
        except Busy as error:
            self.module.fail_json(msg="%s Nothing was changed." % error)
        except PROBLEMS as error:
            if self.params.get("owner"):  # else the playbook's end of the session notes it
                Records(self.site).add_failure(self.params["release"] or "?", said(error), **self.about())
            self.module.fail_json(msg=said(error))
        finally:
            if self.params["session"]:
                Lock(self.site).release(self.params["session"])

    def _take_lock(self) -> None:
        """Where the deployment consists of this module alone, its session begins here."""
        if self.params.get("owner"):
            self.params["session"] = take_lock(self.module, self.site)

    def _check_session(self) -> None:
        """A run that was thought dead, and whose lock was taken over, does not go on."""
        self.holder = Lock(self.site).holder() or {}
        if self.params["session"] and self.holder.get("id") != self.params["session"]:
            self.module.fail_json(
                msg="The lock of this deployment was taken over%s. Nothing was changed; run the playbook again."
                % (" by " + self.holder["owner"] if self.holder else "")
            )

    def about(self) -> dict:
        """Who deploys, and how long it took until now, for the records."""
        seconds = {"build": round(time.time() - self.holder["since"], 1)} if self.holder else {}
        return dict(by=self.holder.get("owner", ""), session=self.holder.get("id", ""), seconds=seconds)

    def application(self, folder: str) -> FlaskApp:
        """With the settings of the deployment, also while they are not in .env yet."""
        return FlaskApp(self.module, folder, self.site.name, settings=self._coming_settings())

    def _coming_settings(self) -> dict:
        """Those that are not in .env yet. Until they are, the account's password is the one that is there."""
        found = read_settings(self.settings.staged())
        passwords = [password_of(path, self.site.name) for path in (self.settings.path, self.settings.staged())]
        if None not in passwords:
            found.pop("DATABASE_URL", None)
        return found

    def database(self) -> Database | None:
        return database_of(self.site)

    def revision(self) -> list:
        """The database's present revision, where it can be asked for."""
        database = self.database()
        return database.revision() if database else []

    def pending(self, folder: str, revision: str = "head") -> Migrations | None:
        """What lies between the database and a release's revision; None where that is nothing for sure."""
        if not os.path.isdir(os.path.join(folder, self.params["migrations"])):
            return None
        if revision == "head" and self._is_up_to_date(folder):
            return None
        return Migrations(self.application(folder), self.params["migrations"], revision)

    def _is_up_to_date(self, folder: str) -> bool:
        """Whether the database is where the release's migrations end, or where the live release left it.

        To read the files takes a tenth of the time that it takes to load the application.
        """
        database, release = self.database(), self.site.release_name(folder)
        if database is None:
            return False
        known, unreadable = revisions(Tree(folder, folder), self.params["migrations"])
        ends = [] if unreadable else [sorted(heads(known))]
        if release == self.site.release_name(self.slots.release(self.slots.live())):
            ends.append(sorted(Records(self.site).served(release).get("revision", [])))
        return database.revision() in [end for end in ends if end]

    def serves(self, folder: str) -> bool:
        """Whether the live slot runs a release with these files, and is well, and no worker too many is there."""
        live = self.slots.live()
        if not live or self.slots.started_from(live) != self.slots.fingerprint(folder, self._config()):
            return False
        try:
            self.slots.check(live, self.health)
            return not self.slots.strays()
        except (Unhealthy, OSError, xmlrpc.client.Error):
            return False

    def _config(self) -> list:
        """The files that a slot would read, if it were launched now."""
        staged = self.settings.staged()
        return [staged if staged and path == self.settings.path else path for path in self.params["config"]]

    def launch(self, transaction: Transaction, folder: str) -> None:
        transaction.launch(folder, self.params["config"], self.health)

    def complete(self, transaction: Transaction) -> None:
        """Ends a change that was made; a problem with that does not make it undone."""
        release = transaction.journal["entry"]["release"]
        try:
            transaction.end()
        except PROBLEMS as error:
            self.module.fail_json(msg=UNFINISHED % dict(release=release, problem=said(error), name=self.site.name))
        for problem in transaction.problems:
            self.module.warn(problem)

    def take_back(self, transaction: Transaction, error: Exception) -> None:
        """Ends a change that met a problem, and the module, unless it turns out to be made."""
        problem, journal = said(error, transaction.journal["entry"]["release"]), transaction.journal
        about = dict(problem=problem, name=self.site.name, database="", served="No version is served yet.")
        if journal["live"]:
            about["served"] = "The version before it goes on serving."
        try:
            if transaction.end(problem):
                return
        except PROBLEMS as reason:
            self.module.fail_json(msg=STUCK % dict(about, reason=reason))
        if journal.get("restored"):
            about["database"] = " The database is as it was."
        elif journal["entry"].get("dump"):
            about["database"] = " A copy of the database from before is %s.gz." % journal["entry"]["dump"]
        self.module.fail_json(msg=UNDONE % about)


def said(error: Exception, release: str = "the release") -> str:
    """A problem as the message of a task."""
    if isinstance(error, Unhealthy):
        return "%s did not become healthy: %s" % (release, error)
    if isinstance(error, MigrationError):
        return "The migrations of %s failed. %s\n%s" % (release, error, error.report)
    if isinstance(error, xmlrpc.client.Error):
        return "supervisor can't be asked to run %s: %s" % (release, error)
    if isinstance(error, OSError):
        return "The host can't serve %s: %s" % (release, error)
    return str(error)


def seal(site: Site, folder: str, **about: str) -> None:
    """Gives a release to root and marks it as complete."""
    release = site.path("releases", site.release_name(folder))
    if not is_sealed(release):
        seal_tree(release)
        write_file(os.path.join(release, SEAL), json.dumps(about).encode() + b"\n", 0o644)
