# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As whom this computer's own ssh configuration logs in to a host: a name that nobody could guess."""

from __future__ import annotations

import getpass
import re
import shlex
import subprocess


def configured_user(host: str, ssh_args: str) -> str:
    """The user of ~/.ssh/config; nothing where it has none, which ssh shows as the user who asks."""
    try:
        argv = ["ssh", *shlex.split(ssh_args), "-G", host]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"(?m)^user (.+)$", done.stdout)
    return found.group(1) if found and found.group(1) != getpass.getuser() else ""


def second(users: list, user: str) -> list:
    """The users to try, this one behind the first of them."""
    return list(dict.fromkeys([*users[:1], user, *users[1:]])) if user else users
