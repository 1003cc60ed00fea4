#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flask_rollback
short_description: Serves an earlier release of a Flask application again
version_added: 0.1.0
description:
  - Serves the good release before the one that is live, or a named one, after it was asked for its health
    like a new one. The release that was live is marked, and no later rollback chooses it.
  - Where the release was served with another revision of the database, O(database) says what becomes of the
    database. Without it the module refuses, and says what would be lost.
  - While the database is changed, requests that write are answered 503 with C(Retry-After). The database is
    copied before, and brought back to the copy where something fails.
extends_documentation_fragment:
  - selfhost.flask.site
  - selfhost.flask.site.records
  - selfhost.flask.site.migrations
  - selfhost.flask.site.health
  - selfhost.flask.deployment
  - selfhost.flask.lock
attributes:
  check_mode:
    description: Says which release would be served.
    support: full
  diff_mode:
    description: Shows the served release before and after.
    support: full
  idempotent:
    description: Each run goes back by one release; one to a named release that is served changes nothing.
    support: partial
options:
  release:
    description: Name of a release. Without it, the good one that was served before.
    type: str
    default: ""
  database:
    description:
      - V(downgrade) undoes the revisions that the release does not know, with the migrations of the newer
        one.
      - V(restore) brings back the copy that was made before these revisions were applied. What was written since
        is lost.
      - V(keep) leaves the database as it is.
      - V(refuse) does nothing where the revisions differ.
    type: str
    choices: [refuse, downgrade, restore, keep]
    default: refuse
  reason:
    default: a rollback
"""

EXAMPLES = r"""
- name: Go back
  selfhost.flask.flask_rollback:
    name: blog
    root: /srv/blog
    log: /var/log/blog
    app: "blog:create_app()"
    config: [/srv/blog/shared/.env, /srv/blog/gunicorn.conf.py]
    database: downgrade
"""

RETURN = r"""
holder:
  description: Who has the lock.
  type: dict
  returned: when somebody else has it
slot:
  description: The live slot, blue or green.
  type: str
  returned: always
release:
  description: Name of the served release.
  type: str
  returned: always
before:
  description: Name of the release that was served before.
  type: str
  returned: always
version:
  description: Name of its version.
  type: str
  returned: always
seconds:
  description: What each step took.
  type: dict
  returned: when the release was launched
pruned:
  description: Releases that were removed.
  type: list
  elements: str
  returned: when the release was launched
