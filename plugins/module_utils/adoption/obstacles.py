# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the way of moving an installation, each with what to do instead."""

from __future__ import annotations

import os
import re
from typing import Iterable, NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.adoption.data import Data, is_inside, owner_of
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.installation import (
    BY_HAND,
    NOT_TAKEN,
    Installation,
    is_trusted,
)
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError, run
from ansible_collections.selfhost.flask.plugins.module_utils.database.data import NONE
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import Database, DatabaseError
from ansible_collections.selfhost.flask.plugins.module_utils.database.drivers import DRIVERS
from ansible_collections.selfhost.flask.plugins.module_utils.database.url import Address
from ansible_collections.selfhost.flask.plugins.module_utils.host.foreign_commands import bare
from ansible_collections.selfhost.flask.plugins.module_utils.host.foreign_commands import shown as shown_command
from ansible_collections.selfhost.flask.plugins.module_utils.host.foreign_programs import ForeignProgram
from ansible_collections.selfhost.flask.plugins.module_utils.process.foreign import MANAGERS

EXTERNAL = "external"
NO_SERVICE = (
    "%s in %s was started in a session, so nothing could start it again. Let a service run it first."
)
ENDS = (
    "%s in %s was started in a session, and may write to the data. End it, and look again; if it belongs to the site, let a "
    "service run it."
)
OTHER_UNIT = (
    "What works in %s is run by %s, which is no unit of the administrator's, and may run more than this. Let a unit of its own "
    "in /etc/systemd/system run it first."
)
EMPEROR = (
    "%s is an emperor of uWSGI, which starts an application for each file in %s. Take the file of this one away from there, "
    "write a unit that runs uwsgi --ini with it, start that, and look again."
)
NO_FOLDER = "Nobody says in which folder %s runs. Set its working directory in %s."
GONE_FOLDER = "%s is to run in %s, which is no folder. Correct that in %s."
NOBODYS_FOLDER = "%s belongs to the user %d, whom this host does not know. Give it to %s by chown."
UNRESOLVED = (
    "%s has %s from the environment of %s itself, which is not known here, and the new one would lack it. Write the value into "
    "%s or .env, or set it in flask_env."
)
UNREAD = (
    "%s. Its settings would be lost. Let it be a regular file below 1 MB that the user of the program can read."
)
SHARED_FILE = "%s also has %s, which is no part of this application and would end with it. Put that into a file of its own."
SHARED_SITE = (
    "%s also leads to %s, which is no part of this application and would end with it. Put that into a file of its own; what "
    "belongs to the same host name goes into flask_web_include."
)
OTHER_KIND = "It keeps its data in %s, and flask_database is %s. Set flask_database to %s: data is moved to the same kind only."
NO_DATABASE = (
    "No setting names its database, and flask_database is %s. If it has one, put DATABASE_URL into its .env; if not, set "
    "flask_database to none."
)
ELSEWHERE = (
    "Its data is in %s, which is not on its host, and stays there. Set flask_database to external, and DATABASE_URL in flask_env "
    "to what its .env has."
)
NO_FILE = (
    "Its database is the SQLite file %s, and there is none of that name in %s. Put its whole path into DATABASE_URL of its .env."
)
NO_DRIVER = "It keeps its data in %s, which this collection does not copy. Set flask_database to external, and move it yourself."
SHUT_OUT = (
    "It keeps its data in %s, whose server lets in nobody but applications of this collection once the new one is set up. So "
    "that the old one goes on until its data is moved, set %s; after -e flask_adopt=finish, remove that again."
)
NO_ACCESS = "%s can't be read by root: %s. Put that right there first."
SAME_DATABASE = (
    "The new one would have its data in %s itself, which ends with the old one. Let it have one of its own: change the name in "
    "the inventory. Or set flask_database to external: then nothing is moved, and the database stays."
)
UNSAFE = "The setting %s names a database or a user with signs that are not safe: %s Give it another name there first."
OTHER_KEY = (
    "It reads the address of its database from %(key)s. Add %(key)s to flask_env: '{{ flask_database_url }}', so that the "
    "new one finds its own."
)
UNSHARED = (
    "%s is not in flask_shared_paths, so the new one could not write there. Add %s to flask_shared_paths to move it; or "
    "name it in flask_adopt_left_out to leave it."
)
LOOSE = (
    "git does not know %s, among the source. Commit what belongs to it, add a folder of data to flask_shared_paths to move it, "
    "or name the folder in flask_adopt_left_out to leave it."
)
AMONG_SOURCE = (
    "%s lies among the source, where nothing can be written here. Let the application keep it in a folder of "
    "flask_shared_paths; or name it in flask_adopt_left_out to leave it."
)
MAIL = (
    "Its mail goes through %s, and the new one would send through its own server. Set flask_mail_enabled to false, and its "
    "settings of mail stay as they are."
)
WORKER = (
    "%(name)s works beside it, by %(manager)s, and is stopped with it. So that the new one has it, add %(line)s to %(variable)s; "
    "if the new one does without it, add %(short)s to flask_adopt_left_out."
)
OTHER_VALUE = (
    "%(name)s has another value of %(key)s than %(server)s, and the new one has the latter for both. Write %(key)s=… in front of "
    "the command of %(short)s in the inventory, after env."
)
OTHER_USER = (
    "%(name)s has %(key)s from the crontab of %(user)s, and the new one does not take settings from another user than its own. "
    "If that is right for %(short)s, write %(key)s=… in front of its command in the inventory, after env."
)
DISPLACED = (
    "The new one stops %(unit)s, which runs here and may be what the old one needs until its data is moved. Set %(variable)s "
    "to true; after -e flask_adopt=finish, remove that again."
)
TELLING = 8  # signs that a value has, if it is taken for more than a word of a command
MANY = 6  # names that a line has


