# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor's look at the data: database, settings, backups, and the renewal of the certificate."""

from __future__ import annotations

import json
import os
import time
from typing import Iterator

from ansible_collections.selfhost.flask.plugins.module_utils.backup import store
from ansible_collections.selfhost.flask.plugins.module_utils.backup.backup import read_settings
from ansible_collections.selfhost.flask.plugins.module_utils.common.dotenv import read as read_dotenv
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import text_of
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.common.tree import Tree
from ansible_collections.selfhost.flask.plugins.module_utils.common.words import count_of
from ansible_collections.selfhost.flask.plugins.module_utils.database.data import (
    COPY_IT,
    DIFFERS,
    KEYS,
    NOT_COPIED,
    ONCE,
    READ_KEY,
    READ_URL,
    SCHEDULES,
    Data,
    application,
    data_of,
)
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import (
    Database,
    DatabaseError,
    members_of,
)
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.slots import SETTINGS, Slots
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks.serving import state_of
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.findings import Finding, clipped
from ansible_collections.selfhost.flask.plugins.module_utils.flask.env_keys import example_keys
from ansible_collections.selfhost.flask.plugins.module_utils.flask.revisions import heads, revisions
from ansible_collections.selfhost.flask.plugins.module_utils.site.records import Records
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site


def database(site: Site, migrations: str) -> Iterator[Finding]:
    """Whether it answers, and is where the release expects it."""
    data = data_of(site)
    yield from coverage(data)
    for found in members_of(data.database):
        try:
            found.check()
        except (CommandError, DatabaseError, OSError, ValueError) as error:
            yield unreachable(found, error)
            return
    if data.database is None or data.missing:
        return
    present = sorted(data.database.revision())
    live = Slots(site).live()
    folder = Slots(site).release(live) if live else ""
    if folder and migrations:
        yield from revision(site, folder, migrations, present)


def coverage(data: Data) -> Iterator[Finding]:
    """What backups and updates don't copy, and what they copy instead of what DATABASE_URL names."""
    for missing in data.missing:
        yield Finding("database-not-copied", NOT_COPIED % missing, COPY_IT, subject=missing)
    if data.differs:
        yield Finding("database-differs", DIFFERS % data.differs, READ_URL)


def secret_key(site: Site) -> Iterator[Finding]:
    """Whether the served release signs with a key that nobody else has."""
    state, remedy = application(site).get("secret_key"), READ_KEY + " Then run `selfhost.flask.update`."
    if state == "weak":
        yield Finding("secret-key-weak", KEYS[state], remedy)
    elif state == "foreign":
        yield Finding("secret-key-foreign", KEYS[state], remedy)


def scheduler(site: Site) -> Iterator[Finding]:
    """Whether jobs run as often as the application has processes."""
    if application(site).get("schedules"):
        yield Finding("scheduler-repeated", SCHEDULES, ONCE + " Then run `selfhost.flask.update`.")


def unreachable(found: Database, error: Exception) -> Finding:
    states = {unit: state_of(unit) for unit in found.units}
    if states and "active" not in states.values():
        unit = next((name for name, state in states.items() if state == "failed"), found.units[0])
        return Finding(
            "database-stopped", "The database server %s is %s." % (unit, states[unit]),
            "`sudo systemctl start %s`; see `journalctl -u %s`." % (unit, unit),
        )
    return Finding(
        "database-unreachable", "The database %s does not answer: %s" % (found.name, clipped(str(error))),
        "See whether it is still there and its server runs; `selfhost.flask.restore` brings a backup back.",
    )


def revision(site: Site, folder: str, migrations: str, present: list) -> Iterator[Finding]:
    """A database beyond the release is a rollback's choice; one behind it lacks what the code uses."""
    known, unreadable = revisions(Tree(folder, folder), migrations)
    wanted = sorted(heads(known))
    served = Records(site).served(site.release_name(folder)).get("revision", [])
    if unreadable or not wanted or present == wanted or present == sorted(served):
        return
    if all(name in known for name in present):
        yield Finding(
            "database-behind",
            "The database is at revision %s, and the release %s needs %s."
            % (", ".join(present) or "base", site.release_name(folder), ", ".join(wanted)),
            "Run `selfhost.flask.update`, which upgrades it.",
        )


