# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of an application off its host: what there is of it, and the steps that take it away.

Each step finds its own again, so that a run which was cut off is ended by the next one. Only what was to be told of files that
are gone is written down before.
"""

from __future__ import annotations

import glob
import os
from typing import Callable, Iterator, NamedTuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.access.farewell import Parting, parting_of
from ansible_collections.selfhost.flask.plugins.module_utils.build.pythons import leave_pythons, place_of
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import make_folders, read_json, write_json
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import run
from ansible_collections.selfhost.flask.plugins.module_utils.database.drivers import DRIVERS
from ansible_collections.selfhost.flask.plugins.module_utils.database.url import Address
from ansible_collections.selfhost.flask.plugins.module_utils.host import services, settled
from ansible_collections.selfhost.flask.plugins.module_utils.host.accounts import find_group, find_user
from ansible_collections.selfhost.flask.plugins.module_utils.host.systemd import UNITS
from ansible_collections.selfhost.flask.plugins.module_utils.process.manager import ProcessError
from ansible_collections.selfhost.flask.plugins.module_utils.process.managers import manager_of
from ansible_collections.selfhost.flask.plugins.module_utils.removal.account import remove_account
from ansible_collections.selfhost.flask.plugins.module_utils.removal.remains import Remains, RemovalError, mounts_in
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import remove
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

NOTES = "/var/lib/selfhost"
BEGUN = NOTES + "/removing"
RELOAD_UNITS = "systemctl daemon-reload"
MOUNTED = "%s on this host is a mount, whose content would be removed with %s. Unmount it first"


class Step(NamedTuple):
    """Something of the application's, in words, and what takes it away; without words it goes with what was before."""

    words: list
    make: Callable


class Removal:
    """All that a host has of an application."""

    def __init__(self, module: AnsibleModule, site: Site, remains: list, databases: list) -> None:
        self.module, self.site = module, site
        self.remains = [Remains(module, about, site.name) for about in remains]
        self.databases = [one for one in databases if one["kind"] in DRIVERS]
        self.path = os.path.join(BEGUN, site.name + ".json")
        self.is_begun = os.path.exists(self.path)
        self.told = self._find_told(read_json(self.path) or [])
        self.parting: Parting = parting_of(module, site.name)
        self.steps = self._find()

    def found(self) -> list:
        """What there is, in words."""
        return [words for step in self.steps for words in step.words]

    def _find(self) -> list:
        found = [*self._programs(), *self._units(), *self._parts(), *self._databases(), *self._host(), *self._records()]
        return found if self.is_begun or any(step.words for step in found) else []

    def check(self) -> None:
        """RemovalError where a folder has something that is not the application's alone."""
        paths = [path for part in self.remains for path in part.find_paths()]
        for point in mounts_in(paths):
            raise RemovalError(MOUNTED % (point, self.site.name))

    def run(self) -> None:
        """Takes all of it away."""
        make_folders(BEGUN, 0o700)
        write_json(self.path, self.told)
        for step in self.steps:
            step.make()
        remove(self.path)
        if not os.listdir(BEGUN):
            os.rmdir(BEGUN)

    def _find_told(self, before: list) -> list:
        """Who is to be told that files are gone, also by an earlier run."""
        told = [part.reload for part in self.remains if part.reload and (part.find_paths() or part.said)]
        paths = [path for part in self.remains for path in part.find_paths()]
        units = [unit for part in self.remains for unit in part.find_units()]
        told += [RELOAD_UNITS] if units or any(path.startswith(UNITS) for path in paths) else []
        return list(dict.fromkeys(before + told))

    def _programs(self) -> Iterator[Step]:
        """What the process manager runs; nothing where it does not run itself, or where the rest of them is gone already."""
        if not os.path.isdir(self.site.path("deployment")):
            return
        manager, name = manager_of(self.site), self.site.name
        try:
            slots = [slot for slot in (name + "-blue", name + "-green") if slot in manager.names(slot)]
            programs = slots + manager.names(name + ".")
        except ProcessError:
            return
        for program in programs:
            yield Step(["program %s" % program], lambda program=program: manager.stop(program))
            yield Step([], lambda program=program: manager.forget(program))

    def _units(self) -> Iterator[Step]:
        units = [unit for part in self.remains for unit in part.find_units()]
        for unit in sorted(dict.fromkeys(units), key=lambda unit: not unit.endswith(".timer")):
            yield Step(["unit %s" % unit], lambda unit=unit: self._remove_unit(unit))

    def _remove_unit(self, unit: str) -> None:
        """Its own file goes last."""
        run(["systemctl", "stop", unit])
        self.module.run_command(["systemctl", "reset-failed", unit])  # there is mostly nothing to reset
        for path in [*glob.glob(UNITS + "*.wants/" + unit), UNITS + unit]:
            remove(path)

    def _parts(self) -> Iterator[Step]:
        for part in self.remains:
            for path in part.find_paths():
                yield Step([in_words(path)], lambda path=path: remove(path))
            if part.said:
                command = ["env", "app=" + self.site.name, "sh", "-euc", part.take]
                yield Step(part.said, lambda command=command: run(command))
            if part.reload in self.told:
                yield Step([], lambda part=part: run(["sh", "-c", part.reload]))
        if RELOAD_UNITS in self.told:
            yield Step([], lambda: run(RELOAD_UNITS.split()))

    def _databases(self) -> Iterator[Step]:
        """The account last: without its database it is still found."""
        for one in self.databases:
            database = DRIVERS[one["kind"]](one["name"], self.site.name)
            if database.is_there():
                yield Step([Address(one["kind"], one["name"]).in_words()], database.remove)
            login = database.login(one["account"]) if database.login else None
            if login and login.is_there():
                yield Step(["the account %s of the database's server" % one["account"]], login.remove)

    def _host(self) -> Iterator[Step]:
        name = self.site.name
        if find_user(name) or find_group(name):
            yield Step(["user %s" % name], lambda: remove_account(name))
        venvs = self.site.path("venvs")
        if os.path.lexists(place_of(venvs)):
            yield Step(["its use of Pythons that were fetched"], lambda: leave_pythons(venvs))
        if self.parting.words:
            yield Step(self.parting.words, self.parting.make)

    def _records(self) -> Iterator[Step]:
        """What config_files has noted of the files that go."""
        own = [pattern for part in self.remains for pattern in part.written()]
        units = [unit for part in self.remains for unit in part.units]
        names = [self.site.name + ".*", *units, *map(stem, units)]
        loaded = [
            path
            for folder in (services.KEPT, services.RUNNING)
            for name in names
            for path in glob.glob(os.path.join(folder, name + ".json"))
        ]
        found = settled.records_of(own, self.site.name) + loaded
        if found:
            yield Step(["what is noted of its files in %s and %s" % (NOTES, services.RUNNING)], lambda: list(map(remove, found)))


def stem(unit: str) -> str:
    """A unit as tasks may name it, too."""
    return unit[: -len(".service")] if unit.endswith(".service") else unit


def in_words(path: str) -> str:
    return "%s %s" % ("folder" if os.path.isdir(path) and not os.path.islink(path) else "file", path)
