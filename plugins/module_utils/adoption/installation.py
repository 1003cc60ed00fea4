# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An installation that somebody has made by hand: what runs it, where it is, and what it is told."""

from __future__ import annotations

import os
import pwd
from typing import NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.common.dotenv import read as read_dotenv
from ansible_collections.selfhost.flask.plugins.module_utils.database.drivers import DRIVERS
from ansible_collections.selfhost.flask.plugins.module_utils.database.url import LOCAL, Address, read_url
from ansible_collections.selfhost.flask.plugins.module_utils.host.foreign_files import UnreadableError, read_text
from ansible_collections.selfhost.flask.plugins.module_utils.host.foreign_programs import SERVER, ForeignProgram
from ansible_collections.selfhost.flask.plugins.module_utils.process.foreign import MANAGERS
from ansible_collections.selfhost.flask.plugins.module_utils.proxy.foreign import SITES

BY_HAND = "by hand"  # the manager of a program that nobody starts at a boot
DATABASE_KEYS = ("DATABASE_URL", "SQLALCHEMY_DATABASE_URI", "SQLALCHEMY_DATABASE_URL", "DATABASE_URI", "DB_URL", "DB_URI")
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

    @property
    def name(self) -> str:
        return self.programs[0].name

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
    programs = [one for manager in MANAGERS.values() for one in manager().programs() if not is_own(one)]
    servers = [one for one in programs if one.is_server()]
    known = {one.folder for one in servers}
    servers += [one for one in processes() if one.folder not in known and not is_own(one)]
    found = {}
    for server in servers:
        found.setdefault(server.folder, []).append(server)
    return [installation(servers, programs) for servers in found.values()]


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
    """The installation of the programs that answer requests, with the others of its folder."""
    folder, user = servers[0].folder, servers[0].user
    others = [one for one in programs if folder and one.folder == folder and one not in servers]
    settings, unread = read_settings([os.path.join(folder, ".env")] if folder else [], user)
    for server in servers:
        more, problems = read_settings(server.environment_files, user)
        settings.update(more, **server.environment)
        unread += problems
    places = [place for server in servers for place in server.binds()]
    sites = [(proxy, site) for proxy in SITES for site in proxy().find(places)]
    return Installation((*servers, *others), folder, user, settings, tuple(sites), tuple(dict.fromkeys(unread)))


def is_own(program: ForeignProgram) -> bool:
    """Whether this collection has set it up."""
    parts = program.folder.split(os.sep)
    return parts[:2] == ["", "srv"] and len(parts) > 2 and os.path.isdir(os.path.join("/srv", parts[2], "deployment"))


def processes() -> list:
    """What answers requests and was started in a session, one for each folder."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as file:
                command = file.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()
            with open("/proc/%s/cgroup" % pid, encoding="utf-8") as file:
                in_session = "/user.slice" in file.read()
            if in_session and SERVER.search(command) and not command.startswith(("sudo ", "su ", "sh ", "bash ")):
                folder, user = os.readlink("/proc/%s/cwd" % pid), pwd.getpwuid(os.stat("/proc/" + pid).st_uid).pw_name
                found.setdefault(folder, ForeignProgram("process %s" % pid, BY_HAND, "", command, folder, user))
        except (OSError, KeyError):
            continue  # it has ended
    return list(found.values())


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
