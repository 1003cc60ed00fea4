# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One process at a time changes an application: for one step by the kernel, and from a run's first step to its last by a file."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time

from ansible_collections.selfhost.flask.plugins.module_utils.common.files import write_file
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import held
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

LEASE = 600  # seconds after which a lock under which nothing happens is anybody's
PATIENCE = 60  # seconds to wait for a step that a dead run has left behind


class Busy(Exception):
    """Somebody else changes the application."""


@contextlib.contextmanager
def step(root: str, patience: float | None = PATIENCE):
    """Keeps an application for this process and its children, so that a killed one's are waited for.

    Without patience, for as long as it takes; with it, Busy after so many seconds.
    """
    site = Site("", root, "")
    with locked(site.own("step"), patience) as descriptor:
        held.append(descriptor)
        try:
            Lock(site).touch()
            yield
            Lock(site).touch()
        finally:
            held.remove(descriptor)


@contextlib.contextmanager
def locked(path: str, patience: float | None):
    """Keeps a file, which is made where there is none, for one process at a time."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _wait_for(descriptor, patience)
        yield descriptor
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int, patience: float | None) -> None:
    if patience is None:
        return fcntl.flock(descriptor, fcntl.LOCK_EX)
    end = time.monotonic() + patience
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise Busy(
                    "A step of another run, or what recovers from one, is still at work on this host after %d s. "
                    "Wait until it has ended." % patience
                ) from None
        time.sleep(0.05)


class Lock:
    """Says whose deployment it is, from its first step to its last."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.path = site.path("deployment", "lock.json")

    def holder(self) -> dict | None:
        """Who has it, with `idle`, the seconds since something happened under it."""
        try:
            with open(self.path, encoding="utf-8") as file:
                found = json.load(file)
            return dict(found, idle=time.time() - os.stat(self.path).st_mtime)
        except FileNotFoundError:
            return None

    def take(self, owner: dict, gone: list) -> dict | None:
        """Takes it; its holder where that one lives and nothing was taken.

        A lock is taken over from an owner who is known to have ended, and from one under whom nothing
        has happened for so long.
        """
        with self._alone():
            holder = self.holder()
            if holder and holder["id"] not in gone + [owner["id"]] and holder["idle"] < LEASE:
                return holder
            write_file(self.path, json.dumps(dict(owner, since=time.time())).encode(), 0o600)
            return None

    def release(self, owner: str) -> dict | None:
        """Gives it back; what it said, or None where it belongs to somebody else."""
        with self._alone():
            holder = self.holder()
            if holder is None or holder["id"] != owner:
                return None
            os.unlink(self.path)
            return holder

    def touch(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.utime(self.path)

    @contextlib.contextmanager
    def _alone(self):
        folder = os.open(os.path.dirname(self.site.own("lock.json")), os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)
