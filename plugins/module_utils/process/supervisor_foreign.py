# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of supervisor's that somebody else has set up."""

from __future__ import annotations

import configparser
import glob
import os
import re
import shutil
import time
import xmlrpc.client

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

FILES = "/etc/supervisor/conf.d/*.conf"
PATIENCE = 15  # seconds
FIELD = re.compile(r"%\((\w+)\)[sd]")


def read_programs(path: str, text: str) -> list:
    """The programs of a file; none where it can't be read, which supervisor refuses as well."""
    parser = configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";",))
    try:
        parser.read_string(text)
    except configparser.Error:
        return []
    sections = [(name.partition(":")[2].strip(), parser[name]) for name in parser.sections() if name.startswith("program:")]
    return [_program(path, name, section) for name, section in sections]


def _program(path: str, name: str, section: configparser.SectionProxy) -> ForeignProgram:
    known = {"program_name": name, "here": os.path.dirname(path), "process_num": "0"}

    def value(key: str, default: str = "") -> str:
        return FIELD.sub(lambda found: known.get(found.group(1), ""), section.get(key, default)).replace("%%", "%")

    command = value("command")
    folder = folder_of(command, value("directory"))
    return ForeignProgram(
        name, "supervisor", path, command, folder, value("user", "root"), split_pairs(value("environment"))
    )


class ForeignPrograms(Foreigners):
    """supervisor reads only what is called *.conf, so a file that is put away is none of its any more."""

    kind = "supervisor"
    unit = Supervisor.unit
    changed = ("/etc/systemd/system/supervisor.service.d",)

    def programs(self) -> list:
        return [one for path in sorted(glob.glob(FILES)) for one in read_programs(path, text_of(path))]

    def is_up(self, program: ForeignProgram) -> bool:
        try:
            processes = Supervisor()
            return any(processes.look(name).is_up for name in self._names(processes, program))
        except ProcessError:
            return False

    def _names(self, processes: Supervisor, program: ForeignProgram) -> list:
        """As supervisor calls its processes: the program may be several."""
        try:
            infos = processes.rpc.getAllProcessInfo()
        except OSError as error:
            raise ProcessError(processes.name, error) from error
        return ["%s:%s" % (info["group"], info["name"]) for info in infos if program.name in (info["group"], info["name"])]

    def stop(self, program: ForeignProgram, put_away: dict) -> None:
        """Several programs may be in one file, of which the first one takes it away."""
        target = put_away[program.file]
        if os.path.exists(program.file):
            os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
            shutil.move(program.file, target)
        processes = Supervisor()
        processes.stop(*self._names(processes, program))
        processes.rpc.reloadConfig()
        processes.forget(program.name)

    def start(self, program: ForeignProgram, put_away: dict, was: Was) -> None:
        source = put_away[program.file]
        if os.path.exists(source):
            shutil.move(source, program.file)
        processes = Supervisor()
        try:
            added, changed, dummy = reload(processes)
            for name in {program.name} & {*added, *changed}:
                processes.rpc.addProcessGroup(name)
            if was.up:
                processes.rpc.startProcessGroup(program.name, False)
        except (xmlrpc.client.Error, OSError) as error:
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
