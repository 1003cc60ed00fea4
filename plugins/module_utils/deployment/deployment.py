# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules that change what an application serves have in common."""

from __future__ import annotations

import contextlib
import os
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.build.config_files import private_files
from ansible_collections.selfhost.flask.plugins.module_utils.common.manifest import manifest
from ansible_collections.selfhost.flask.plugins.module_utils.common.tree import Tree
from ansible_collections.selfhost.flask.plugins.module_utils.database.data import (
    Data,
    addresses_of,
    application,
    concerns,
    data_of,
    is_without,
)
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import Database
from ansible_collections.selfhost.flask.plugins.module_utils.database.drivers import account_in
from ansible_collections.selfhost.flask.plugins.module_utils.database.url import address_in_env
from ansible_collections.selfhost.flask.plugins.module_utils.deployment import program
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.ending import PROBLEMS, Ending, copy_in_words, said
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.health import Unhealthy, health_of
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.slots import Slots
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.transaction import Transaction, recover
from ansible_collections.selfhost.flask.plugins.module_utils.flask.application import FlaskApp
from ansible_collections.selfhost.flask.plugins.module_utils.flask.loading import Loading, inspect, sandbox_of
from ansible_collections.selfhost.flask.plugins.module_utils.flask.migrations import Migrations
from ansible_collections.selfhost.flask.plugins.module_utils.flask.revisions import are_for_each_bind, heads, revisions
from ansible_collections.selfhost.flask.plugins.module_utils.process.manager import ProcessError
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import Busy, Lock, step
from ansible_collections.selfhost.flask.plugins.module_utils.site.module_lock import take_lock
from ansible_collections.selfhost.flask.plugins.module_utils.site.records import RESTORED, Records
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import (
    SEAL,
    keep_application,
    read_seal,
    seal_tree,
    write_seal,
)
from ansible_collections.selfhost.flask.plugins.module_utils.site.settings import Settings, read_settings
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

CHANGED = "%(release)s changed the database when it was loaded, and no migration was pending: %(changes)s. %(copy)s"


