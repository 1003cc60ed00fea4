# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks of /etc/passwd and its kin that outlived who made them.

useradd and the others take over a lock whose process has ended. After the loss of the power, that process's number
may be another one's: then no user can be made until that has ended, and no package that needs one be installed.
"""

from __future__ import annotations

import contextlib
import os
import re

FOLDER = "/etc"
FILES = ("passwd", "shadow", "group", "gshadow", "subuid", "subgid")
TOOLS = re.compile(
    r"(user|group)(add|mod|del)$|groupmems|gpasswd|passwd|ch(age|fn|sh)$|chg?passwd|newusers|(pw|grp)(ck|conv|unconv)|vi(pw|gr)$"
)


def left_locks() -> list:
    """The lock files that no program needs any more."""
    paths = [os.path.join(FOLDER, name + ".lock") for name in FILES]
    return [path for path in paths if os.path.exists(path) and not _is_at_work(path)]


def remove_locks() -> None:
    """Removes them."""
    for path in left_locks():
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _is_at_work(path: str) -> bool:
    """Whether the process that a lock names is a program that would make one."""
    try:
        with open(path, encoding="ascii") as file:
            pid = int(file.read().strip("\0 \n"))
        with open("/proc/%d/comm" % pid, encoding="utf-8") as file:
            return bool(TOOLS.match(file.read().strip()))
    except (OSError, ValueError):
        return False
