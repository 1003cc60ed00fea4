# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change of what is served, which is made whole or taken back whole, whoever dies meanwhile.

The journal says what has been begun. It is removed when the change is complete or undone; until then
whoever finds it does one or the other. The unit flask-<app>-recover waits for the process that makes the
change, whose lock the kernel lets go of however it ends, and is started at boot as well.
"""

from __future__ import annotations

import contextlib
import os
import time

from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError, run
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import (
    Database,
    DatabaseError,
    differences,
)
from ansible_collections.selfhost.flask.plugins.module_utils.database.drivers import account_in, databases_at
from ansible_collections.selfhost.flask.plugins.module_utils.database.login import Account
from ansible_collections.selfhost.flask.plugins.module_utils.database.several import pairs_of
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.gate import Gate
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.health import Health
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.journal import Journal
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.slots import Slots
from ansible_collections.selfhost.flask.plugins.module_utils.shared.record import bring_shared, follow_links
from ansible_collections.selfhost.flask.plugins.module_utils.site.progress import tell
from ansible_collections.selfhost.flask.plugins.module_utils.site.records import (
    ABANDONED,
    FAILED,
    SERVED,
    Records,
    dump_folder,
)
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import keep_application, read_seal
from ansible_collections.selfhost.flask.plugins.module_utils.site.settings import Settings
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

WORKERS = "workers"  # the gate that they wait at before they begin
RETRY_AFTER = 5  # seconds; what is said to those who write while the database is migrated
INTERRUPTED = "the deployment was interrupted while it was at work on this host"


class Transaction:
    """One change; its journal has all that its completion or its undoing needs."""

    def __init__(self, site: Site, journal: dict) -> None:
        self.site = site
        self.slots = Slots(site)
        self.gate = Gate(site)
        self.settings = Settings(site)
        self.file = Journal(site)
        self.journal = journal
        self.left = []  # what of the database is not as it was after the change was taken back
        self.problems = []  # of workers and services that do not run; the change is made all the same

    @classmethod
    def begin(cls, site: Site, release: str, keep: int, **entry: object) -> Transaction:
        """Says what is about to be changed."""
        slots = Slots(site)
        live = slots.live()
        entry.update({"release": site.release_name(release), "from": site.release_name(slots.release(live))})
        journal = {
            "site": site._asdict(), "live": live, "idle": slots.idle(), "keep": keep,
            "entry": dict({"seconds": {}}, **entry),
            "dump": "", "databases": [], "workers": False, "committed": None,
        }
        transaction = cls(site, journal)
        transaction.settings.keep()  # no transaction is under way, so nothing is to be put back
        transaction.note()
        guard(site)
        return transaction

    def note(self, **changes: object) -> None:
        """Puts changes into the journal, on disk before anything else is done."""
        self.journal.update(changes)
        self.file.write(self.journal)

    @contextlib.contextmanager
    def timed(self, step: str):
        """Says that a step begins, and notes how long it took."""
        tell(self.site, step)
        begin = time.monotonic()
        yield
        self.journal["entry"]["seconds"][step] = round(time.monotonic() - begin, 2)

    def keep_application(self, folder: str, said: dict) -> None:
        """The release's seal has what it said of itself with the settings that it is launched with."""
        release = self.site.path("releases", self.site.release_name(folder))
        self.note(asked=[release, read_seal(release).get("application")])
        keep_application(release, said)

    def observe(self, database: Database | None) -> None:
        """Notes how the database is before anything is done to it."""
        if database:
            self.note(databases=pairs_of(database), before=database.shape())

    def changes(self) -> list:
        """What of the database's revision, tables and columns is not as it was observed."""
        before = self.journal.get("before")
        return differences(before, self._database().shape()) if before else []

    def close_writes(self, slots: list, patience: float) -> None:
        """From here on nothing is written to the database but by the migration."""
        self.note(workers=True)
        self.gate.refuse(WORKERS, RETRY_AFTER)  # those that are started again by themselves
        with self.timed("stop writes"):
            self.gate.await_jobs(patience)
            self.slots.stop_workers()
            for slot in slots:
                self.gate.close(slot, RETRY_AFTER, patience)

    def take_settings(self) -> None:
        """Migrations and the new slot find the deployment's settings from here on, and are let in with them."""
        served = self._account().password
        self.settings.take()
        wanted = self._account()
        if wanted.login is None or not wanted.login.is_there():
            return
        is_valid = wanted.login.lets_in(wanted.password)
        if not is_valid or served != wanted.password:
            self.note(account=True)
        if not is_valid:
            wanted.login.allow(*dict.fromkeys(one for one in (served, wanted.password) if one is not None))

    def _account(self) -> Account:
        return account_in(self.settings.path, self.site.name)

    def _settle_account(self) -> None:
        """Only the password in .env is valid, once nothing runs with another one."""
        account = self._account()
        if self.journal.get("account") and account.login:
            account.login.allow(account.password)

    def dump(self, database: Database, undo: bool) -> None:
        """Copies the database; with undo, the copy is what it is brought back to."""
        folder = dump_folder(self.site)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        path = os.path.join(folder, time.strftime("%Y%m%dT%H%M%SZ-", time.gmtime()) + self.journal["entry"]["release"])
        try:
            with self.timed("dump"):
                database.dump(path, release=self.journal["entry"]["from"], reason="before a migration")
        except BaseException:
            remove_dump(path)
            raise
        self.journal["entry"]["dump"] = path
        self.note(dump=path if undo else "", databases=pairs_of(database))

    def bring_shared(self, release: str) -> None:
        """Has shared/ follow what the release's repository has there; what stays as it is, is said in the end."""
        self.note(shared=True)
        self.problems += bring_shared(self.site, release, replace=True) + follow_links(self.site, release)

    def launch(self, release: str, config: list, health: Health) -> None:
        """Starts the release in the idle slot."""
        with self.timed("launch"):
            self.slots.launch(self.journal["idle"], release, config, health)

    def switch(self) -> None:
        """Moves the visitors; unless `committed` says otherwise, this is what makes the change."""
        self.slots.switch(self.journal["idle"])

    def is_committed(self) -> bool:
        if self.journal["committed"] is None:
            return self.slots.live() == self.journal["idle"]
        return self.journal["committed"]

    def end(self, problem: str = INTERRUPTED) -> bool:
        """Completes the change, or takes it back where it was not made; which of both."""
        made = self.is_committed()
        if made:
            self._complete()
        else:
            self._undo(problem)
        self.file.remove()
        return made

    def _complete(self) -> None:
        live, entry = self.journal["live"], self.journal["entry"]
        self.slots.follow(self.journal["idle"])
        self.gate.open(self.journal["idle"])  # the old slot may take its time
        if live:
            with self.timed("drain"):
                self.slots.retire(live)
        self.settings.keep()
        self.gate.open(live)
        self.gate.open(WORKERS)
        if self.site.workers or self.slots.known_workers():
            with self.timed("workers"):
                self.slots.stop_workers()
                self.problems = self.slots.start_workers()
        self._settle_account()
        records = Records(self.site)
        if not self.journal.get("recorded"):
            self._record(records, entry)
        try:
            self.journal["pruned"] = records.prune(self.journal["keep"])
        except OSError as error:
            self.journal["pruned"] = []
            self.problems.append("Older releases can't be removed: %s." % error)

    def _record(self, records: Records, entry: dict) -> None:
        """Once, however often the rest has to be tried."""
        if entry.pop("abandons", False):
            records.add({"release": entry["from"], "outcome": ABANDONED, "by": entry.get("by", "")})
        records.add(dict(entry, outcome=SERVED))
        self.note(recorded=True)

    def _undo(self, problem: str) -> None:
        live, idle = self.journal["live"], self.journal["idle"]
        if live and self.slots.live() == idle:
            self.slots.switch(live)
        self.slots.retire(idle)
        self.settings.put_back()
        if self.journal.get("asked"):
            keep_application(*self.journal["asked"])
        if live and self.journal.get("shared"):
            problem += self._bring_back(self.slots.release(live))
        if self.journal["dump"]:
            self.slots.stop_workers()  # a boot may have started them
            with self.timed("restore"):
                self._database().restore(self.journal["dump"])
            self.note(dump="", restored=True)  # never again: from here on others write
        self.open_writes()
        if self.journal["workers"] and live:
            self.slots.start_workers()
        self._settle_account()  # until then both passwords are valid
        not_so = ("revision", "dump", "changes")
        entry = {key: value for key, value in self.journal["entry"].items() if key not in not_so}
        self.left = self._remaining_changes()
        if self.left:
            entry["changes"] = self.left
        Records(self.site).add(dict(entry, outcome=FAILED, problem=problem))

    def _remaining_changes(self) -> list:
        """The changes of a release that is not served; a server that is gone does not keep the change from its end."""
        try:
            return self.changes()
        except (CommandError, DatabaseError) as error:
            return ["that can't be asked, %s" % error]

    def _bring_back(self, release: str) -> str:
        """Has shared/ follow the release that goes on serving; a problem with that does not stop the undoing."""
        try:
            failed = self.site.path(self.journal["entry"]["folder"])
            bring_shared(self.site, release, replace=True, failed=failed)
            follow_links(self.site, release)
        except CommandError as error:
            return "\n%s" % error
        return ""

    def open_writes(self) -> None:
        """Lets the requests in again, and the workers begin, with services that have read what is there now."""
        for unit in self.journal.get("readers", ()):
            try:
                run(["systemctl", "restart", unit])
            except CommandError as error:
                self.problems.append(str(error))
        for name in (self.journal["live"], self.journal["idle"], WORKERS):
            self.gate.open(name)

    def _database(self) -> Database:
        pairs = self.journal.get("databases") or [self.journal["database"]]  # as it was when there could be but one
        return databases_at(pairs, self.site.name)


def guard(site: Site) -> None:
    """Starts what ends the change, should this process not come to it."""
    unit = "flask-%s-recover.service" % site.name
    try:
        run(["systemctl", "start", "--no-block", unit])
    except CommandError as error:
        Journal(site).remove()
        raise CommandError("%s Run `selfhost.flask.site`, which installs it. Nothing was changed." % error) from error


def recover(site: Site) -> str:
    """Ends what a dead process has begun; what was done, or nothing."""
    journal = Journal(site).read()
    if journal is None:
        return ""
    about = journal["site"]
    transaction = Transaction(Site(about["name"], about["root"], about["log"], tuple(about["workers"])), journal)
    made = transaction.end()
    release = journal["entry"]["release"]
    return "completed the change to %s" % release if made else "took back the change to %s" % release


def remove_dump(path: str) -> None:
    for suffix in (".gz", ".json"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path + suffix)