class Deployment(Ending):
    """A task's application on this host."""

    def __init__(self, module: AnsibleModule) -> None:
        params = module.params
        self.module = module
        self.params = params
        self.site = Site(params["name"], params["root"], params["log"], tuple(params["workers"]))
        self.slots = Slots(self.site)
        self.settings = Settings(self.site)
        self.health = health_of(params)
        self.holder = {}
        self.moved = False  # the release that is to be served has its data elsewhere than the served one
        self.asked = None  # what the release that is to be served said of itself

    @contextlib.contextmanager
    def at_work(self):
        """This process changes the application, and nobody else; the session ends with it."""
        self._take_lock()
        try:
            with step(self.site.root):
                self._check_session()
                recover(self.site)
                program.install(self.site)
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

    def follow(self, loading: Loading) -> bool:
        """From here on the databases are those of the release that was asked; whether they are others than before."""
        before = self.data()
        self.asked = loading.to_keep()
        now, urls = self.data(), [address_in_env(self.site, path) for path in ("", self.settings.coming())]
        differs = (now.pairs(), now.missing) != (before.pairs(), before.missing)
        places = [url and url.place for url in urls]
        self.moved = places[0] != places[1] or (differs and bool(application(self.site)))
        return differs

    def learn(self, folder: str) -> None:
        """Asks a served release that was sealed when nobody asked, and says what there is to know of it."""
        release = self.site.path("releases", self.site.release_name(folder))
        loading = Loading.kept(read_seal(release))
        if loading is None:
            loading = self.inspect(folder)
            keep_application(release, loading.to_keep())
        self.warn_of(folder, loading)

    def warn_of(self, folder: str, loading: Loading) -> None:
        """Says what whoever deploys a release has to know of its data and its key."""
        before = application(self.site) if self.slots.live() else None
        about, path = loading.to_keep(), self.settings.coming()
        for concern in concerns(self.site, self.site.release_name(folder), about, before, path):
            self.module.warn(concern)

    def application(self, folder: str) -> FlaskApp:
        """With the settings of the deployment, also while they are not in .env yet."""
        return FlaskApp(self.module, folder, self.site.name, settings=self._coming_settings())

    def _coming_settings(self) -> dict:
        """Those that are not in .env yet. Until they are, the account's password is the one that is there."""
        found = read_settings(self.settings.staged())
        passwords = [account_in(path, self.site.name).password for path in (self.settings.path, self.settings.staged())]
        if None not in passwords:
            found.pop("DATABASE_URL", None)
        return found

    def data(self) -> Data:
        """The databases of the release that is to be served, once it was asked; those of the served one before."""
        served = self.asked is None and self.slots.live()
        return data_of(self.site, self.asked, self.settings.path if served else self.settings.coming())

    def database(self) -> Database | None:
        """The same as one, which can be copied and brought back; None where that is not true of all of them."""
        data = self.data()
        return None if data.missing else data.database

    def revision(self) -> list:
        """The database's present revision, where it can be asked for."""
        database = self.database()
        return database.revision() if database else []

    def has_migrations(self, folder: str) -> bool:
        name = "" if is_without(self.site) else self.params["migrations"]
        return bool(name) and os.path.isdir(os.path.join(folder, name))

    def is_restored(self) -> bool:
        """Whether the data is that of a backup, and no revision says what it lacks."""
        last = Records(self.site).entries[-1:]
        return not self.params["migrations"] and bool(last) and last[0]["outcome"] == RESTORED

    def is_at_risk(self, loading: Loading) -> bool:
        """Whether a release may change a database when it is loaded, with nobody asking for that.

        Where the user says that there is none, one that it reaches for is another server; one that it names counts.
        """
        is_named = addresses_of(self.site, loading.to_keep(), None) if is_without(self.site) else loading.has_database()
        return loading.is_risky() and (bool(is_named) or self.database() is not None)

    def pending(self, revision: str = "heads") -> Migrations | None:
        """What lies between the database and a revision, as the live release says; None where it has no migrations."""
        folder = self.slots.release(self.slots.live())
        if not folder or not self.has_migrations(folder):
            return None
        return Migrations(self.application(folder), self.params["migrations"], revision)

    def current(self, folder: str) -> list | None:
        """The revisions of each database that a release migrates, by the live one if none can be asked; None if unknown."""
        if self.database():
            return self._revisions(folder)
        folder = self.slots.release(self.slots.live())
        if not folder or not self.has_migrations(folder):
            return None
        question = dict(directory=self.params["migrations"], revision="heads")
        current = self.application(folder).answer("database", **question).get("current")
        return None if current is None else [current]

    def _revisions(self, folder: str) -> list:
        """Those of the database as a whole, or of each if the release's migrations are for several."""
        database = self.database()
        is_each = are_for_each_bind(Tree(folder, folder), self.params["migrations"])
        return [one.revision() for one in (database.members() if is_each else [database])]

    def inspect(self, folder: str, current: list | None = None) -> Loading:
        """Loads a release without a way to live data; with the databases' revisions, it also says what is pending."""
        question = {} if current is None else dict(directory=self.params["migrations"], current=current)
        loading = inspect(self.sandboxed(folder), **question)
        if loading.loads or loading.databases:
            return loading
        served = application(self.site)
        return loading._replace(**{name: served.get(name, []) for name in ("databases", "files")})  # for all that is known

    def sandboxed(self, folder: str) -> FlaskApp:
        sandbox = sandbox_of(self.site, self.site.release_name(folder), self.database())
        return FlaskApp(self.module, folder, sandbox=sandbox, settings=self._coming_settings())

    def is_settled(self, folder: str) -> bool:
        """Whether nothing is pending for a release: by its files, by the database, and if it is live, by itself."""
        if not self.has_migrations(folder):
            return not self.is_restored()
        if self.database():
            return self._is_up_to_date(folder)
        found = self.pending() if self.is_live(folder) else None
        return found is not None and not found.pending

    def is_live(self, folder: str) -> bool:
        return self.site.release_name(folder) == self.site.release_name(self.slots.release(self.slots.live()))

    def _is_up_to_date(self, folder: str) -> bool:
        """Whether the database is where the release's migrations end, or where the live release left it.

        To read the files takes a tenth of the time that it takes to load the application.
        """
        release = self.site.release_name(folder)
        known, unreadable = revisions(Tree(folder, folder), self.params["migrations"])
        ends = [] if unreadable else [sorted(heads(known))]
        if self.is_live(folder):
            ends.append(sorted(Records(self.site).served(release).get("revision", [])))
        return all(one in [end for end in ends if end] for one in self._revisions(folder))

    def serves(self, folder: str) -> bool:
        """Whether the live slot runs a release with these files, and is well, and no worker too many is there."""
        live = self.slots.live()
        if not live or self.slots.started_from(live) != self.slots.fingerprint(folder, self._config()):
            return False
        try:
            self.slots.check(live, self.health)
            return not self.slots.strays()
        except (Unhealthy, OSError, ProcessError):
            return False

    def stay(self, folder: str) -> dict | None:
        """Leaves a settled release that is served and well as it is; what the module returns, None where it is not so."""
        if not self.serves(folder):
            return None
        self.settings.take()  # they are those that it was launched with
        self.settings.keep()
        for problem in self.slots.dead_workers():
            self.module.warn(problem)
        self.learn(folder)
        return dict(changed=self._follow(), slot=self.slots.live(), release=self.site.release_name(folder))

    def _follow(self) -> bool:
        """Points `current` to what is served; whether it did not."""
        live = self.slots.live()
        strayed = not self.slots.is_followed(live)
        if strayed:
            self.slots.follow(live)
        return strayed

    def _config(self) -> list:
        """The files that a slot would read, if it were launched now."""
        staged = self.settings.staged()
        return [staged if staged and path == self.settings.path else path for path in self.params["config"]]

    def protect(self, transaction: Transaction, online: bool = False) -> None:
        """From here on nobody else writes to the database, and there is a copy of it, which a failure brings back."""
        live, database = transaction.journal["live"], self.data().database
        if live and not online:
            transaction.close_writes([live], self.params["patience"])
        if database:
            transaction.dump(database, undo=not (live and online))

    def launch(self, transaction: Transaction, folder: str, asked: bool) -> None:
        """Starts the release, and looks at what that has done to the database, where nobody asked for a change."""
        transaction.launch(folder, self.params["config"], self.health)
        changes = [] if asked or not transaction.journal["live"] else transaction.changes()
        if changes:
            entry = transaction.journal["entry"]
            entry["changes"] = changes
            about = dict(release=entry["release"], changes="; ".join(changes), copy=copy_in_words(entry))
            self.module.warn(CHANGED % about)

    def note_revision(self, transaction: Transaction) -> None:
        """The records get the revision that the database is really at."""
        database = self.database()
        if database:
            transaction.journal["entry"]["revision"] = database.revision()
            transaction.note()


def seal(site: Site, folder: str, **about: str) -> None:
    """Gives a new release to root and marks it as complete, with what tells whether it stays as it is."""
    release = site.path("releases", site.release_name(folder))
    if not read_seal(release):
        seal_tree(release, private_files(folder), site.name)
        write_seal(release, dict(about, files=manifest(release, SEAL)))
