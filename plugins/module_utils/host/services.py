# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services and the files that they run with: who has not loaded them yet is told to, whoever has changed them.

What was loaded is in a record for each service. Where a service was started or reloaded by somebody else
since then, the times of its files are compared with that.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import make_folders, write_json
from ansible_collections.selfhost.flask.plugins.module_utils.host.systemd import (
    Unit,
    is_unit_file,
    show_units,
    unit_names,
)

RUNNING = "/run/selfhost/loaded"  # gone after a reboot, when each service is another one
KEPT = "/var/lib/selfhost/loaded"
TICK = 0.01  # seconds by which the kernel's clock for files may be late
UNKNOWN = "unknown"


class LoadError(Exception):
    """What a service says against its new files."""


def digest(path: str) -> str:
    """What tells one content of a path from another."""
    if os.path.islink(path):
        return "-> " + os.readlink(path)
    if not os.path.exists(path):
        return "absent"
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def changed_at(path: str) -> float:
    """When a path got its content at the latest; of one that is absent, its folder knows."""
    if os.path.lexists(path):
        return os.lstat(path).st_ctime
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return os.stat(path).st_mtime


def is_below(path: str, folders: list) -> bool:
    """Whether a path is one of these or in one of these."""
    return any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in folders)


class Reader:
    """Who reads some of the files, and a record of what it has loaded."""

    def __init__(self, params: dict, paths: list, folder: str, identity: str) -> None:
        self.name = params["name"]
        self.paths = [path for path in paths if is_below(path, params["files"])] if params["files"] else paths
        self.path = os.path.join(folder, self.name + ".json")
        self.identity = identity
        self.known = self._read()

    def _read(self) -> dict:
        """The digests by path; none where it was loaded anew since then."""
        try:
            with open(self.path, encoding="utf-8") as file:
                record = json.load(file)
        except (OSError, ValueError):
            return {}
        return record["files"] if record["identity"] == self.identity else {}

    def write(self, files: dict) -> None:
        """Notes what it has loaded."""
        if files != self._read():
            make_folders(os.path.dirname(self.path), 0o700)
            write_json(self.path, {"identity": self.identity, "files": files})

    def has_loaded(self, path: str) -> bool:
        """Whether it runs with what is at a path now."""
        return self.known.get(path) == digest(path)

    def stale(self, changed: list) -> list:
        """The files that it does not run with, where some are about to change."""
        return [path for path in self.paths if path in changed or not self.has_loaded(path)]

    def mark(self, changed: list) -> None:
        """From now on it does not run with these, however this process ends; forget() takes that back."""
        self.known.update((path, digest(path)) for path in self.paths if self.has_loaded(path))
        self.write({**self.known, **{path: UNKNOWN for path in self.paths if path in changed}})

    def forget(self) -> None:
        """The files are as they were before mark()."""
        self.write(self.known)


class Command(Reader):
    """What loads files that no service reads. At a boot the system itself does that."""

    def __init__(self, params: dict, paths: list) -> None:
        super().__init__(params, paths, KEPT, params["command"])

    def steps(self, changed: list) -> list:
        return ["load"] if self.stale(changed) else []

    def load(self, module: AnsibleModule, steps: list) -> None:
        loaded = {path: digest(path) for path in self.paths}
        run(module, self.identity)
        self.write(loaded)


class Service(Reader):
    """A unit of systemd's."""

    def __init__(self, params: dict, paths: list, unit: Unit) -> None:
        super().__init__(params, paths, RUNNING, unit.identity)
        self.unit = unit
        self.stops = params["state"] == "stopped"
        self.restarts = params["action"] == "restart"

    def has_loaded(self, path: str) -> bool:
        """By the record, or by the times where others have started or reloaded it since then."""
        if path in self.known:
            return super().has_loaded(path)
        by_start = self.restarts or is_unit_file(path)
        return changed_at(path) + TICK < (self.unit.started_at if by_start else self.unit.loaded_at)

    def steps(self, changed: list) -> list:
        """What it takes until it runs with its files. A process stays as confined as it was when it started."""
        if self.stops:
            return ["stop"] if self.unit.active else []
        stale = self.stale(changed) if self.unit.active else []
        by_restart = self.restarts or any(map(is_unit_file, stale))
        verb = ("restart" if by_restart else "reload") if stale else "" if self.unit.active else "start"
        return (["enable"] if self.unit.disabled else []) + ([verb] if verb else [])

    def load(self, module: AnsibleModule, steps: list) -> None:
        """Takes the steps. A reload leaves alone how others' files confine it."""
        kept = [path for path in self.known if "reload" in steps and is_unit_file(path)]
        loaded = {path: digest(path) for path in [*self.known, *self.paths]}
        loaded.update((path, self.known[path]) for path in kept)
        for verb in steps:
            run(module, ["systemctl", verb, self.unit.name])
        self.identity = show_units(module, [self.unit.name])[self.unit.name].identity
        self.write(loaded)


class Manager:
    """systemd itself, which reads the files of all units."""

    name = "systemd"

    def __init__(self, units: dict) -> None:
        self.outdated = any(unit.outdated for unit in units.values())

    def steps(self, changed: list) -> list:
        return ["daemon-reload"] if self.outdated or any(map(is_unit_file, changed)) else []

    def load(self, module: AnsibleModule, steps: list) -> None:
        run(module, ["systemctl", "daemon-reload"])


class Services:
    """All who read the files of one task."""

    def __init__(self, module: AnsibleModule, params: list, paths: list) -> None:
        self.module = module
        units = show_units(module, [about["name"] for about in params if not about["command"]] + unit_names(paths))
        self.manager = Manager(units)
        self.readers = [
            Command(about, paths) if about["command"] else Service(about, paths, units[about["name"]])
            for about in params
        ]

    def plan(self, changed: list) -> list:
        """(who, steps) for all that has to be done, in this order."""
        steps = [(reader, reader.steps(changed)) for reader in [self.manager, *self.readers]]
        return [(reader, verbs) for reader, verbs in steps if verbs]

    def mark(self, changed: list) -> None:
        for reader in self.readers:
            reader.mark(changed)

    def forget(self) -> None:
        for reader in self.readers:
            reader.forget()

    def load(self, plan: list) -> None:
        """LoadError where one can't: it is still behind then, and the next run tries again."""
        for reader, verbs in plan:
            try:
                reader.load(self.module, verbs)
            except LoadError as error:
                raise LoadError(
                    "%s. The files are in place, and %s does not run with them. Put right what it complains of, and run "
                    "the playbook again: it tries this again." % (error, reader.name)
                ) from error


def describe(plan: list) -> list:
    """A plan as a person reads it."""
    return ["%s %s" % (verb, reader.name) for reader, verbs in plan for verb in verbs]


def run(module: AnsibleModule, command: list | str) -> None:
    """LoadError where a command fails."""
    code, out, err = module.run_command(command)
    if code:
        said = command if isinstance(command, str) else " ".join(command)
        raise LoadError("`%s` failed (exit code %d): %s" % (said, code, (err or out).strip()))


@contextlib.contextmanager
def alone():
    """Waits until no other process is at work on services; whoever comes now waits for this one."""
    make_folders(RUNNING, 0o700)
    with open(os.path.join(RUNNING, ".lock"), "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
