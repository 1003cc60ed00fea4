# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An installation that somebody has made by hand: what runs it, where it is, and what it is told."""

from __future__ import annotations

import os
import pwd
import re
from typing import NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.common.dotenv import read as read_dotenv
from ansible_collections.selfhost.flask.plugins.module_utils.database.drivers import DRIVERS
from ansible_collections.selfhost.flask.plugins.module_utils.database.url import LOCAL, Address, read_url
from ansible_collections.selfhost.flask.plugins.module_utils.host.foreign_files import UnreadableError, read_text
from ansible_collections.selfhost.flask.plugins.module_utils.host.foreign_commands import name_of
from ansible_collections.selfhost.flask.plugins.module_utils.host.foreign_crontabs import SPOOL
from ansible_collections.selfhost.flask.plugins.module_utils.host.foreign_programs import (
    SERVER,
    WORDS,
    ForeignProgram,
    environment_of,
    is_in,
)
from ansible_collections.selfhost.flask.plugins.module_utils.host.systemd import UNITS
from ansible_collections.selfhost.flask.plugins.module_utils.process.foreign import MANAGERS
from ansible_collections.selfhost.flask.plugins.module_utils.proxy.foreign import SITES

BY_HAND = "by hand"  # the manager of a program that nobody starts at a boot
DATABASE_KEYS = ("DATABASE_URL", "SQLALCHEMY_DATABASE_URI", "SQLALCHEMY_DATABASE_URL", "DATABASE_URI", "DB_URL", "DB_URI")
PYTHON = re.compile(r"(?:\S*/)?python[\d.]*\s+\S")
ANSIBLE = re.compile(r"\S*python[\d.]*\s+(?:-\S+\s+)*\S*/ansible(?:-\w+)?(?:\s|$)")  # which looks at its own computer
STARTER = re.compile(r"(?:\S*/)?(?:sudo|su|sh|bash|dash)\s")
# What a shell, a manager or a developer sets, and what this collection knows itself.
NOT_TAKEN = {
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "LANG", "LC_ALL", "PORT", "VIRTUAL_ENV", "PYTHONPATH"),
    *("PYTHONUNBUFFERED", "FLASK_APP", "FLASK_ENV", "FLASK_DEBUG", "FLASK_RUN_PORT", "FLASK_RUN_HOST"),
}


class AdoptionError(Exception):
    """Why an installation can't be found, moved or removed."""


class Installation(NamedTuple):
    """What was found. Its settings are secrets."""

    programs: tuple  # the first one answers requests
    folder: str
    user: str
    settings: dict
    sites: tuple = ()  # (a proxy's class, a site)
    unread: tuple = ()  # in words, its files of settings that could not be read
    named_by: tuple = ()  # programs that are no part of it, and have its folder in their command
    controlled_by: tuple = ()  # jobs that are no part of it, and restart one of its programs, or the like

    @property
    def name(self) -> str:
        return self.programs[0].name

    def beside(self) -> list:
        """What works beside that which answers requests, and what the latter starts itself."""
        own = [
            ForeignProgram(name_of(command), "uWSGI", one.file, command, one.folder, one.user, schedule=schedule)
            for one in self.programs for command, schedule in one.options.beside
        ]
        return [one for one in self.programs if not one.is_server()] + own

    def database_key(self) -> str:
        """The setting that names the database; empty where none does."""
        known = [key for key in DATABASE_KEYS if read_url(self.settings.get(key, ""))]
        others = [key for key, value in self.settings.items() if getattr(read_url(value), "kind", "") in DRIVERS]
        return next(iter(known + others), "")

    def address(self, files: list) -> Address | None:
        """Its database. `files` are the SQLite files of its folder, relative to that."""
        found = read_url(self.settings.get(self.database_key(), ""))
        if found is None and self.database_key() == "" and len(files) == 1:
            return Address("sqlite", os.path.join(self.folder, files[0]))
        if found and found.kind == "sqlite" and not os.path.isabs(found.name):
            named = [one for one in files if os.path.basename(one) == os.path.basename(found.name)]
            return found._replace(name=os.path.join(self.folder, named[0])) if len(named) == 1 else found
        return found

    def taken(self, own: list) -> list:
        """The names of the settings that are taken over; `own` are those that the collection sets itself."""
        left = {*NOT_TAKEN, *own, self.database_key()}
        return [key for key in self.settings if key not in left]

    def mail_server(self) -> str:
        """The server that its mail goes through, if that is not this host."""
        server = self.settings.get("MAIL_SERVER", "")
        return "" if server in LOCAL else server


def find_installations() -> list:
    """All that answer requests on this host, but for those of this collection."""
    programs = [one.completed() for manager in MANAGERS.values() for one in manager().programs()]
    programs = [one for one in programs if not is_own(one)]
    started = [one for one in processes() if not is_own(one)]
    servers = [one for one in programs if one.is_server()]
    known = {one.folder for one in servers}
    servers += {one.folder: one for one in reversed(started) if one.is_server() and one.folder not in known}.values()
    found = {}
    for server in servers:
        found.setdefault(server.folder, []).append(server)
    workers = [one for one in programs + started if not one.is_server()]
    return [installation(own, [one for one in workers if not is_others(one, own[0], servers)]) for own in found.values()]


