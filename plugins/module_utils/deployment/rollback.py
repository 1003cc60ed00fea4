# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Serving an earlier release again: which one it is, and how the database follows."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.selfhost.flask.plugins.module_utils.database.database import DatabaseError
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.deployment import Deployment
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.ending import PROBLEMS
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.health import Unhealthy
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.transaction import Transaction
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.way_back import WayBack
from ansible_collections.selfhost.flask.plugins.module_utils.flask.loading import Loading
from ansible_collections.selfhost.flask.plugins.module_utils.site.records import Records

NO_COPY = (
    "%(release)s may change its database when it is loaded (%(reason)s), and %(lacks)s can't be copied here. "
    "Add -e flask_rollback_database=keep to load it without a copy. Nothing was changed."
)
UNKNOWN = "The release '%s' is not on this host, or it is damaged."
LOST = "The Python of %s has gone from this host, as after an upgrade of the distribution."
OTHERS = "%s There are: %s. Deploy another version with `selfhost.flask.update`. Nothing was changed."


class Rollback:
    """The way from the live release to an earlier one."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.records = Records(deployment.site)
        self.live = deployment.site.release_name(deployment.slots.release(deployment.slots.live()))
        self.target = self._target(deployment.params["release"])
        self.entry = self.records.served(self.target)
        self.folder = deployment.site.path(self.entry["folder"])
        self.way_back = WayBack(deployment, self.records, self.target, self.entry.get("revision", []))

    def _target(self, wanted: str) -> str:
        """The release to serve; the module fails where there is none."""
        good = self.records.good()
        candidates = [name for name in good if name != self.live]
        known = [name for name in self.records.outcomes() if self.records.is_whole(name) and self.records.served(name)]
        if wanted in known or (not wanted and candidates):
            return wanted or candidates[0]
        said = UNKNOWN % wanted if wanted else "There is no release to go back to."
        lost = self.records.without_python()
        if wanted in lost or (lost and not wanted):
            said = LOST % ", ".join([wanted] if wanted else lost)
        self.deployment.module.fail_json(msg=OTHERS % (said, ", ".join(known) or "none"))

    def run(self, change: Callable | None) -> Transaction:
        """Serves the release; the database follows when it does."""
        deployment, entry = self.deployment, self.entry
        about = dict(version=entry.get("version", ""), commit=entry.get("commit", ""), folder=entry["folder"])
        about.update(
            deployment.about(),
            revision=entry["revision"] if change else self.way_back.revision(),
            abandons=True,
        )
        loading = deployment.inspect(self.folder)  # with the settings of today
        self.check_copy(loading)
        deployment.warn_of(self.folder, loading)
        transaction = Transaction.begin(deployment.site, self.folder, deployment.params["keep"], **about)
        try:
            transaction.keep_application(self.folder, loading.to_keep())
            transaction.observe(deployment.data().database)
            transaction.bring_shared(self.folder)
            if change:
                change = self.guarded(transaction, change)
            elif deployment.is_at_risk(loading):
                deployment.protect(transaction)
            self.launch(transaction, change)
        except PROBLEMS as error:
            deployment.take_back(transaction, error)
        else:
            deployment.complete(transaction)
        return transaction

    def check_copy(self, loading: Loading) -> None:
        """What may change the database when it is loaded is not, without a copy, unless somebody says so."""
        risk = self.deployment.is_at_risk(loading) and self.deployment.database() is None
        if risk and self.deployment.params["database"] != "keep":
            lacks = self.deployment.data().lacks() or "the database"
            about = dict(release=self.target, reason=loading.reason(), lacks=lacks)
            raise DatabaseError(NO_COPY % about)

    def guarded(self, transaction: Transaction, change: Callable) -> Callable:
        """The change of the database, which nobody writes to from here on, and of which there is a copy."""
        journal = transaction.journal
        transaction.note(committed=False)
        transaction.close_writes([journal["live"], journal["idle"]], self.deployment.params["patience"])
        transaction.dump(self.deployment.database(), undo=True)

        def run() -> None:
            with transaction.timed("database"):
                change()
            if self.way_back.migrated:
                journal["entry"]["migrated"] = transaction.changes()
            run.done = True

        run.done = False
        return run

    def launch(self, transaction: Transaction, change: Callable | None) -> None:
        """An older release mostly lives with a newer database, and the other way round not: so it is first."""
        try:
            self.deployment.launch(transaction, self.folder, asked=False)
        except Unhealthy:
            if change is None:
                raise
            change()
            self.deployment.launch(transaction, self.folder, asked=True)
        if change is None:
            self.deployment.note_revision(transaction)
        transaction.switch()
        if change:
            if not change.done:
                change()
            transaction.note(committed=True)
