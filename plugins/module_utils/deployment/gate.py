# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which requests an application answers while it is updated or maintained.

gate.py, in front of the application in each of its processes, reads what is written here.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time

from ansible_collections.selfhost.flask.plugins.module_utils.common.files import write_file
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

FOLDER = "gate"  # a request that writes shares its lock for as long as it takes
JOBS = "slots"  # a scheduled job shares its lock likewise
STILL_WRITING = (
    "A request that writes still runs after %d s. Run the playbook again, or set deployment_write_patience to more seconds."
)
STILL_AT_WORK = (
    "A job of flask_jobs still runs after %(seconds)d s: see `systemctl list-units 'flask-%(name)s.*'`. Run the playbook "
    "again when it has ended, or set deployment_write_patience to more seconds."
)


class StillWriting(Exception):
    """A request that writes does not come to its end."""


class Gate:
    """Closed for writes to one slot, for all writes, or for every request."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def path(self, name: str) -> str:
        return self.site.path(FOLDER, name)

    def close(self, name: str, retry_after: int, patience: float) -> None:
        """Refuses new writes to a slot, and returns when those that are in flight have ended."""
        self.refuse(name, retry_after)
        if not _becomes_free(self.site.path(FOLDER), patience):
            self.open(name)
            raise StillWriting(STILL_WRITING % patience)

    def await_jobs(self, patience: float) -> None:
        """Returns when no scheduled job runs any more; StillWriting where one takes longer."""
        if not _becomes_free(self.site.path(JOBS), patience):
            raise StillWriting(STILL_AT_WORK % dict(seconds=patience, name=self.site.name))

    def refuse(self, name: str, retry_after: int, message: str = "") -> bool:
        """Answers 503 from now on; whether that is new."""
        content = json.dumps({"retry_after": retry_after, "message": message}).encode()
        if self.refused(name) == content:
            return False
        os.makedirs(self.site.path(FOLDER), mode=0o755, exist_ok=True)
        write_file(self.path(name + ".closed"), content, 0o644)
        return True

    def refused(self, name: str) -> bytes:
        """What is said to those who are refused; nothing where nobody is."""
        try:
            with open(self.path(name + ".closed"), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return b""

    def closed(self) -> str:
        """What is closed by hand: all, writes or nothing."""
        return "all" if self.refused("site") else "writes" if self.refused("writes") else "nothing"

    def open(self, name: str) -> bool:
        """Takes requests again; whether it did not before."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path(name + ".closed"))
            return True
        return False


def _becomes_free(path: str, patience: float) -> bool:
    """Whether nobody shares a folder's lock any more within so many seconds."""
    end = time.monotonic() + patience
    folder = os.open(path, os.O_RDONLY)
    try:
        while not _is_free(folder):
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True
    finally:
        os.close(folder)


def _is_free(folder: int) -> bool:
    """Whether nobody shares a lock."""
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
