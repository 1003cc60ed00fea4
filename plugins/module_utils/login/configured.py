# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this computer's own ssh configuration says of a host: as whom it logs in, and by which way it gets there."""

from __future__ import annotations

import getpass
import re
import shlex
import subprocess
from typing import NamedTuple


class Way(NamedTuple):
    """How ssh gets to a host."""

    host: str  # its name or address for who comes directly
    port: int
    through: str  # the jump host, or the command that makes the connection; nothing where it is direct


def ssh_settings(host: str, ssh_args: str) -> dict:
    """What ssh would do, by lower-case names; nothing where it does not take the arguments."""
    try:
        argv = ["ssh", *shlex.split(ssh_args), "-G", host]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return {}
    return dict(re.findall(r"(?m)^(\w+) (.+)$", done.stdout))


def configured_user(host: str, ssh_args: str) -> str:
    """The user of ~/.ssh/config; nothing where it has none, which ssh shows as the user who asks."""
    user = ssh_settings(host, ssh_args).get("user", "")
    return user if user != getpass.getuser() else ""


def configured_way(host: str, port: int, ssh_args: str) -> Way:
    """The way by the arguments, or else by ~/.ssh/config; a port of 0 is the one of the configuration."""
    found = ssh_settings(host, ssh_args + (" -p %d" % port if port else ""))
    through = [found.get(name, "none") for name in ("proxyjump", "proxycommand")]
    return Way(found.get("hostname", host), int(found.get("port", port or 22)), " ".join(one for one in through if one != "none"))


def second(users: list, user: str) -> list:
    """The users to try, this one behind the first of them."""
    return list(dict.fromkeys([*users[:1], user, *users[1:]])) if user else users
