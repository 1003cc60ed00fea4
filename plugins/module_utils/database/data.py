# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an application keeps its data in: what it said of itself when its release was made, or else its DATABASE_URL."""

from __future__ import annotations

import os
from typing import NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.common.tree import printable
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import Database, DatabaseError
from ansible_collections.selfhost.flask.plugins.module_utils.database.drivers import DRIVERS, databases_at
from ansible_collections.selfhost.flask.plugins.module_utils.database.several import pairs_of
from ansible_collections.selfhost.flask.plugins.module_utils.database.url import Address, address_in_env
from ansible_collections.selfhost.flask.plugins.module_utils.site.drivers import driver_of
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import read_link, read_seal
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

DIFFERS = (
    "The application keeps its data in %s, and not in %s, which DATABASE_URL names. The former is what is copied "
    "and restored."
)
READ_URL = "Let its configuration read DATABASE_URL, or set DATABASE_URL in flask_env to what it uses."
NOT_COPIED = "Nothing here copies %s: no backup has it, and no update or restoration brings it back."
COPY_IT = "Copy it where it is."
UNASKED = (
    "The application does not say where its data is: it can't be loaded without it, or has none of SQLAlchemy's engines. What "
    "is copied is what DATABASE_URL names."
)
UNWANTED = (
    "flask_database is none, and the application keeps its data in %s. No migration of it runs. Set flask_database to what it "
    "uses."
)
MOVED = "%s keeps its data in %s; the version before it keeps it in %s. No data is moved between them."
KEYS = {
    "weak": "The application signs its sessions with a secret key that everybody can guess, so anybody can log in as "
    "anybody.",
    "foreign": "The application signs its sessions with a secret key that is not the one in its .env. If it is in the "
    "code, whoever can read that can log in as anybody.",
}
READ_KEY = (
    "Let its configuration read SECRET_KEY from the environment, as in app.config['SECRET_KEY'] = "
    "os.environ['SECRET_KEY']; if flask_env sets it, to at least 32 random signs."
)


SCHEDULES = (
    "The application starts a scheduler whenever it is loaded, so each process of the application server runs each of its "
    "jobs."
)
ONCE = "Make them flask_jobs, or start the scheduler in one of flask_workers alone."

NONE = "none"  # the driver of an application without a database


class Data(NamedTuple):
    """The databases of an application."""

    database: Database | None = None  # all that can be copied on this host
    missing: tuple = ()  # in words, those that can't
    differs: tuple = ()  # in words, what it uses, and what DATABASE_URL names
    unasked: bool = False  # it could not be asked
    unwanted: str = ""  # in words, what it uses though the user says that it has none

    def pairs(self) -> list:
        return pairs_of(self.database) if self.database else []

    def notes(self) -> list:
        """What has to be said of them."""
        notes = ["%s %s" % (DIFFERS % self.differs, READ_URL)] if self.differs else []
        notes += [UNASKED] if self.unasked else []
        notes += [UNWANTED % self.unwanted] if self.unwanted else []
        return notes + (["%s %s" % (NOT_COPIED % self.lacks(), COPY_IT)] if self.missing else [])

    def lacks(self) -> str:
        return " and ".join(self.missing)


def application(site: Site, folder: str = "") -> dict:
    """What the release in a folder, or the served one, said of itself; empty for one that was not asked."""
    link = read_link(site.path("current"))
    release = site.path("releases", site.release_name(folder or (site.path(link) if link else "")))
    return read_seal(release).get("application", {})


def addresses(about: dict) -> list:
    """The databases that an application named. It may have named anything."""
    found = []
    for one in about.get("databases", []):
        texts = {key: printable(str(one.get(key, ""))) for key in ("kind", "name", "host", "bind")}
        found.append(Address(port=one["port"] if isinstance(one.get("port"), int) else 0, **texts))
    return found


def opened(site: Site, about: dict) -> list:
    """The SQLite files in shared/ that it opened while it was loaded, whatever it named: elsewhere it keeps no data."""
    shared = os.path.realpath(site.path("shared")) + os.sep
    found = [printable(str(path)) for path in about.get("files", [])]
    return [Address("sqlite", path) for path in found if path.startswith(shared)]


def is_without(site: Site) -> bool:
    """Whether the user says that the application has no database."""
    return driver_of(site, "database", "") == NONE


def addresses_of(site: Site, about: dict, env: Address | None) -> list:
    """Where its data is. A file among the code is none: nobody writes to it; nor is what is only guessed where there is none."""
    code, guesses = os.path.realpath(site.path("releases")) + os.sep, ["unknown"] if is_without(site) else []
    said = [one for one in addresses(about) if not one.name.startswith(code) and one.kind not in guesses]
    if env and all(one.kind == "unknown" for one in said):
        said.append(env)
    return said + [one for one in opened(site, about) if one.place not in [named.place for named in said]]


def data_of(site: Site, about: dict | None = None, path: str = "") -> Data:
    """The databases of an application by what it said of itself; by default of the release that is served.

    A path is that of the settings that it is served with, where that is not .env.
    """
    env = address_in_env(site, path)
    about = application(site) if about is None else about
    found = addresses_of(site, about, env)
    here = [one for one in found if is_here(site, one, env)]
    missing = tuple(one.in_words() for one in found if one not in here)
    known = [] if env in found else found
    is_known = env and not (env.kind == "sqlite" and not os.path.isabs(env.name))  # where that is, the application knows
    differs = is_known and known and env.place not in [one.place for one in known]
    names = (in_words(known), env.in_words()) if differs else ()
    is_silent = bool(about) and not about.get("databases") and not opened(site, about)
    unasked = is_silent and (about.get("loads") is False or env is not None)
    is_none = is_without(site)
    database = databases_at([[one.kind, one.name] for one in here], site.name)
    return Data(database, missing, names, unasked and not is_none, in_words(found) if is_none else "")


def is_here(site: Site, address: Address, env: Address | None) -> bool:
    """Whether root may copy and replace it here, as the application could do itself."""
    if address.kind not in DRIVERS or not address.is_local() or not DRIVERS[address.kind].is_set_up():
        return False
    if address.name == site.name or (env and address.place == env.place):
        return True
    try:
        return DRIVERS[address.kind].may_be_used(address.name, [site.name, env.user if env else ""])
    except DatabaseError:
        return False
    except CommandError:
        return True  # the server is stopped, which is said by whoever needs it


def in_words(found: list) -> str:
    return " and ".join(one.in_words() for one in found)


def database_of(site: Site) -> Database | None:
    """All databases that can be copied here, as one; None where there is none."""
    return data_of(site).database


def concerns(site: Site, release: str, about: dict, before: dict | None, path: str = "") -> list:
    """What whoever deploys a release has to know of its data, its jobs and its key; `before` is what the served one said.

    A path is that of the settings that it will be served with, where that is not .env.
    """
    found = data_of(site, about, path).notes()
    if before is not None:
        now = addresses_of(site, about, address_in_env(site, path))
        then = addresses_of(site, before, address_in_env(site))
        if now and then and {one.place for one in now} != {one.place for one in then}:
            found.append(MOVED % (release, in_words(now), in_words(then)))
    found += ["%s %s" % (SCHEDULES, ONCE)] if about.get("schedules") else []
    key = KEYS.get(about.get("secret_key"))
    return found + (["%s %s" % (key, READ_KEY)] if key else [])
