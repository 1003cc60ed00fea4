# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a change of what an application serves ends, and what is said of that."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.common.advice import advice
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import DatabaseError
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.gate import StillWriting
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.health import Unhealthy
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.transaction import Transaction
from ansible_collections.selfhost.flask.plugins.module_utils.flask.application import ApplicationError
from ansible_collections.selfhost.flask.plugins.module_utils.flask.migrations import MigrationError
from ansible_collections.selfhost.flask.plugins.module_utils.process.manager import ProcessError
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

PROBLEMS = (
    Unhealthy,
    ApplicationError,
    MigrationError,
    DatabaseError,
    CommandError,
    StillWriting,
    OSError,
    ProcessError,
)
UNDONE = "%(problem)s\n%(served)s%(database)s Fix the cause and run the playbook again."
STUCK = (
    "%(problem)s\nThis could not be rolled back yet: %(reason)s\n%(served)s Requests that write may be answered "
    "503. flask-%(name)s-recover.service tries again every few seconds; see its log: `sudo journalctl -u flask-%(name)s-recover`."
)
UNFINISHED = (
    "%(release)s is served now, but what follows could not be done: %(problem)s flask-%(name)s-recover.service tries "
    "again every few seconds; see its log: `sudo journalctl -u flask-%(name)s-recover`."
)


class Ending:
    """Of a task that changes an application on this host."""

    module: AnsibleModule
    site: Site

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
        problem = "\n".join(filter(None, [problem.rstrip(), advice(problem)]))
        about = dict(problem=problem, name=self.site.name, database="", served="No version is served yet.")
        if journal["live"]:
            about["served"] = "The version before it goes on serving."
        try:
            if transaction.end(problem):
                return
        except PROBLEMS as reason:
            self.module.fail_json(msg=STUCK % dict(about, reason=reason))
        if transaction.left:
            about["database"] = " What is left of it in the database: %s." % "; ".join(transaction.left)
        elif journal.get("restored"):
            about["database"] = " The database is as it was."
        if not journal.get("restored") and (transaction.left or journal["entry"].get("dump")):
            about["database"] += " " + copy_in_words(journal["entry"])
        self.module.fail_json(msg=UNDONE % about)


def copy_in_words(entry: dict) -> str:
    """Where the copy of the database is that a change has made."""
    if not entry.get("dump"):
        return "There is no copy from before."
    return "A copy of the database from before is %s.gz." % entry["dump"]


def said(error: Exception, release: str = "the release") -> str:
    """A problem as the message of a task."""
    if isinstance(error, Unhealthy):
        return "%s did not become healthy: %s" % (release, error)
    if isinstance(error, MigrationError):
        return "The migrations of %s failed. %s\n%s" % (release, error, error.report)
    if isinstance(error, ProcessError):
        return "%s can't be asked to run %s: %s" % (error.manager, release, error)
    if isinstance(error, OSError):
        return "The host can't serve %s: %s" % (release, error)
    return str(error)