class Wishes(NamedTuple):
    """What the inventory says of the new application, as far as the old one has to suit it."""

    database: str = ""  # a kind, or one of none and external
    shared: tuple = ()  # flask_shared_paths and the like
    left_out: tuple = ()
    given: tuple = ()  # names of settings that the user sets
    own: tuple = ()  # names of settings that the collection sets itself
    same_host: bool = False  # whether the new application is on the old one's host
    databases: tuple = ()  # Address of each database that a setting of the new one names
    entrances: dict = {}  # what the database's part declares of how others get in
    workers: tuple = ()  # flask_workers, as dict
    jobs: tuple = ()  # flask_jobs, as dict
    displaced: dict = {}  # units that the new one stops, each with the variable that keeps it
    names: tuple = ()  # that the new one's certificate is asked for; none if it needs none in the meantime


def unsafe_name(address: Address) -> str:
    """Why root may not ask for this database; whoever wrote the .env has chosen its name and its user."""
    try:
        DRIVERS[address.kind].check_names(*filter(None, [address.name, address.user]))
    except DatabaseError as error:
        return str(error)
    return ""


def of_folder(found: Installation) -> list:
    """Whether its folder can be looked at, as the owner of it."""
    if not os.path.isdir(found.folder):
        return [GONE_FOLDER % (found.name, found.folder, found.programs[0].file)]
    return [] if owner_of(found.folder) else [NOBODYS_FOLDER % (found.folder, os.stat(found.folder).st_uid, found.user)]


def of_programs(found: Installation) -> list:
    """Whether it can be stopped, so that no boot starts it again."""
    servers = [one for one in found.programs if one.is_server()]
    emperors = [one for one in servers if one.options.emperor]
    problems = [EMPEROR % (one.name, one.options.emperor) for one in emperors]
    problems += [NO_FOLDER % (one.name, one.file) for one in servers if not one.folder and one not in emperors]
    problems += [UNREAD % one for one in found.unread]
    problems += of_folder(found) if found.folder else []
    by_hand = [one for one in found.programs if one.manager == BY_HAND]
    problems += [OTHER_UNIT % (one.folder, one.file) for one in by_hand if one.file]
    problems += [(NO_SERVICE if one.is_server() else ENDS) % (one.name, one.folder) for one in by_hand if not one.file]
    own, files = [one.name for one in found.programs], {}
    for one in found.programs:
        if one.manager in MANAGERS:
            problems += MANAGERS[one.manager]().obstacles(one)
            files[one.file] = [name for name in MANAGERS[one.manager]().shared_with(one) if name not in own]
    return problems + [SHARED_FILE % (path, " and ".join(names)) for path, names in files.items() if names]


def of_sites(found: Installation) -> list:
    """Whether the files of its sites are its own, which are put away, and removed in the end."""
    return [SHARED_SITE % (site.path, " and ".join(site.others)) for dummy, site in found.sites if site.others]


def of_database(found: Installation, address: Address | None, database: Database | None, wishes: Wishes) -> list:
    """Whether its data fits where the new one will look for it."""
    if address is None:
        return [NO_DATABASE % wishes.database] if wishes.database != NONE else []
    if address.kind in DRIVERS and unsafe_name(address):
        return [UNSAFE % (found.database_key(), unsafe_name(address))]
    if wishes.database == EXTERNAL:
        return []
    if address.kind == "sqlite" and database is None:
        return [NO_FILE % (address.name, found.folder)]
    if address.kind not in DRIVERS:
        return [NO_DRIVER % address.in_words()]
    if not address.is_local():
        return [ELSEWHERE % address.in_words()]
    if address.kind != wishes.database:
        return [OTHER_KIND % (address.in_words(), wishes.database, address.kind)]
    if any(is_shared(address, one, wishes) for one in wishes.databases):
        return [SAME_DATABASE % address.in_words()]
    needed = DRIVERS[address.kind].shuts_out(address, wishes.entrances) if wishes.same_host else ""
    if needed:
        return [SHUT_OUT % (address.in_words(), needed)]
    key = found.database_key()
    problems = [OTHER_KEY % dict(key=key)] if key not in ("", "DATABASE_URL", *wishes.given) else []
    try:
        database.check()
    except (CommandError, DatabaseError, OSError, ValueError) as error:
        problems.append(NO_ACCESS % (address.in_words(), str(error).rstrip(".")))
    return problems


