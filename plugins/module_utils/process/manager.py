# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process manager as a deployment needs it: it runs programs, each by its name, and says how they are."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

# What a program does, whatever its manager calls that.
STARTING, RUNNING = "starting", "running"
RETRIED = "retried"  # it has ended, and is started again after a pause
STOPPING, STOPPED = "stopping", "stopped"
FAILED = "failed"  # it has ended too often, and is not started again
UNKNOWN = "unknown"  # the manager has no such program
UP = (STARTING, RUNNING)


class ProcessError(Exception):
    """What a process manager can't do, with its name."""

    def __init__(self, manager: str, reason: object) -> None:
        super().__init__(str(reason))
        self.manager = manager


class Program(NamedTuple):
    """How a program is."""

    phase: str  # of those above
    word: str  # the manager's own for that, as people see it with its command
    pid: int = 0
    started: float = 0  # seconds since 1970
    why: str = ""  # it could not be started

    @property
    def is_up(self) -> bool:
        return self.phase in UP


class ProcessManager:
    """What the drivers have in common. All calls raise ProcessError where the manager does not answer, or refuses."""

    name = ""  # as people call it
    unit = ""  # of systemd's, which runs it

    def __init__(self, timeout: float = 180) -> None:
        """Waits for so many seconds for an answer."""
        raise NotImplementedError

    def look(self, name: str) -> Program:
        """How a program is."""
        raise NotImplementedError

    def names(self, prefix: str) -> list:
        """The programs whose names begin so."""
        raise NotImplementedError

    def start(self, name: str) -> None:
        """Starts a stopped program by its configuration as it is on disk now; does not wait until it is up."""
        raise NotImplementedError

    def stop(self, *names: str) -> None:
        """Lets programs end, also those that are about to start, and waits for all of them."""
        raise NotImplementedError

    def forget(self, name: str) -> None:
        """Drops a stopped program that has no configuration any more."""
        raise NotImplementedError

    def ends(self, since: float) -> Counter:
        """How often each program has ended by itself since a time, in seconds since 1970."""
        raise NotImplementedError

    def command(self, action: str, name: str) -> str:
        """What a person types to `start` or `restart` a program."""
        raise NotImplementedError
