# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application's place on the host, and that one process at a time changes it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import time
from typing import NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils._files import write_file

LEASE = 600  # seconds after which a lock under which nothing happens is anybody's
PATIENCE = 60  # seconds to wait for a step that a dead run has left behind
LAST_LINES = 20

held = []  # descriptors that keep an application's step; children inherit them


class Busy(Exception):
    """Somebody else changes the application."""


class CommandError(Exception):
    """A program that failed, with the last of what it said."""


class Site(NamedTuple):
    """An application's name, which is also its user's and its database's, and its folders."""

    name: str
    root: str
    log: str
    workers: tuple = ()

    def path(self, *names: str) -> str:
        return os.path.join(self.root, *names)

    def release_name(self, folder: str) -> str:
        """The release that a folder is in; the application may be in a subfolder of it."""
        return os.path.relpath(folder, self.path("releases")).split(os.sep)[0] if folder else ""

    def state(self) -> str:
        """What visitors have when a step failed that touches nothing that is served."""
        live = os.path.islink(self.path("run", "live.sock"))
        return "The served version is untouched." if live else "No version is served yet."

    def own(self, *names: str) -> str:
        """A path in the folder that is the deployment's own and root's alone."""
        folder = self.path("deployment")
        os.makedirs(folder, mode=0o700, exist_ok=True)
        return os.path.join(folder, *names)


def run(argv: list, user: str = "", data: bytes = b"") -> bytes:
    """A program's output; CommandError where it fails. No secret belongs into its arguments."""
    environment = dict(os.environ, LC_ALL="C.UTF-8")
    try:
        done = subprocess.run(
            as_user(argv, user), input=data, capture_output=True, env=environment, pass_fds=held, check=False
        )
    except OSError as error:
        raise CommandError("`%s` can't be run: %s" % (argv[0], error)) from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-LAST_LINES:]
        raise CommandError("`%s` ended with exit code %d: %s" % (argv[0], done.returncode, "\n".join(said)))
    return done.stdout


def as_user(argv: list, user: str) -> list:
    """The command by which root runs a program as somebody else; the program itself where that is nobody."""
    return (["runuser", "-u", user, "--"] if user else []) + argv


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
