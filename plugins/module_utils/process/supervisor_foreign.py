# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of supervisor's that somebody else has set up."""

from __future__ import annotations

import configparser
import contextlib
import glob
import http.client
import os
import platform
import re
import shutil
import time
import xmlrpc.client
from typing import Iterator

from ansible_collections.selfhost.flask.plugins.module_utils.common.files import text_of
from ansible_collections.selfhost.flask.plugins.module_utils.host.foreign_programs import (
    ForeignProgram,
    Foreigners,
    Was,
    folder_of,
    split_pairs,
)
from ansible_collections.selfhost.flask.plugins.module_utils.process.manager import ProcessError
from ansible_collections.selfhost.flask.plugins.module_utils.process.supervisor import Supervisor

MAIN = "/etc/supervisor/supervisord.conf"
FILES = "/etc/supervisor/conf.d/*.conf"
GROUPED = (
    "%s is in the group %s of supervisor, by %s. A group is started and stopped as a whole: remove the section [group:%s], run "
    "`supervisorctl update`, and look again."
)
PATIENCE = 15  # seconds
FIELD = re.compile(r"%\((\w+)\)\d*[sd]")


def read_programs(path: str, text: str) -> list:
    """The programs of a file; none where it can't be read, which supervisor refuses as well."""
    return [_program(path, name, section) for name, section in sections(text, "program")]


def read_groups(text: str) -> dict:
    """The group of each program that is in one, by the sections of a file."""
    found = {}
    for name, section in sections(text, "group"):
        found.update((program.strip(), name) for program in section.get("programs", "").split(","))
    return found


def sections(text: str, kind: str) -> list:
    """The sections of a kind, each with its name."""
    parser = configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";",))
    try:
        parser.read_string(text)
    except configparser.Error:
        return []
    return [(name.partition(":")[2].strip(), parser[name]) for name in parser.sections() if name.startswith(kind + ":")]


def _program(path: str, name: str, section: configparser.SectionProxy) -> ForeignProgram:
    known = {"program_name": name, "group_name": name, "process_num": "0", "host_node_name": platform.node()}
    known["here"] = os.path.dirname(path)

    def value(key: str, default: str = "") -> str:
        """What supervisor alone knows stays as it is written."""
        return FIELD.sub(lambda found: known.get(found.group(1), found.group()), section.get(key, default)).replace("%%", "%")

    command = value("command")
    folder = folder_of(command, value("directory"))
    environment = split_pairs(value("environment"))
    unresolved = tuple(key for key, text in environment.items() if FIELD.search(text))
    environment = {key: text for key, text in environment.items() if key not in unresolved}
    return ForeignProgram(
        name, "supervisor", path, command, folder, value("user", "root"), environment, unresolved=unresolved
    )


class ForeignPrograms(Foreigners):
    """supervisor reads only what is called *.conf, so a file that is put away is none of its any more."""

    kind = "supervisor"
    unit = runs_in = Supervisor.unit
    changed = ("/etc/systemd/system/supervisor.service.d",)

    def programs(self) -> list:
        return [one for path in sorted(glob.glob(FILES)) for one in read_programs(path, text_of(path))]

    def obstacles(self, program: ForeignProgram) -> list:
        found = []
        for path in [MAIN, *sorted(glob.glob(FILES))]:
            group = read_groups(text_of(path)).get(program.name)
            found += [GROUPED % (program.name, group, path, group)] if group else []
        return found

    def is_up(self, program: ForeignProgram) -> bool:
        try:
            processes = Supervisor()
            return any(processes.look(name).is_up for name in self._names(processes, program))
        except ProcessError:
            return False

    def _names(self, processes: Supervisor, program: ForeignProgram) -> list:
        """As supervisor calls its processes: the program may be several."""
        with told(processes):
            infos = processes.rpc.getAllProcessInfo()
        return ["%s:%s" % (info["group"], info["name"]) for info in infos if program.name in (info["group"], info["name"])]

    def stop(self, program: ForeignProgram, put_away: dict) -> None:
        """Several programs may be in one file, of which the first one takes it away.

        What supervisor can't read, of whomever it is, would leave it stopped: that is asked before.
        """
        processes = Supervisor()
        with told(processes):
            processes.rpc.reloadConfig()
        names = self._names(processes, program)
        target = put_away[program.file]
        if os.path.exists(program.file):
            os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
            shutil.move(program.file, target)
        processes.stop(*names)
        with told(processes):
            processes.rpc.reloadConfig()
        processes.forget(program.name)

    def start(self, program: ForeignProgram, put_away: dict, was: Was) -> None:
        source = put_away[program.file]
        if os.path.exists(source):
            shutil.move(source, program.file)
        processes = Supervisor()
        with told(processes):
            added, changed, dummy = reload(processes)
            for name in {program.name} & {*added, *changed}:
                processes.rpc.addProcessGroup(name)
            if was.up:
                processes.rpc.startProcessGroup(program.name, False)


@contextlib.contextmanager
def told(processes: Supervisor) -> Iterator[None]:
    """ProcessError with what supervisor says, or why it says nothing."""
    try:
        yield
    except (xmlrpc.client.Error, http.client.HTTPException, OSError) as error:
        raise ProcessError(processes.name, error) from error


def reload(processes: Supervisor) -> list:
    """What is added, changed and removed; it may be that supervisor was started a moment ago."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return processes.rpc.reloadConfig()[0]
        except OSError:
            if time.monotonic() > end:
                raise
        time.sleep(0.2)