def is_shared(old: Address, new: Address, wishes: Wishes) -> bool:
    """Whether the new one's database may be the old one itself: a host has many names, but another one's localhost is not it."""
    return (old.kind, old.name.lower()) == (new.kind, new.name.lower()) and (wishes.same_host or not new.is_local())


def of_data(data: Data, address: Address | None, found: Installation, wishes: Wishes) -> list:
    """What would be lost unseen."""
    own = os.path.relpath(address.name, found.folder) if address and address.kind == "sqlite" and found.folder else ""
    known = [own, *wishes.shared, *wishes.left_out]
    paths = [path for path in data.files + data.databases if not is_inside(path, known)]
    folders = [path.rstrip("/") for path in paths if path.endswith("/")]
    others = [path for path in paths if not path.endswith("/") and not is_inside(path, folders)]
    problems = [UNSHARED % (folder, folder) for folder in folders]
    problems += [AMONG_SOURCE % path for path in others if path in data.databases]
    loose = {}
    for path in (path for path in others if path not in data.databases and "/" in path):
        loose.setdefault(os.path.dirname(path), []).append(path)
    return problems + [LOOSE % shown(names) for names in loose.values()]


def of_workers(found: Installation, wishes: Wishes) -> list:
    """Whether the new one has what works beside the old one, by its name or by what it runs."""
    problems = []
    for one in found.beside():
        short = name_in_inventory(one.name)
        if one.manager == BY_HAND or {one.name, short} & set(wishes.left_out):
            continue
        mine = entry_of(one, wishes)
        if mine is None:
            schedule = ", schedule: %s" % quoted("…" if one.schedule == "?" else one.schedule) if one.schedule else ""
            line = "{name: %s, command: %s%s}" % (short, quoted(shown_command(with_names(one.command, found.settings))), schedule)
            about = dict(name=one.name, manager=one.manager, line=line, variable="flask_jobs" if schedule else "flask_workers")
            problems.append(WORKER % dict(about, short=short))
            continue
        trusted = is_trusted(one, found.user)
        others = [key for key, value in one.environment.items() if found.settings.get(key, value if trusted else None) != value]
        known = {*NOT_TAKEN, *wishes.own, *wishes.given}
        others = [key for key in others if key not in known and key + "=" not in mine["command"]]
        about = dict(name=one.name, server=found.name, short=mine["name"], user=one.user)
        problems += [(OTHER_VALUE if trusted else OTHER_USER) % dict(about, key=key) for key in others]
    return problems


def of_services(wishes: Wishes) -> list:
    """Whether the old one could lose what it needs before it is stopped."""
    units = wishes.displaced.items() if wishes.same_host else []
    return [DISPLACED % dict(unit=unit, variable=variable) for unit, variable in units if is_active(unit)]


def is_active(unit: str) -> bool:
    try:
        return run(["systemctl", "is-active", unit]).strip() == b"active"
    except CommandError:
        return False


def with_names(command: str, settings: dict) -> str:
    """A command that has the names of settings in place of their values: the new one may have others, and some are secrets."""
    known = [(key, value) for key, value in settings.items() if key not in NOT_TAKEN]
    for key, value in sorted(known, key=lambda pair: -len(pair[1])):
        command = command.replace(value, "$" + key) if len(value) >= TELLING else command
    return command


def entry_of(program: ForeignProgram, wishes: Wishes) -> dict | None:
    """The entry of flask_workers or flask_jobs that is a program's."""
    entries = [*wishes.workers, *wishes.jobs]
    named = [one for one in entries if one["name"] == name_in_inventory(program.name)]
    return next(iter(named + [one for one in entries if bare(one["command"]) == bare(program.command)]), None)


def name_in_inventory(name: str) -> str:
    """A program's name as a worker or a job may have it."""
    return re.sub(r"[^a-z0-9_-]+", "-", re.sub(r"\.service$", "", name).lower()).lstrip("-_0123456789") or "worker"


def quoted(text: str) -> str:
    """A value of a mapping in braces, as YAML has it."""
    return text if re.match(r"[\w./$][\w ./$+-]*\Z", text) else "'%s'" % text.replace("'", "''")


def of_settings(found: Installation, wishes: Wishes) -> list:
    """Whether the new one is told what the old one is."""
    lost = found.mail_server() and "MAIL_SERVER" in wishes.own and "MAIL_SERVER" not in wishes.given
    known = {*wishes.given, *wishes.own, *NOT_TAKEN}
    unresolved = [(one, [name for name in one.unresolved if name not in known]) for one in found.programs]
    problems = [UNRESOLVED % (one.name, ", ".join(names), one.manager, one.file) for one, names in unresolved if names]
    return problems + ([MAIL % found.mail_server()] if lost else [])


def shown(names: Iterable) -> str:
    """The first of some names, and how many more there are."""
    names = list(names)
    more = " and %d more" % (len(names) - MANY) if len(names) > MANY else ""
    return ", ".join(names[:MANY]) + more
