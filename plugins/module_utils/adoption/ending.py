# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of an old installation: it is packed as a whole, so that it can be brought home, and then removed."""

from __future__ import annotations

import glob
import os
import shlex
import shutil

from ansible_collections.selfhost.flask.plugins.module_utils.adoption.folder import (
    is_in,
    is_safe,
    reason_to_stay,
    remove_folder,
)
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.in_use import users_of
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.installation import AdoptionError
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.store import SERVED, Store
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError, run
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import Database, DatabaseError
from ansible_collections.selfhost.flask.plugins.module_utils.database.drivers import DRIVERS
from ansible_collections.selfhost.flask.plugins.module_utils.database.login import Login
from ansible_collections.selfhost.flask.plugins.module_utils.database.url import Address
from ansible_collections.selfhost.flask.plugins.module_utils.host.systemd import UNITS
from ansible_collections.selfhost.flask.plugins.module_utils.proxy.foreign import SITES

LIVE = "/etc/letsencrypt/live/"
PACKED = "old.tar.gz"
MADE_AGAIN = ("__pycache__", "node_modules", ".venv", "venv")  # what nobody needs a copy of
NOT_MOVED = (
    "The old installation of %s was not moved from this host, so nothing of it is removed. Move it by -e flask_adopt=start first."
)
FOLDER = "the folder %s, %s. Once you are sure, remove it: sudo rm -r -- %s"
FILE = "the file %s, which somebody else than root could exchange. Remove it: sudo rm -- %s"
SQLITE = "%s, which is not in its folder. If nothing needs it, remove it: sudo rm -- %s"
LINEAGE = (
    "certbot's certificate %s, which certbot goes on renewing. Once no site has it any more, remove it: sudo certbot delete "
    "--cert-name %s"
)
NOT_MOVED_DATA = "its data in %s, which flask_database: external leaves where it is"
SHARED = "%s, which %s may use. If nothing does, remove it: %s"
SERVERS_OWN = "the database user %(name)s, who is the server's own, and no application's"
IN_USE = "the database user %(name)s, who may have rights on more than this database. If he has none, remove him: %(command)s"
UNKNOWN = "the database user %(name)s, whom this collection has not looked at. If nothing needs him, remove him: %(command)s"