def is_others(worker: ForeignProgram, server: ForeignProgram, servers: list) -> bool:
    """Whether it is a part of an application whose folder is in that of this one."""
    inner = [one for one in servers if one.folder != server.folder and is_in(one.folder, server.folder)]
    return any(map(worker.belongs_to, inner))


def read_settings(paths: list, user: str) -> tuple:
    """What files say that belong to a user's application, and in words, which of them could not be read."""
    settings, unread = {}, []
    for path in paths:
        try:
            settings.update(read_dotenv(read_text(path, user)))
        except UnreadableError as error:
            unread.append(str(error))
    return settings, unread


def installation(servers: list, programs: list) -> Installation:
    """The installation of the programs that answer requests, with the others that are a part of it."""
    folder, user = servers[0].folder, servers[0].user
    others = [one for one in programs if one not in servers and any(map(one.belongs_to, servers))]
    named_by = [one for one in programs if folder and one not in servers + others and names(one, folder)]
    own = servers + others
    controlled_by = [one for one in programs if one not in own and any(map(one.controls, own))]
    settings, unread = read_settings([os.path.join(folder, ".env")] if folder else [], user)
    for server in (one for one in servers if is_trusted(one, user)):
        more, problems = read_settings(server.environment_files, user)
        settings.update(more, **server.environment)
        unread += problems
    for one in (one for one in others if is_trusted(one, user)):  # the new one has one environment for all of them
        more, problems = read_settings(one.environment_files, one.user)
        settings = {**more, **one.environment, **settings}
        unread += problems
    places = [place for server in servers for place in server.binds()]
    sites = [(proxy, site) for proxy in SITES for site in proxy().find(places)]
    unread = tuple(dict.fromkeys(unread))
    return Installation((*servers, *others), folder, user, settings, tuple(sites), unread, tuple(named_by), tuple(controlled_by))


def is_trusted(program: ForeignProgram, user: str) -> bool:
    """Whether what a program is told may become a setting: any user's own crontab can have lines that work in any folder."""
    return program.user in (user, "root") or not program.file.startswith(SPOOL)


def names(program: ForeignProgram, folder: str) -> bool:
    """Whether its command has a path in a folder."""
    return any(is_in(word, folder) for word in WORDS.findall(program.command))


def is_own(program: ForeignProgram) -> bool:
    """Whether this collection has set it up."""
    parts = program.folder.split(os.sep)
    return parts[:2] == ["", "srv"] and len(parts) > 2 and os.path.isdir(os.path.join("/srv", parts[2], "deployment"))


def processes() -> list:
    """What answers requests or runs Python, and was started by nothing that could be told to stop it."""
    found, own = {}, os.readlink("/proc/self/ns/pid")
    for pid in sorted(filter(str.isdigit, os.listdir("/proc")), key=int):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as file:
                command = file.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()
            is_meant = SERVER.search(command) or PYTHON.match(command) or environment_of(command)
            is_this = int(pid) in (os.getpid(), os.getppid())
            is_nothing = is_this or not is_meant or STARTER.match(command) or ANSIBLE.match(command)
            if is_nothing or os.readlink("/proc/%s/ns/pid" % pid) != own:
                continue
            with open("/proc/%s/cgroup" % pid, encoding="utf-8") as file:
                unit = unit_of(file.read())
            if unit is not None:
                folder, user = os.readlink("/proc/%s/cwd" % pid), pwd.getpwuid(os.stat("/proc/" + pid).st_uid).pw_name
                one = ForeignProgram(unit or "process %s" % pid, BY_HAND, unit, command, folder, user)
                found.setdefault((folder, command), one.completed())
        except (OSError, KeyError):
            continue  # it has ended
    return list(found.values())


def unit_of(group: str) -> str | None:
    """The unit that a process is of, empty if that is a session; None where a manager is asked about it."""
    units = re.findall(r"/([^/\n]+\.(?:service|scope))", group)
    if "/user.slice" in group:
        return ""
    known = [manager.runs_in for manager in MANAGERS.values()]
    if not units or units[-1] in known or "@" in units[-1] or os.path.isfile(UNITS + units[-1]):
        return None
    return units[-1]


def choose(found: list, name: str, host: str) -> Installation:
    """The one that is meant; AdoptionError where it is none, or nobody says which."""
    listed = "; ".join("%s in %s" % (one.name, one.folder or "an unknown folder") for one in found)
    if not found:
        raise AdoptionError(
            "No application of Flask was found on %s: no program of %s, and no process, runs gunicorn, uWSGI, waitress, "
            "hypercorn, uvicorn or flask run. Start it there, or set flask_adopt_from to the server that has it."
            % (host, " or ".join(MANAGERS))
        )
    chosen = [one for one in found if name in [program.name for program in one.programs]] if name else found
    if len(chosen) != 1:
        wrong = " flask_adopt_program is '%s', which is none of them." % name if name else ""
        raise AdoptionError("%s has %d applications: %s.%s Set flask_adopt_program to one." % (host, len(found), listed, wrong))
    return chosen[0]
