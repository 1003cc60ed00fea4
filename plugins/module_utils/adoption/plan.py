# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of an installation would be moved, and what has to be known of it."""

from __future__ import annotations

import os
from typing import NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.adoption.certificate import Legacy, find_legacy
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.data import Data, count_files, find_data, is_inside, size_of
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.installation import Installation
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.obstacles import (
    EXTERNAL,
    Wishes,
    of_data,
    of_database,
    of_programs,
    of_settings,
    of_services,
    of_sites,
    of_workers,
    shown,
    unsafe_name,
)
from ansible_collections.selfhost.flask.plugins.module_utils.common.words import count_of
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import Database
from ansible_collections.selfhost.flask.plugins.module_utils.database.drivers import DRIVERS
from ansible_collections.selfhost.flask.plugins.module_utils.database.url import Address
from ansible_collections.selfhost.flask.plugins.module_utils.proxy.foreign import SITES

LOGS = "logs"
OTHER_SITE = "%s has files of its folder in it, and does not lead to the application. It stays as it is."
CHANGED = "These files of the repository were changed there, and the new one has what is committed: %s. Commit what you need."
UNKNOWN_FILES = (
    "git does not know these files, which are not moved: %s. Those that the application reads belong in flask_config_files."
)
NAMED = "%s (%s) has its folder in its command, and stays as it is. If it writes to the data, stop it before the move."
CONTROLLED = (
    "%s (%s) looks after a program of it, and stays as it is: after the move, it may start that again. Make it a comment before."
)
QUEUED = "What the servers of %s have is not moved, such as jobs that wait in a queue, or sessions: let the queue be empty first."
QUEUES = ("redis", "unix:", "amqp", "memcached:")
NO_SITE = "No site of the web server was found that leads to it. If one does all the same, it leads nowhere after the move."
NO_GIT = "Its folder is no git repository, so data was found by the names of folders alone. Look whether something is missing."


class Plan(NamedTuple):
    """What was found and what follows from it."""

    installation: Installation
    data: Data
    address: Address | None
    database: Database | None
    places: list  # the folders that are moved
    kept: list  # files in them that are not: the database itself
    obstacles: list
    notes: list
    lines: list
    external: str = ""  # in words, the database that the new one uses as it is
    legacy: Legacy = Legacy()

    def taken(self, wishes: Wishes) -> dict:
        """The settings that the new one gets; secrets."""
        names = [key for key in self.installation.taken(list(wishes.own)) if key not in wishes.given]
        return {key: self.installation.settings[key] for key in names}

    def size(self) -> int:
        """About how many bytes are moved."""
        return (self.database.size() if self.database else 0) + size_of(self.installation.folder, self.places)


def make_plan(found: Installation, wishes: Wishes) -> Plan:
    """Looks at all of it, and changes nothing."""
    certificates = [path for dummy, site in found.sites for path in site.certificates]
    legacy = find_legacy(certificates, list(wishes.names))
    data = find_data(found.folder, certificates) if found.folder else Data()
    named = found.address(list(data.databases))
    address = named if wishes.database != EXTERNAL else None  # nothing of it is moved, and nothing removed
    database = database_at(address, found.user)
    places = [place for place in wishes.shared if place != LOGS and os.path.isdir(os.path.join(found.folder, place))]
    kept = kept_files(found.folder, address)
    obstacles = [*of_programs(found), *of_sites(found), *of_database(found, named, database, wishes)]
    obstacles += [*of_data(data, named, found, wishes), *of_settings(found, wishes), *of_workers(found, wishes)]
    obstacles += of_services(wishes)
    notes = notes_of(found, data, wishes) + ([legacy.note] if legacy.note else [])
    plan = Plan(found, data, address, database, places, kept, obstacles, notes, [], legacy=legacy)
    plan = plan._replace(external=named.in_words() if named and address is None else "")
    return plan._replace(lines=list(lines_of(plan, wishes)))


def database_at(address: Address | None, user: str) -> Database | None:
    """What can be copied on this host."""
    if address is None or address.kind not in DRIVERS or not address.is_local() or unsafe_name(address):
        return None
    if address.kind == "sqlite" and not os.path.exists(address.name):
        return None
    return DRIVERS[address.kind](address.name, user)


def kept_files(folder: str, address: Address | None) -> list:
    """The database, relative to the folder, where it is a file of it."""
    if address is None or address.kind != "sqlite" or not address.is_local():
        return []
    name = os.path.relpath(address.name, folder)
    return [name + end for end in ("", "-wal", "-shm", "-journal")]


def notes_of(found: Installation, data: Data, wishes: Wishes) -> list:
    """What does not stand in the way, and has to be known."""
    notes = [] if data.commit or not found.folder else [NO_GIT]
    notes += [CHANGED % shown(data.changed)] if data.changed else []
    of_server = [word for one in found.programs for word in one.command.split()]  # its own file, which the new one has no use for
    loose = [path for path in data.files if "/" not in path and not is_inside(path, wishes.left_out) and path not in of_server]
    notes += [UNKNOWN_FILES % shown(loose)] if loose else []
    notes += [NAMED % (one.name, one.manager) for one in found.named_by]
    notes += [CONTROLLED % (one.name, one.manager) for one in found.controlled_by]
    queues = [key for key, value in found.settings.items() if value.startswith(QUEUES) and key in (*wishes.own, *wishes.given)]
    notes += [QUEUED % " and ".join(queues)] if queues else []
    notes += [NO_SITE] if not found.sites else []
    own = [site.path for dummy, site in found.sites]
    paths = [path for proxy in SITES for path in proxy().with_files(found.folder)] if found.folder else []
    return notes + [OTHER_SITE % path for path in paths if path not in own]


def lines_of(plan: Plan, wishes: Wishes) -> list:
    """What there is and would be moved, for a person."""
    found, data = plan.installation, plan.data
    at = ", at %s" % (data.version or data.commit[:10]) if data.commit else ""
    programs = ", ".join("%s (%s)" % (one.name, one.manager) for one in found.programs)
    lines = ["%s: %s as %s%s." % (programs, found.folder or "an unknown folder", found.user, at)]
    lines += ["Site: %s for %s." % (site.path, " ".join(site.names) or "no name") for dummy, site in found.sites]
    if plan.database and wishes.database == plan.address.kind and not plan.obstacles:
        tables = plan.database.tables()
        size = "%s, %s" % (count_of(len(tables), "table"), count_of(sum(tables.values()), "row"))
        lines.append("Moves %s: %s." % (plan.address.in_words(), size))
    elif plan.address or plan.external:
        lines.append("Its data: %s." % (plan.external or plan.address.in_words()))
    counts = count_files(found.folder, plan.places, plan.kept) if plan.places else {}
    for place in plan.places:
        files, size = counts[place]
        lines.append("Moves the folder %s: %s, %s." % (place, count_of(files, "file"), count_of(size, "byte")))
    taken = plan.taken(wishes)
    lines.append("Takes over the settings %s." % ", ".join(sorted(taken)) if taken else "Takes over no settings.")
    replaced = sorted({found.database_key(), *wishes.own, *wishes.given} & set(found.settings))
    return lines + (["The new one has its own %s." % ", ".join(replaced)] if replaced else [])
