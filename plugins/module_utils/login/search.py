# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The search for the login that works, on the controller: few connections, and few that fail.

Each failure counts for sshd's penalties, for fail2ban and for the firewall's limit.
"""

from __future__ import annotations

import time
from typing import Callable, NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.login import agent
from ansible_collections.selfhost.flask.plugins.module_utils.login import problem as ssh_problem
from ansible_collections.selfhost.flask.plugins.module_utils.login.memory import Login, Memory
from ansible_collections.selfhost.flask.plugins.module_utils.login.problem import Problem

WINDOW = 31  # after which the firewall has forgotten them, and sshd's penalties for a few logins are over
# OpenSSH 9.8 and newer count these seconds for a login that fails, and hang up on who has 15 (PerSourcePenalties).
PENALIZES, REFUSED, FAILED, ENOUGH = (9, 8), 1, 5, 8
# Whose image has this user.
IMAGES = {"ubuntu": ("Ubuntu",), "debian": ("Debian",), "pi": ("Debian", "Raspbian")}


class Attempt(NamedTuple):
    """One login: what the probe printed, what ssh said, and the problem where it failed."""

    login: Login
    port: int
    answer: str
    said: str
    problem: Problem | None


class Search:
    """Looks for the login that works, with as few connections and failures as possible."""

    def __init__(
        self, probe: Callable[[Login, int], tuple], memory: Memory, patience: int, say: Callable[[str], None]
    ) -> None:
        self.probe, self.memory, self.patience, self.say = probe, memory, patience, say
        self.failed: list = []
        self.answered: set = set()
        self.penalty_ends = 0.0

    def run(self, ports: list, users: list) -> Attempt | None:
        """The first login that works."""
        for port in dict.fromkeys(ports or [0]):
            found = self._at(port, list(dict.fromkeys(users)))
            if found:
                self.memory.keep(port, found.login)
                return found
        return None

    def _at(self, port: int, users: list) -> Attempt | None:
        """The login that works at a port, until nobody answers there."""
        waiting = self._ordered(users, port)
        while waiting:
            attempt = self._with_other_keys(self._try(waiting.pop(0), port))
            if not attempt.problem:
                return attempt
            self.failed.append(attempt)
            if attempt.problem.kind not in ssh_problem.HEARD:
                return None
            waiting = rearranged(waiting, attempt)
        return None

    def _ordered(self, users: list, port: int) -> list:
        """Who worked the last time comes first."""
        last = self.memory.login(port)
        first = [last] if last and last.user in users else []
        return first + [Login(user, "") for user in users if not first or user != last.user]

    def _with_other_keys(self, attempt: Attempt) -> Attempt:
        """The same user with the keys that sshd did not let ssh try."""
        if not attempt.problem or attempt.problem.kind != "keys":
            return attempt
        for way in agent.ways(ssh_problem.offered_keys(attempt.said), self.memory.folder):
            other = self._try(Login(attempt.login.user, way), attempt.port)
            if not other.problem:
                way = agent.narrowed(way, ssh_problem.accepted_key(other.said), self.memory.folder)
                return other._replace(login=Login(attempt.login.user, way))
        return attempt

    def _try(self, login: Login, port: int) -> Attempt:
        """One login; once more after a while where the host refuses this computer for the time being."""
        attempt = self._try_now(login, port)
        if attempt.problem and attempt.problem.kind in ssh_problem.PASSING and self.patience >= WINDOW:
            self.say("%s: %s Trying again in %d s." % (self.memory.host, attempt.problem.remedy, WINDOW))
            self.patience -= WINDOW
            time.sleep(WINDOW)
            attempt = self._try_now(login, port)
        return attempt

    def _try_now(self, login: Login, port: int) -> Attempt:
        time.sleep(max(0, self.penalty_ends - time.monotonic() - ENOUGH))
        code, answer, said = self.probe(login, port)
        problem = None
        if "login works" not in answer.splitlines():
            known = port in self.answered or self.memory.is_fresh(port)
            problem = ssh_problem.NO_SUDO if code == 77 else ssh_problem.problem_of(said + answer, known)
            if ssh_problem.told_user(said + answer):
                problem = ssh_problem.problem_of("Permission denied")
        if not problem or problem.kind in ssh_problem.HEARD:
            self.answered.add(port)
        if problem and problem.kind in ssh_problem.HEARD and ssh_problem.openssh_of(said) >= PENALIZES:
            seconds = REFUSED if ssh_problem.was_only_refused(said) else FAILED
            self.penalty_ends = max(self.penalty_ends, time.monotonic()) + seconds
        return Attempt(login, port, answer, said, problem)


def rearranged(waiting: list, attempt: Attempt) -> list:
    """The others, after what the host said of itself: whom root names comes first, who belongs elsewhere last."""
    told = ssh_problem.told_user(attempt.said + attempt.answer)
    last = ssh_problem.elsewhere(attempt.said, IMAGES)
    first = [Login(told, "")] if told and told != attempt.login.user else []
    others = [login for login in waiting if login.user != told]
    return first + sorted(others, key=lambda login: login.user in last)


def shown(attempt: Attempt) -> str:
    """An attempt, for a person to read."""
    at = " at port %d" % attempt.port if attempt.port else ""
    if attempt.problem.kind == "sudo":
        return "%s%s: logged in, but `sudo -n true` fails" % (attempt.login.user, at)
    said = ssh_problem.visible(attempt.said) or attempt.answer.strip()
    return "%s%s: %s" % (attempt.login.user, at, said[-200:].rstrip("."))
