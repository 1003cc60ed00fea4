# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The database's way back to the revision that an earlier release was served with, and what it loses."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.selfhost.flask.plugins.module_utils.database.database import (
    DatabaseError,
    compare_now,
    read_manifest,
)
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.deployment import Deployment
from ansible_collections.selfhost.flask.plugins.module_utils.flask.migrations import Migrations, named
from ansible_collections.selfhost.flask.plugins.module_utils.site.records import SERVED, Records

DIFFERS = (
    "%(target)s was served with the database at revision %(wanted)s, and it is at %(now)s. Run "
    "`selfhost.flask.rollback` again with one of these:\n%(ways)s\nNothing was changed."
)
CHANGED = (
    "flask_migration_command has changed the database since %(target)s was served: %(changes)s. Run "
    "`selfhost.flask.rollback` again with one of these:\n%(ways)s\nNothing was changed."
)
WAY = "-e flask_rollback_database=%s: %s"
NO_DOWNGRADE = (
    "Only Flask-Migrate's revisions can be undone. Use flask_rollback_database=keep or restore, or downgrade by hand. Nothing "
    "was changed."
)
NO_COPY = (
    "The application uses %s, which can't be copied here, so no database is changed. Use flask_rollback_database=keep. Nothing "
    "was changed."
)


class WayBack:
    """What lies between the database and the revision that a release wants."""

    def __init__(self, deployment: Deployment, records: Records, target: str, wanted: list) -> None:
        self.deployment = deployment
        self.records = records
        self.target = target
        self.wanted = wanted
        self.migrated = self._migrated_since()

    def _migrated_since(self) -> list:
        """The releases since then whose command has changed the database, the oldest first."""
        found = []
        for entry in (entry for entry in self.records.entries if entry["outcome"] == SERVED):
            if entry["release"] == self.target:
                found = []
            elif entry.get("migrated"):
                found.append(entry)
        return found

    def revision(self) -> list:
        """The database's present revision."""
        database = self.deployment.database()
        if database:
            return database.revision()
        found = self.deployment.pending()
        return found.before if found else []

    def change(self) -> Callable | None:
        """What is to be done to the database; None where that is nothing."""
        now, wanted, policy = self.revision(), self.wanted, self.deployment.params["database"]
        if (sorted(now) == sorted(wanted) and not self.migrated) or policy == "keep":
            return None
        if policy == "refuse":
            values = dict(target=self.target, wanted=named(wanted), now=named(now), ways="\n".join(self.ways()))
            values["changes"] = "; ".join(change for entry in self.migrated for change in entry["migrated"])
            self.deployment.module.fail_json(msg=(CHANGED if self.migrated else DIFFERS) % values)
        if self.deployment.database() is None:
            raise DatabaseError(NO_COPY % (self.deployment.data().lacks() or "a database"))
        return self._downgrade() if policy == "downgrade" else self._restoration()

    def ways(self) -> list:
        """What can be done, and what each of it loses."""
        lines = [WAY % ("keep", "the database stays as it is, and %s has to work with it." % self.target)]
        database = self.deployment.database()
        if database is None:
            return lines
        migrations = self._migrations()
        for item in migrations.pending if migrations and migrations.downgrade else []:
            fate = "with all that it added" if item["reversible"] else "which has NO downgrade, so this is impossible"
            lines.append(WAY % ("downgrade", "undoes %s %s, %s." % (item["revision"], item["message"].rstrip("."), fate)))
        path = self._copy()
        if path:
            manifest = read_manifest(path)
            changed = compare_now(manifest, database)
            loss = "loses what was written since %s: %s." % (manifest["time"], changed or "no row less")
            lines.append(WAY % ("restore", loss))
        return lines

    def _downgrade(self) -> Callable:
        """Undoes revisions with the migrations of the release that is live."""
        migrations = self._migrations()
        if migrations is None:
            raise DatabaseError(NO_DOWNGRADE)
        if not migrations.downgrade:
            raise DatabaseError("The database is not beyond revision %s. Run `selfhost.flask.update`." % named(self.wanted))
        stuck = [item["revision"] for item in migrations.pending if not item["reversible"]]
        if stuck:
            raise DatabaseError(
                "The revision %s has no downgrade. Use flask_rollback_database=restore or keep. Nothing was changed."
                % named(stuck)
            )
        return migrations.run

    def _migrations(self) -> Migrations | None:
        """What the live release knows to lie between the two; None where it has no Flask-Migrate to undo it."""
        if not self.deployment.params["migrations"]:
            return None
        if len(self.wanted) > 1:
            raise DatabaseError(
                "%s are several revisions. Downgrade by hand, or use flask_rollback_database=keep." % named(self.wanted)
            )
        return self.deployment.pending((self.wanted or ["base"])[0])

    def _restoration(self) -> Callable:
        """Brings back the newest copy that has the revision."""
        path = self._copy()
        if not path:
            place = "as %s had it" % self.target if self.migrated else "at revision %s" % named(self.wanted)
            raise DatabaseError("There is no copy of the database %s. Use flask_rollback_database=keep." % place)
        database = self.deployment.database()
        return lambda: database.restore(path)

    def _copy(self) -> str:
        """The newest dump that has the revision; empty where there is none. A command's own copy is what it has found."""
        for entry in self.migrated[:1] or reversed(self.records.entries):
            try:
                if entry.get("dump") and sorted(read_manifest(entry["dump"])["revision"]) == sorted(self.wanted):
                    return entry["dump"]
            except DatabaseError:
                continue  # it was pruned
        return ""