"""

from collections.abc import Callable

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils._arguments import DEPLOYMENT, lock
from ansible_collections.selfhost.flask.plugins.module_utils._deployment import PROBLEMS, Deployment
from ansible_collections.selfhost.flask.plugins.module_utils._database import (
    DatabaseError,
    compare_counts,
    read_manifest,
)
from ansible_collections.selfhost.flask.plugins.module_utils._migrations import Migrations, named
from ansible_collections.selfhost.flask.plugins.module_utils._records import Records
from ansible_collections.selfhost.flask.plugins.module_utils._results import diff_result
from ansible_collections.selfhost.flask.plugins.module_utils._slots import Unhealthy
from ansible_collections.selfhost.flask.plugins.module_utils._transaction import Transaction

DIFFERS = (
    "%(target)s was served with the database at revision %(wanted)s, and it is at %(now)s. Set "
    "flask_rollback_database to one of these:\n%(ways)s\nNothing was changed."
)


class Rollback:
    """The way from the live release to an earlier one."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.records = Records(deployment.site)
        self.live = deployment.site.release_name(deployment.slots.release(deployment.slots.live()))
        self.target = self._target(deployment.params["release"])
        self.entry = self.records.served(self.target)
        self.folder = deployment.site.path(self.entry["folder"])

    def _target(self, wanted: str) -> str:
        """The release to serve; the module fails where there is none."""
        good = self.records.good()
        candidates = [name for name in good if name != self.live]
        known = [name for name in self.records.outcomes() if self.records.is_there(name) and self.records.served(name)]
        if wanted in known or (not wanted and candidates):
            return wanted or candidates[0]
        said = "The release '%s' is not on this host" % wanted if wanted else "There is no release to go back to"
        self.deployment.module.fail_json(
            msg="%s. There are: %s. Deploy another version with update.yml. Nothing was changed."
            % (said, ", ".join(known) or "none")
        )

    def revision(self) -> list:
        """The database's present revision."""
        database = self.deployment.database()
        if database:
            return database.revision()
        found = self.deployment.pending(self.deployment.slots.release(self.deployment.slots.live()))
        return found.before if found else []

    def change(self) -> Callable | None:
        """What is to be done to the database; None where that is nothing."""
        now, wanted, policy = self.revision(), self.entry.get("revision", []), self.deployment.params["database"]
        if sorted(now) == sorted(wanted) or policy == "keep":
            return None
        if policy == "refuse":
            values = dict(target=self.target, wanted=named(wanted), now=named(now), ways="\n".join(self.ways(wanted)))
            self.deployment.module.fail_json(msg=DIFFERS % values)
        if self.deployment.database() is None:
            raise DatabaseError("The database is none that can be copied here, so it is not changed. Set keep.")
        return self.downgrade(wanted) if policy == "downgrade" else self.restoration(wanted)

    def downgrade(self, wanted: list) -> Callable:
        """Undoes revisions with the migrations of the release that is live."""
        migrations = self.migrations(wanted)
        if not migrations.downgrade:
            raise DatabaseError("The database is not beyond revision %s. Run update.yml." % named(wanted))
        stuck = [item["revision"] for item in migrations.pending if not item["reversible"]]
        if stuck:
            raise DatabaseError("The revision %s has no downgrade. Nothing was changed." % named(stuck))
        return migrations.run

    def migrations(self, wanted: list) -> Migrations:
        if len(wanted) > 1:
            raise DatabaseError("The revision %s is more than one; downgrade by hand." % named(wanted))
        live = self.deployment.slots.release(self.deployment.slots.live())
        return self.deployment.pending(live, (wanted or ["base"])[0])

    def restoration(self, wanted: list) -> Callable:
        """Brings back the newest copy that has the revision."""
        path = self.copy(wanted)
        if not path:
            raise DatabaseError("There is no copy of the database at revision %s." % named(wanted))
        database = self.deployment.database()
        return lambda: database.restore(path)

    def copy(self, wanted: list) -> str:
        """The newest dump that has the revision; empty where there is none."""
        for entry in reversed(self.records.entries):
            try:
                if entry.get("dump") and sorted(read_manifest(entry["dump"])["revision"]) == sorted(wanted):
                    return entry["dump"]
            except DatabaseError:
                continue  # it was pruned
        return ""

    def ways(self, wanted: list) -> list:
        """What can be done, and what each of it loses."""
        lines = ["keep: the database stays as it is, and %s has to live with it." % self.target]
        if self.deployment.database() is None:
            return lines
        migrations = self.migrations(wanted)
        for item in migrations.pending if migrations.downgrade else []:
            fate = "with all that it added" if item["reversible"] else "which has NO downgrade, so this is impossible"
            lines.append("downgrade: undoes %s %s, %s." % (item["revision"], item["message"], fate))
        path = self.copy(wanted)
        if path:
            manifest = read_manifest(path)
            changed = compare_counts(manifest["tables"], self.deployment.database().tables())
            lines.append("restore: loses what was written since %s: %s." % (manifest["time"], changed or "no row less"))
        return lines

    def run(self, change: Callable | None) -> Transaction:
        """Serves the release; the database follows when it does."""
        deployment, entry = self.deployment, self.entry
        about = dict(version=entry.get("version", ""), commit=entry.get("commit", ""), folder=entry["folder"])
        about.update(deployment.about(), revision=entry["revision"] if change else self.revision(), abandons=True)
        transaction = Transaction.begin(deployment.site, self.folder, deployment.params["keep"], **about)
        try:
            if change:
                change = self.guarded(transaction, change)
            self.launch(transaction, change)
        except PROBLEMS as error:
            deployment.take_back(transaction, error)
        else:
            deployment.complete(transaction)
        return transaction

    def guarded(self, transaction: Transaction, change: Callable) -> Callable:
        """The change of the database, which nobody writes to from here on, and of which there is a copy."""
        journal = transaction.journal
        transaction.note(committed=False)
        transaction.close_writes([journal["live"], journal["idle"]], self.deployment.params["patience"])
        transaction.dump(self.deployment.database(), undo=True)

        def run() -> None:
            with transaction.timed("database"):
                change()
            run.done = True

        run.done = False
        return run

    def launch(self, transaction: Transaction, change: Callable | None) -> None:
        """An older release mostly lives with a newer database, and the other way round not: so it is first."""
        try:
            self.deployment.launch(transaction, self.folder)
        except Unhealthy:
            if change is None:
                raise
            change()
            self.deployment.launch(transaction, self.folder)
        transaction.switch()
        if change:
            if not change.done:
                change()
            transaction.note(committed=True)


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            DEPLOYMENT,
            **lock("a rollback"),
            release=dict(type="str", default=""),
            database=dict(type="str", choices=["refuse", "downgrade", "restore", "keep"], default="refuse"),
        ),
        supports_check_mode=True,
    )
    deployment = Deployment(module)
    if module.check_mode:
        rollback = Rollback(deployment)
        module.exit_json(changed=rollback.target != rollback.live, **described(rollback))
    with deployment.at_work():
        rollback = Rollback(deployment)
        result = dict(described(rollback), changed=rollback.target != rollback.live)
        if result["changed"]:
            transaction = rollback.run(rollback.change())
            result.update(seconds=transaction.journal["entry"]["seconds"], pruned=transaction.journal["pruned"])
            result["slot"] = deployment.slots.live()
    module.exit_json(**result)


def described(rollback: Rollback) -> dict:
    """What the module returns in any case."""
    diff = dict(before="release: %s\n" % rollback.live, after="release: %s\n" % rollback.target)
    module, entry = rollback.deployment.module, rollback.entry
    return dict(
        slot=rollback.deployment.slots.live(),
        release=rollback.target,
        before=rollback.live,
        version=entry.get("version", ""),
        **diff_result(module, diff),
    )


if __name__ == "__main__":
    main()