class Ending:
    """What remains of an old installation that was moved away; AdoptionError where it was not."""

    def __init__(self, store: Store, name: str) -> None:
        if store.state.get("stage") != SERVED:
            raise AdoptionError(NOT_MOVED % name)
        self.store, self.state = store, store.state
        address = self.state["address"]
        self.address = Address(*address) if address else None
        self.users = users_of(self.address, self.state["folder"]) if self.is_served() else []

    def is_served(self) -> bool:
        """Whether its database is one of this host's server; a SQLite file is in its folder."""
        found = self.address
        return found is not None and found.kind != "sqlite" and found.kind in DRIVERS and found.is_local()

    def database(self) -> Database | None:
        """Its database, unless another application may have its data there, too."""
        if not self.is_served() or self.users:
            return None
        database = DRIVERS[self.address.kind](self.address.name, self.address.user)
        return database if database.is_there() else None

    def stays(self) -> list:
        """What is not removed, in words; it is decided before anything is."""
        folder, stays = self.state["folder"], []
        if os.path.isdir(folder) and not self.folder():
            stays.append(FOLDER % (folder, self.why_folder_stays(), shlex.quote(folder)))
        stays += [FILE % (path, shlex.quote(path)) for path in self.described() if not is_safe(path) and not is_in(path, folder)]
        is_file = self.address is not None and self.address.kind == "sqlite" and os.path.lexists(self.address.name)
        if is_file and not is_in(self.address.name, folder):
            stays.append(SQLITE % (self.address.in_words(), shlex.quote(self.address.name)))
        stays += [LINEAGE % (name, shlex.quote(name)) for name in lineages(self.state.get("certificates", []))]
        stays += [NOT_MOVED_DATA % self.state["external"]] if self.state.get("external") else []
        if self.users:
            command = DRIVERS[self.address.kind](self.address.name).by_hand()
            stays.append(SHARED % (self.address.in_words(), " and ".join(self.users), command))
        return stays

    def described(self) -> list:
        """What describes its programs and sites, where it was."""
        return [path for path in self.state["files"] + self.state["sites"] if os.path.lexists(path)]

    def files(self) -> list:
        """What describes its programs and sites, where it is now, as far as nobody but root can put something else there."""
        paths = [path for path in self.described() if is_safe(path)]
        away = glob.glob(glob.escape(self.store.path("put-away")) + "/**", recursive=True)
        return paths + [path for path in away if os.path.lexists(path) and not is_folder(path)]

    def folder(self) -> str:
        """Its folder, if that is there, still the one that was moved, and its own alone."""
        return self.state["folder"] if os.path.isdir(self.state["folder"]) and not self.why_folder_stays() else ""

    def why_folder_stays(self) -> str:
        """In words; empty where it does not."""
        return reason_to_stay(self.state["folder"], self.state.get("identity"), self.state["files"] + self.state["sites"])

    def found(self) -> list:
        """What would be removed, and what would stay, in words."""
        database = self.database()
        said = ["stays: " + one for one in self.stays()]
        said += ["file %s" % path for path in self.files()]
        said += ["folder %s" % self.folder()] if self.folder() else []
        return said + ([self.address.in_words() + (" and its user" if self.account(database) else "")] if database else [])

    def pack(self) -> str:
        """One file with all that is removed, but for what can be made again."""
        target = self.store.path(PACKED)
        members = [path for path in [*self.files(), self.folder(), self.store.archive()] if path]
        argv = ["tar", "--create", "--gzip", "--file", target + ".new", "--directory", "/"]
        argv += ["--exclude=*/" + name for name in MADE_AGAIN]
        run(["install", "-m", "0600", "/dev/null", target + ".new"])
        run([*argv, "--", *(path.lstrip("/") for path in members)])
        os.replace(target + ".new", target)
        return target

    def remove(self) -> list:
        """Removes it; what stays, in words. All of it is decided before anything is removed."""
        stays, folder = self.stays(), self.folder()
        for path in self.files():
            remove_path(path)
        if any(path.startswith(UNITS) for path in self.state["files"]):
            run(["systemctl", "daemon-reload"])
        for kind in SITES:
            if self.state["sites"] and not self.state["same_host"]:
                run(list(kind.test))
                run(["systemctl", "try-reload-or-restart", kind.unit])
        stays += self.remove_database()
        if folder:
            remove_folder(folder, self.state["identity"])
        self.store.remove()
        return stays

    def account(self, database: Database | None) -> Login | None:
        """Its account on the database's server, if that is known, and none of the server's own."""
        account = database.login(self.address.user) if database and database.login and self.address.user else None
        return account if account and not account.is_servers_own() else None

    def remove_database(self) -> list:
        """The database goes before its account, by which it is found; what stays of the latter, in words."""
        database = self.database()
        account = self.account(database)
        if database is None:
            return []
        database.remove()
        why = remove_account(account) if account else SERVERS_OWN if self.address.user else ""
        return [why % dict(name=self.address.user, command=account.by_hand() if account else "")] if why else []


def remove_account(account: Login) -> str:
    """Removes an account that nothing else needs; what to say of one that stays."""
    try:
        if not account.is_there():
            return UNKNOWN
        if account.has_rights():
            return IN_USE
        account.remove()
    except (CommandError, DatabaseError):
        return IN_USE
    return ""


def lineages(paths: list) -> list:
    """The names of certbot's certificates that are among the files of a site, and are still there."""
    found = [path[len(LIVE):].partition(os.sep)[0] for path in paths if path.startswith(LIVE)]
    return [name for name in dict.fromkeys(found) if os.path.isdir(os.path.join(LIVE, name))]


def is_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def remove_path(path: str) -> None:
    if is_folder(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)
