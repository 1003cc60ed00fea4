# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of this computer's ssh agent, a few at a time: sshd hangs up after as many as MaxAuthTries allows."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import shlex
import subprocess

from ansible_collections.selfhost.flask.plugins.module_utils.access.ssh_keys import key_of
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import make_folders, write_file

ONLY = "-o IdentitiesOnly=yes"  # the keys that are named, without the agent's others
TOGETHER = 3


def agent_keys() -> list:
    """The public keys that the agent has; none where there is no agent."""
    if not os.environ.get("SSH_AUTH_SOCK"):
        return []
    try:
        done = subprocess.run(["ssh-add", "-L"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line for line in done.stdout.splitlines() if key_of(line)]


def fingerprint(line: str) -> str:
    """A public key's fingerprint, as ssh shows it."""
    try:
        blob = base64.b64decode(key_of(line).split()[1])
    except binascii.Error:
        return ""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def ways(offered: list, folder: str) -> list:
    """The arguments for ssh by which it offers other keys than it did: the inventory's, then some of the agent's."""
    left = [line for line in agent_keys() if fingerprint(line) not in offered]
    groups = [left[begin : begin + TOGETHER] for begin in range(0, len(left), TOGETHER)]
    return [ONLY] + [only(group, folder) for group in groups]


def narrowed(way: str, accepted: str, folder: str) -> str:
    """The arguments by which ssh offers the accepted key alone, where it is one of the agent's."""
    lines = [line for line in agent_keys() if fingerprint(line) == accepted]
    return only(lines[:1], folder) if lines else way


def only(lines: list, folder: str) -> str:
    """The arguments by which ssh offers these keys of the agent, which it takes from files."""
    make_folders(folder, 0o700)
    paths = []
    for line in lines:
        name = hashlib.sha256(key_of(line).encode()).hexdigest()[:16] + ".pub"
        paths.append(os.path.join(folder, name))
        write_file(paths[-1], line.encode() + b"\n", 0o600)
    return " ".join([ONLY, *("-o " + shlex.quote("IdentityFile=" + path) for path in paths)])