def settings(site: Site, required: list | None) -> Iterator[Finding]:
    """Whether .env has what the release requires, and the live slot was launched with it."""
    path, live = site.path("shared", ".env"), Slots(site).live()
    text = text_of(path)
    folder = Slots(site).release(live) if live else ""
    wanted = required
    if wanted is None:
        wanted = example_keys(Tree(site.path("releases", site.release_name(folder)), folder)) if folder else []
    have = read_dotenv(text)
    missing = [key for key in wanted if not have.get(key)]
    if missing:
        yield Finding(
            "settings-missing", "%s has no value for %s." % (path, ", ".join(missing)),
            "Set %s in flask_env, and run `selfhost.flask.update`." % ("it" if len(missing) == 1 else "them"),
        )
    copy = site.path("slots", live + SETTINGS, ".env") if live else ""
    if copy and os.path.exists(copy) and text_of(copy) != text:
        yield Finding(
            "settings-pending", "%s was changed since the application was started." % path,
            "Run `selfhost.flask.update`, which restarts it without an outage.",
        )


def report_of(path: str) -> dict:
    """What a program has written down, with its age in seconds; empty where there is nothing to read."""
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
        return dict(found, age=time.time() - os.stat(path).st_mtime) if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}


def backups(site: Site, hours: int, days: int) -> Iterator[Finding]:
    """Whether they are made, and whether they are good."""
    own = site.path("deployment")
    try:
        about = read_settings(site.root)
    except (store.BackupError, OSError, ValueError, KeyError):
        return  # the user has none
    since = (time.time() - os.stat(os.path.join(own, "backup.json")).st_mtime) / 3600
    last, drill = report_of(os.path.join(own, "last-backup.json")), report_of(os.path.join(own, "drill.json"))
    if last and not last.get("ok", True):
        yield Finding(
            "backup-failed", "The last backup failed at %s: %s" % (last.get("time"), clipped(last.get("problem", ""))),
            "Fix that, then run `selfhost.flask.backup`.",
        )
    names = store.backups(about.folder)
    age = (time.time() - store.moment(names[-1])) / 3600 if names else since
    if not names and since > hours:
        yield Finding("backup-missing", "There is no backup in %s." % about.folder, "Run `selfhost.flask.backup`.")
    elif age > hours:
        yield Finding(
            "backup-old", "The newest backup, %s, is %s old." % (names[-1], aged(age)),
            "Run `selfhost.flask.backup`; see `systemctl list-timers 'flask-%s-*'`." % site.name,
        )
    yield from drilled(site, drill, since, days)


def aged(hours: float) -> str:
    return count_of(int(hours // 24), "day") if hours >= 72 else count_of(int(hours), "hour")


def drilled(site: Site, drill: dict, since: float, days: int) -> Iterator[Finding]:
    if drill and not drill.get("ok", True):
        yield Finding(
            "drill-failed",
            "The backup %s is not good, as its trial at %s has shown: %s"
            % (drill.get("backup"), drill.get("time"), clipped(drill.get("problem", ""))),
            "Run `selfhost.flask.backup`, then `selfhost.flask.drill`.",
        )
    elif (drill.get("age", since * 3600) if drill else since * 3600) > days * 86400:
        yield Finding(
            "drill-old", "No backup was tried for %s." % count_of(int(drill["age"] if drill else since * 3600) // 86400, "day"),
            "Run `selfhost.flask.drill`; see `systemctl list-timers 'flask-%s-*'`." % site.name,
        )


def renewal(path: str) -> Iterator[Finding]:
    """What the role tls has written down of the last renewal."""
    found = report_of(path)
    if found.get("outcome", "ok") != "ok":
        yield Finding(
            "renewal-failed",
            "The certificate could not be renewed: %s" % clipped(str(found.get("message") or found["outcome"])),
            "Fix that, then run `selfhost.flask.site`.",
        )
