# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that somebody has written for systemd, also those that a socket starts."""

from __future__ import annotations

import glob
import os
import re

from ansible_collections.selfhost.flask.plugins.module_utils.common.files import text_of
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError, run
from ansible_collections.selfhost.flask.plugins.module_utils.host.foreign_programs import (
    ForeignProgram,
    Foreigners,
    Was,
    folder_of,
    split_pairs,
)
from ansible_collections.selfhost.flask.plugins.module_utils.host.systemd import UNITS

LINE = re.compile(r"^\s*(\w+)\s*=\s*(.*?)\s*$")
# What starts a service, and the setting by which it names one that is not called as itself.
STARTERS = {"socket": "Service", "timer": "Unit", "path": "Unit"}
TEMPLATE = (
    "%s is a template, of which there may be several instances. Write a unit of its own for each, start that, and look again."
)
PREFIX = re.compile(r"^[-@:+!]+")


def read_unit(text: str) -> dict:
    """The settings of a unit's sections, each as a list. An empty value forgets those before it, as for systemd."""
    found = {}
    for line in re.sub(r"\\\n", " ", text).splitlines():
        match = LINE.match(line)
        if match and not line.lstrip().startswith(("#", ";")):
            found[match.group(1)] = found.get(match.group(1), []) + [match.group(2)] if match.group(2) else []
    return found


def starters_of(service: str, kind: str) -> list:
    """The files of the units of a kind that start a service, by its name or by what they say."""
    found = []
    for path in sorted(glob.glob(UNITS + "*." + kind)):
        named = read_unit(text_of(path)).get(STARTERS[kind]) or [os.path.basename(path)[:-len(kind)] + "service"]
        found += [path] if named[-1] == service and not os.path.islink(path) else []
    return found


def schedule_of(service: str) -> str:
    """When a timer starts it: a calendar expression, or "?" for anything else; empty where none does."""
    timers = [read_unit(text_of(path)) for path in starters_of(service, "timer")]
    return next(((timer.get("OnCalendar") or ["?"])[-1] for timer in timers), "")


class ForeignUnits(Foreigners):
    """Units in the administrator's own folder. Their files stay where they are."""

    kind = "systemd"

    def programs(self) -> list:
        paths = [path for path in sorted(glob.glob(UNITS + "*.service")) if not os.path.islink(path)]
        return list(filter(None, map(self._read, paths)))

    def _read(self, path: str) -> ForeignProgram | None:
        texts = [text_of(one) for one in [path] + sorted(glob.glob(glob.escape(path) + ".d/*.conf"))]
        unit = read_unit("\n".join(texts))
        command = PREFIX.sub("", (unit.get("ExecStart") or [""])[-1])
        if not command:
            return None
        environment = {key: value for text in unit.get("Environment", []) for key, value in split_pairs(text, " ").items()}
        files = tuple(PREFIX.sub("", one) for one in unit.get("EnvironmentFile", []))
        folder = PREFIX.sub("", (unit.get("WorkingDirectory") or [""])[-1])
        user = (unit.get("User") or ["root"])[-1]
        if folder == "~":
            folder = os.path.expanduser("~" + user)
        socket = read_unit(text_of(path[:-len("service")] + "socket"))
        is_job = (unit.get("Type") or [""])[-1] == "oneshot"
        return ForeignProgram(
            os.path.basename(path), "systemd", path, command, folder_of(command, folder), user, environment, files,
            tuple(socket.get("ListenStream", [])), schedule=schedule_of(os.path.basename(path)) or ("?" if is_job else ""),
        )

    def units(self, program: ForeignProgram) -> list:
        """The service, and whatever would start it: sockets, timers and paths, whether by its name or by what they say."""
        return [program.name, *(os.path.basename(path) for kind in STARTERS for path in starters_of(program.name, kind))]

    def files(self, program: ForeignProgram) -> list:
        found = [UNITS + name for name in self.units(program)]
        return found + [path + ".d" for path in found if os.path.isdir(path + ".d")]

    def is_up(self, program: ForeignProgram) -> bool:
        """A job that ends by itself is as its timer."""
        return any(self._is_active(name) for name in self.units(program) if not self._is_job(program, name))

    def _is_active(self, name: str) -> bool:
        return self._says("is-active", name) in ("active", "activating")

    def _is_job(self, program: ForeignProgram, name: str) -> bool:
        return name == program.name and (read_unit(text_of(program.file)).get("Type") or [""])[-1] == "oneshot"

    def _says(self, verb: str, name: str) -> str:
        try:
            return run(["systemctl", verb, name]).decode().strip()
        except CommandError:
            return ""

    def shared_with(self, program: ForeignProgram) -> list:
        return []

    def obstacles(self, program: ForeignProgram) -> list:
        return [TEMPLATE % program.name] if "@." in program.name else []

    def stop(self, program: ForeignProgram, put_away: dict) -> None:
        """What starts the service first, or it would start again."""
        run(["systemctl", "disable", "--now", *reversed(self.units(program))])

    def parts(self, program: ForeignProgram) -> dict:
        """Of each unit, whether it is to be started, and whether a boot does so."""
        return {
            name: [self._is_active(name) and not self._is_job(program, name), self._says("is-enabled", name) == "enabled"]
            for name in self.units(program)
        }

    def start(self, program: ForeignProgram, put_away: dict, was: Was) -> None:
        enabled = [name for name, (dummy, boots) in was.parts.items() if boots]
        active = [name for name, (is_active, dummy) in was.parts.items() if is_active]
        if enabled:
            run(["systemctl", "enable", *enabled])
        if active:
            run(["systemctl", "start", *reversed(active)])
