# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application's system user: what runs as it, what it has left in folders that everybody writes to, and its account."""

from __future__ import annotations

import glob
import os
import signal
import stat
import time
from typing import Iterator

from ansible_collections.selfhost.flask.plugins.module_utils.common.process import run
from ansible_collections.selfhost.flask.plugins.module_utils.host.accounts import find_group, find_user
from ansible_collections.selfhost.flask.plugins.module_utils.removal.remains import RemovalError
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import remove

PUBLIC = ("/dev/shm", "/run", "/tmp", "/var/spool", "/var/tmp")
PATIENCE = 30  # seconds until a process that was killed is gone


def processes_of(uid: int) -> list:
    """The processes of a user."""
    found = []
    for path in glob.glob("/proc/[0-9]*"):
        try:
            if os.stat(path).st_uid == uid:
                found.append(int(os.path.basename(path)))
        except FileNotFoundError:
            pass
    return found


def end_processes(uid: int) -> None:
    """Kills what still runs; RemovalError where something goes on."""
    end = time.monotonic() + PATIENCE
    while processes_of(uid):
        for process in processes_of(uid):
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if time.monotonic() > end:
            raise RemovalError("Processes %s of the application's user do not end" % processes_of(uid))
        time.sleep(0.05)


def files_of(uid: int, folders: tuple = PUBLIC) -> Iterator[str]:
    """What belongs to a user where everybody can write, of a folder with all that is in it only the folder."""
    for folder in folders:
        for path, names, files in os.walk(folder):
            for name in [*names, *files]:
                whole = os.path.join(path, name)
                try:
                    status = os.lstat(whole)
                except FileNotFoundError:
                    continue
                if status.st_uid == uid:
                    if stat.S_ISDIR(status.st_mode):
                        names.remove(name)
                    yield whole


def remove_account(name: str) -> None:
    """With its processes, and before another user gets its number, with its files."""
    user = find_user(name)
    if user:
        end_processes(user.pw_uid)
        for path in list(files_of(user.pw_uid)):
            remove(path)
        run(["userdel", name])
    if find_group(name):
        run(["groupdel", name])
