# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The migrations of a release, by the application's own Flask-Migrate."""

from __future__ import annotations

from ansible_collections.selfhost.flask.plugins.module_utils.flask.application import FlaskApp, Result

USAGE_ERROR = 2  # of flask
NO_COMMAND = (
    "The application's environment has no command `flask %s`, which Flask-Migrate brings. Nothing was migrated. Add "
    "Flask-Migrate to the requirements; the version of Flask that they name has to fit it. If the application migrates "
    "another way, set flask_migration_command."
)


class MigrationError(Exception):
    """A migration that failed, with the result of its command and the state of the database after it."""

    def __init__(self, message: str, result: Result, state: dict, report: str) -> None:
        super().__init__(message)
        self.result = result
        self.state = state
        self.report = report


class Migrations:
    """What lies between the database and a desired revision."""

    def __init__(self, app: FlaskApp, directory: str, revision: str = "head", state: dict | None = None) -> None:
        """With the state where it is known already; else the application says it."""
        self.app = app
        self.directory = directory
        self.revision = revision
        self.state = state or app.ask(**self._question())
        self.before = self.state["current"]
        self.pending = self.state["pending"]
        self.downgrade = self.state["downgrade"]
        self.after = self.state["desired"] if self.pending else self.before

    def _question(self) -> dict:
        return dict(question="database", directory=self.directory, revision=self.revision)

    def run(self) -> None:
        """Applies or undoes what is pending; MigrationError where the database is elsewhere then."""
        verb = "downgrade" if self.downgrade else "upgrade"
        result = self.app.run("flask", self.state["command"], verb, "--directory", self.directory, self.revision)
        now = self.app.answer(**self._question())
        if result.code == 0 and now.get("pending") == []:
            return
        if result.code == USAGE_ERROR and "No such command" in result.err:
            raise MigrationError(NO_COMMAND % self.state["command"], result, now, self.app.report(result, ""))
        now = dict(dict(current=["an unknown one"], pending=[]), **now)
        said = "The database was at revision %s and is at %s now, not at %s. Fix the migration, and see whether it " \
            "left something half done: not every database undoes a failed one."
        revisions = tuple(map(named, (self.before, now["current"], self.state["desired"])))
        raise MigrationError(said % revisions, result, now, self.app.report(result, ""))


def named(revisions: list) -> str:
    """Revisions as alembic and a person write them."""
    return ", ".join(revisions) or "base"
