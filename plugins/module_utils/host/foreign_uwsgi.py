# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an .ini file says to uWSGI, as far as somebody else has to know it."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

LINE = re.compile(r"^\s*([\w-]+)\s*=(.*)$")
SECTION = re.compile(r"^\s*\[(\w+)[^\]]*\]")
PLACEHOLDER = re.compile(r"%\(([\w-]+)\)|%([dnspP])")
BINDS = ("socket", "uwsgi-socket", "http", "http-socket")
FOLDERS = ("chdir", "chdir2")
# What it starts beside the application, which ends with it.
BESIDE = ("attach-daemon", "attach-daemon2", "smart-attach-daemon", "smart-attach-daemon2", "legion-attach-daemon")
JOBS = ("cron", "cron2", "unique-cron")
COMMAND = re.compile(r"(?:^|,)cmd=([^,]+)")
OPTIONS_OF_CRON2 = re.compile(r"^\w+=[^\s,]*(?:,\w+=[^\s,]*)*,?\s+")
MOST = 1 << 16  # signs by which what a file defines may make it longer; what comes then is left as it is written
SCHEDULE = re.compile(r"^((?:-?\d+\s+){5})(.+)$")


class Options(NamedTuple):
    """Its environment has secrets."""

    binds: tuple = ()
    folder: str = ""  # that the application runs in
    user: str = ""
    environment: dict = {}
    beside: tuple = ()  # (command, schedule) of what it starts itself; no schedule if it runs all the time
    emperor: str = ""  # where the files of its applications are, if it is no application itself


def read_lines(text: str, path: str) -> list:
    """(name, value) of each line of the section uwsgi. What a line defines, a later one may have in its value."""
    stem = os.path.splitext(os.path.basename(path))[0]
    known = {"d": os.path.dirname(path) + os.sep, "n": stem, "s": os.path.basename(path), "p": path, "P": path}
    found, section, room = [], "", MOST

    def defined(one: re.Match) -> str:
        return known.get(one.group(1) or one.group(2), one.group())

    for line in text.splitlines():
        head, pair = SECTION.match(line), LINE.match(line)
        if head:
            section = head.group(1)
        elif pair and section == "uwsgi":
            value = pair.group(2).strip()
            longer = sum(len(defined(one)) for one in PLACEHOLDER.finditer(value))
            if longer <= room:
                value, room = PLACEHOLDER.sub(defined, value), room - longer
            known[pair.group(1)] = value
            found.append((pair.group(1), value))
    return found


def read_options(texts: dict) -> Options:
    """Of one file or several, by their paths. The values are as they are written but for what a file itself defines."""
    lines = [line for path, text in texts.items() for line in read_lines(text, path)]

    def all_of(*names: str) -> list:
        return [value for name, value in lines if name in names and value]

    daemons = [(COMMAND.search(value) or [value, value])[1] for value in all_of(*BESIDE)]
    jobs = [_job(value) for value in all_of(*JOBS)]
    return Options(
        tuple(all_of(*BINDS)), (all_of(*FOLDERS) or [""])[-1], (all_of("uid") or [""])[-1],
        dict(value.split("=", 1) for value in all_of("env") if "=" in value),
        (*((command, "") for command in [*daemons, *all_of("mule")]), *jobs), (all_of("emperor") or [""])[-1],
    )


def _job(value: str) -> tuple:
    """(command, schedule): -1 is each of them, and -5 every fifth."""
    found = SCHEDULE.match(value)
    if not found:
        return OPTIONS_OF_CRON2.sub("", value, count=1), "?"
    fields = ["*" if one == "-1" else "*/" + one[1:] if one[0] == "-" else one for one in found.group(1).split()]
    return found.group(2), " ".join(fields)
