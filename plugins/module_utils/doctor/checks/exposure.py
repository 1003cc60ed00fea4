# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor's look at what a stranger can reach: ports, and a login by a password."""

from __future__ import annotations

import concurrent.futures
import re
import shlex
import socket
from typing import Iterator

from ansible_collections.selfhost.flask.plugins.module_utils.doctor.findings import Finding, ask
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.target import Target, seen

USUAL = (21, 23, 25, 3306, 5000, 5432, 6379, 8000, 8080, 9001, 11211, 27017)
SCAN = 1.0  # seconds for each port, all at once
WORKERS = 24
OTHERS = 2  # users whose login is asked for, too: sshd, or the firewall, refuses an address that asks for many
METHODS = re.compile(r"Permission denied \(([^)]*)\)")


class Exposure:
    """What a host shows to somebody who has no business there."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.open = set()  # ports that should not be

    def ssh(self) -> Iterator[Finding]:
        yield from self.login(self.target.ssh_user)

    def others(self, users: list) -> Iterator[Finding]:
        """The same for some others who have a password."""
        asked = [user for user in users if user != self.target.ssh_user][:OTHERS]
        if asked:
            with concurrent.futures.ThreadPoolExecutor(len(asked)) as pool:
                for found in pool.map(lambda user: list(self.login(user)), asked):
                    yield from found

    def login(self, user: str) -> Iterator[Finding]:
        """Asks for the methods that a user could log in by; nothing is tried."""
        target = self.target
        options = "-o BatchMode=yes -o PreferredAuthentications=none -o ControlPath=none -o LogLevel=ERROR -o RemoteCommand=none"
        options += " -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=5"
        # A jump host may be one of ~/.ssh/config, or be named there alone.
        jump = jump_of(shlex.split(target.ssh_args)) or ([] if target.ssh_jumps else ["-F", "none"])
        login = "%s@%s" % (user, target.ssh_host or target.address)
        said = ask("ssh", *options.split(), *jump, "-p", str(target.ssh_port), login, "true")
        found = METHODS.search(said.err)
        bad = {"password", "keyboard-interactive"} & set(found.group(1).split(",")) if found else set()
        if said.code == 0:
            yield seen("ssh-password-login", "sshd lets %s in without any proof." % user, "Run `selfhost.flask.site`.")
        elif bad:
            yield seen(
                "ssh-password-login", "sshd takes passwords of %s: it offers %s." % (user, ", ".join(sorted(bad))),
                "See `sudo sshd -T -C user=%s | grep authentication` for what sets it, and run `selfhost.flask.site`." % user,
            )

    def ports(self, ports: tuple) -> Iterator[Finding]:
        asked = [port for port in dict.fromkeys(ports) if port not in (*self.target.ports, self.target.ssh_port)]
        if not asked:
            return
        with concurrent.futures.ThreadPoolExecutor(min(WORKERS, len(asked))) as pool:
            found = list(pool.map(self.is_open, asked))
        for port, is_open in zip(asked, found):
            if is_open:
                self.open.add(port)
                yield seen(
                    "port-open", "Anybody can connect to port %d." % port,
                    "Close it with `sudo ufw delete allow %d`, or add it to doctor_ports if it is meant to be. One that a "
                    "container publishes passes the firewall: publish 127.0.0.1:%d:PORT." % (port, port),
                    str(port),
                )

    def is_open(self, port: int) -> bool:
        try:
            socket.create_connection((self.target.address, port), SCAN).close()
            return True
        except OSError:
            return False


def jump_of(words: list) -> list:
    """Of ssh's arguments in the inventory, those that say by which way the host is reached."""
    found = []
    for position, word in enumerate(words):
        if word in ("-F", "-J", "-o") and position + 1 < len(words):
            value = words[position + 1]
            if word != "-o" or value.lower().startswith(("proxyjump", "proxycommand")):
                found += [word, value]
        elif word.startswith("-J") or word.lower().startswith(("-oproxyjump", "-oproxycommand")):
            found.append(word)
    return found
