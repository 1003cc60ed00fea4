# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of cron's tables. One is stopped by a mark that makes it a comment, and its file is nobody's to remove."""

from __future__ import annotations

import glob
import os
import pwd
import re
from typing import NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.common.files import write_file
from ansible_collections.selfhost.flask.plugins.module_utils.host.foreign_commands import name_of
from ansible_collections.selfhost.flask.plugins.module_utils.host.foreign_programs import (
    HOME,
    ForeignProgram,
    Foreigners,
    Was,
    folder_of,
    is_in,
)

SPOOL = "/var/spool/cron/crontabs/"
TABLE, TABLES = "/etc/crontab", "/etc/cron.d/"  # whose lines also say who runs them
NAME = re.compile(r"[\w-]+\Z")
MARK = "# moved to selfhost.flask: "
SETTING = re.compile(r"^\s*[\"']?(\w+)[\"']?\s*=\s*(.*?)\s*$")
LINE = re.compile(r"^\s*(@\w+|[^\s#]\S*(?:\s+\S+){4})\s+(\S.*?)\s*$")
END = re.compile(r"(?<!\\)%.*", re.S)  # what a command reads from its input
OF_CRON = {"MAILTO", "MAILFROM", "CRON_TZ", "RANDOM_DELAY", "CONTENT_TYPE", "CONTENT_TRANSFER_ENCODING"}
AT_BOOT = (
    "%s is started at a boot by a line of %s, and cron could not stop it. Let a service run it, remove that line, and look again."
)


class Line(NamedTuple):
    """A line that runs something, whether or not it has the mark."""

    program: ForeignProgram
    text: str  # as it was without the mark
    is_marked: bool


def read_table(path: str, text: str, user: str = "") -> list:
    """The lines of a table; without a user, each says whose it is. Names are the same when some of them have the mark."""
    found, environment, names = [], {}, set()
    for number, written in enumerate(text.split("\n"), 1):
        line = written[len(MARK):] if written.startswith(MARK) else written
        setting, job = SETTING.match(line), LINE.match(line)
        if setting:
            environment[setting.group(1)] = setting.group(2).strip("\"'")
        elif job and not line.lstrip().startswith("#"):
            owner, command = (user, job.group(2)) if user else (*job.group(2).split(None, 1), "")[:2]
            command = END.sub("", command).replace("\\%", "%")
            name = name_of(command)
            name = "%s-%d" % (name, number) if name in names else name
            names.add(name)
            program = _program(name, path, command, owner, environment, job.group(1))
            found.append(Line(program, line, line is not written))
    return found


def _program(name: str, path: str, command: str, user: str, environment: dict, schedule: str) -> ForeignProgram:
    home = environment.get("HOME") or home_of(user)
    folder = folder_of(command, "")
    folder = os.path.normpath(os.path.join(home, HOME.sub(lambda dummy: home, folder))) if folder and home else folder
    settings = {key: value for key, value in environment.items() if key not in OF_CRON}
    return ForeignProgram(name, "cron", path, command, folder, user, settings, schedule=schedule, home=home)


def home_of(user: str) -> str:
    try:
        return pwd.getpwnam(user).pw_dir
    except KeyError:
        return ""


class ForeignCrontabs(Foreigners):
    """Of users, and the system's."""

    kind = "cron"
    runs_in = "cron.service"

    def programs(self) -> list:
        return [line.program for path in self._paths() for line in self._lines(path) if not line.is_marked]

    def _paths(self) -> list:
        tables = [path for path in sorted(glob.glob(TABLES + "*")) if NAME.match(os.path.basename(path))]
        return [path for path in [*sorted(glob.glob(SPOOL + "*")), TABLE, *tables] if os.path.isfile(path)]

    def _lines(self, path: str) -> list:
        return read_table(path, self._text(path), os.path.basename(path) if path.startswith(SPOOL) else "")

    def _text(self, path: str) -> str:
        try:
            with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
                return file.read()
        except OSError:
            return ""

    def shared_with(self, program: ForeignProgram) -> list:
        return []

    def obstacles(self, program: ForeignProgram) -> list:
        return [AT_BOOT % (program.name, program.file)] if program.schedule == "@reboot" else []

    def files(self, program: ForeignProgram) -> list:
        return []

    def is_up(self, program: ForeignProgram) -> bool:
        """Whether it will run, or runs now."""
        lines = [line for line in self._lines(program.file) if line.program.name == program.name]
        return any(not line.is_marked for line in lines) or bool(program.folder) and runs_in(program.folder)

    def parts(self, program: ForeignProgram) -> dict:
        return {line.text: True for line in self._lines(program.file) if line.program.name == program.name}

    def stop(self, program: ForeignProgram, put_away: dict) -> None:
        self._replace(program.file, {text: MARK + text for text in self.parts(program)})

    def start(self, program: ForeignProgram, put_away: dict, was: Was) -> None:
        if was.up:
            self._replace(program.file, {MARK + text: text for text in was.parts})

    def _replace(self, path: str, lines: dict) -> None:
        """Other lines for some of a table, which cron reads anew since its file is another one."""
        text = self._text(path)
        new = "\n".join(lines.get(line, line) for line in text.split("\n"))
        if new != text:
            about = os.stat(path)
            write_file(path, new.encode("utf-8", "surrogateescape"), about.st_mode & 0o7777, about.st_uid, about.st_gid)


def runs_in(folder: str) -> bool:
    """Whether cron has started something that works in a folder, and has not ended yet."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cgroup" % pid, encoding="utf-8") as file:
                is_crons = "/" + ForeignCrontabs.runs_in in file.read()
            if is_crons and is_in(os.readlink("/proc/%s/cwd" % pid), folder):
                return True
        except OSError:
            continue  # it has ended
    return False
