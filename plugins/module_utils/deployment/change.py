# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release does to the database before it is launched."""

from __future__ import annotations

from ansible_collections.selfhost.flask.plugins.module_utils.deployment.commands import FirstRun, run_line
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.deployment import Deployment
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.transaction import Transaction
from ansible_collections.selfhost.flask.plugins.module_utils.flask.migrations import Migrations

NO_COPY = (
    "There %(verb)s pending migrations, and %(lacks)s can't be copied here. Add "
    "-e flask_migration=online to run them without a copy of it; a failure is then not undone. Nothing was changed."
)
NO_COPY_OF_RISK = (
    "%(release)s may change its database when it is loaded (%(reason)s), and %(lacks)s can't be copied here. "
    "Add -e flask_migration=online to load it without a copy; a failure is then not undone. Nothing was changed."
)


class Change:
    """What a release is about to do to the database."""

    def __init__(self, deployment: Deployment, folder: str, settled: bool) -> None:
        self.deployment = deployment
        self.folder = folder
        self.look(settled)
        if deployment.follow(self.loading):  # it has other databases than the served one
            self.look(deployment.is_settled(folder))
        self.is_same = deployment.is_live(folder) and not deployment.moved and not deployment.is_restored()
        self.command = "" if self.is_same else deployment.params["migration_command"]
        self.is_pending = self.is_pending or bool(self.command)
        self.first_run = FirstRun(deployment)

    def look(self, settled: bool) -> None:
        """Asks the release how it is loaded, and what is pending for it."""
        self.settled = settled
        self.current = self.deployment.current(self.folder) if self.is_asked() else None
        self.loading = self.deployment.inspect(self.folder, self.current)
        known = self.loading.revisions
        self.is_pending = bool(known["pending"]) if known else self.is_asked()  # for all that is known

    def is_asked(self) -> bool:
        """Whether the application has to say what is pending."""
        return not self.settled and self.deployment.has_migrations(self.folder)

    def needs_copy(self) -> bool:
        """An application without a database may need something else to be loaded, such as the network.

        What the live release does when it is loaded, it does at each start of the host.
        """
        if self.is_pending or self.first_run.lines:
            return True
        return self.deployment.is_at_risk(self.loading) and not self.is_same

    def refusal(self) -> str:
        """Why it can't be made with a copy; nothing where it can, or where there is no database."""
        if not self.needs_copy():
            return ""
        release, lacks = self.deployment.site.release_name(self.folder), self.deployment.data().lacks()
        about = dict(release=release, reason=self.loading.reason(), lacks=lacks or "the database")
        about["verb"] = "may be" if self.command else "are"
        return (NO_COPY_OF_RISK if self.loading.is_risky() else NO_COPY) % about

    def revision(self) -> list:
        """The database's, once all is done as it is meant to be."""
        known = self.loading.revisions
        if known and known["pending"]:
            return known["desired"]
        return self.deployment.revision() if self.current is None else self.known_revision()

    def known_revision(self) -> list:
        """The database's before the change, as far as a release was asked for it."""
        return sorted({name for one in self.current or [] for name in one})

    def make(self, transaction: Transaction) -> None:
        """Protects the database, loads the release once and alone, and runs what is pending, and what is for the first time."""
        self.deployment.protect(transaction, self.deployment.params["migration"] == "online")
        with transaction.timed("migrate"):
            migrations = self.migrations()
            if migrations and migrations.pending:
                self.is_pending = True
                transaction.journal["entry"]["revision"] = migrations.after
                migrations.run()
            if self.command:
                self.run_command(transaction)
            if not self.first_run.lines:
                self.load()
        if self.first_run.lines:
            with transaction.timed("first run"):
                self.first_run.run(self.deployment.application(self.folder))
                self.load()

    def load(self) -> None:
        """Loads the release for what it may do to the database then, unless it was loaded to migrate.

        One that is deployed for the first time may lack what the commands of the first run make.
        """
        if self.loading.is_risky() and not self.is_pending and not self.is_unknown():
            self.deployment.application(self.folder).load()

    def is_unknown(self) -> bool:
        """Whether only the loaded application can say what is pending."""
        return self.loading.revisions is None and self.is_asked()

    def run_command(self, transaction: Transaction) -> None:
        """Migrates by the user's command; nobody but the database knows what that has changed."""
        run_line(self.deployment.application(self.folder), self.command, "flask_migration_command")
        transaction.journal["entry"]["migrated"] = transaction.changes()

    def migrations(self) -> Migrations | None:
        """What is pending; where only the loaded application can say so, it is loaded for that."""
        app, directory = self.deployment.application(self.folder), self.deployment.params["migrations"]
        state = self.loading.revisions
        if self.is_unknown():
            state = app.load("database", directory=directory, revision="heads")
        return Migrations(app, directory, "heads", state) if state else None
