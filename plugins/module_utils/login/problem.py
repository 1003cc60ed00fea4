# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `ssh -v` says of a login: why it failed, and what the host and the keys are."""

from __future__ import annotations

import re
from typing import NamedTuple


class Problem(NamedTuple):
    """Why a login failed, and what to do about it."""

    kind: str
    remedy: str


NOISE = re.compile(r"(?m)^(?:debug\d: .*|OpenSSH_\d.*|Authenticated to .*|Transferred: .*|Bytes per second: .*)\r?\n?")
PREFIX = "Failed to connect to the host via ssh: "  # of Ansible's
CONSOLE = "See in the provider's console whether the host runs; there: `systemctl status ssh`, `ufw status`."
WAIT = "Wait a minute, and run it again."
LIMIT = Problem(
    "limit",
    "The firewall lets an address open five connections to ssh within 30 seconds, and this computer opened more. Wait half "
    "a minute, and leave ControlPersist on in ssh_args; for programs that log in more often, set hardening_ssh_limit to false.",
)
NO_SUDO = Problem(
    "sudo", "To become root needs a password there: add -K to the command, and type it when asked. Or set ansible_user to "
    "another user.",
)
JUMP = Problem(
    "jump", "ssh did not get past the jump host. Log in there by hand with `ssh JUMP_HOST`, without a password, and see "
    "ansible_ssh_common_args and ~/.ssh/config.",
)
NO_FORWARDING = Problem(
    "jump", "The jump host forwards no connections (AllowTcpForwarding in its sshd). If this collection has set it up, give it "
    "hardening_ssh_settings: {AllowTcpForwarding: local}.",
)

# What ssh says where the way to the host ended before the host's own sshd said anything.
NO_WAY = re.compile(r"kex_exchange_identification: .*\n.*UNKNOWN port \d|UNKNOWN port \d.*\n.*kex_exchange_identification: ")
WAY_NOISE = re.compile(r"(?m)^(?:kex_exchange_identification: .*|.*\bUNKNOWN port \d.*|stdio forwarding failed.*)\n?")

# The most telling first, by what ssh says.
PROBLEMS = [
    (r"Not allowed at this time", Problem(
        "penalty", "sshd refuses this computer for a while, because of the logins that failed before (PerSourcePenalties). Set "
        "ansible_user to the user as whom you log in by hand. " + WAIT,
    )),
    (r"Exceeded MaxStartups", Problem("startups", "Too many log in to sshd at the same time (MaxStartups). " + WAIT)),
    (r"Too many authentication failures", Problem(
        "keys", "ssh offered more keys than sshd lets one try. Set ansible_ssh_private_key_file to the right one, or remove the "
        "others from the agent (`ssh-add -l`, `ssh-add -D`).",
    )),
    (r"kex_exchange_identification: |Connection (?:closed|reset) by \S+ port \d", Problem(
        "hung up", "sshd hung up before the login: after several logins that failed, or too many connections at once. " + WAIT,
    )),
    (r"[Ii]ncorrect password|Invalid/incorrect", Problem(
        "denied", "The password is wrong. Type it again, or set ansible_ssh_private_key_file to a key that is accepted.",
    )),
    (r"Permission denied", Problem(
        "denied", "Set ansible_user to a user who can, with an ssh key of yours among the keys of that user.",
    )),
    (r"REMOTE HOST IDENTIFICATION HAS CHANGED", Problem(
        "host key", "The host has another ssh key than the one in known_hosts. If you know why, remove that one with "
        "`ssh-keygen -R HOST`, and log in by hand once.",
    )),
    (r"Host key verification failed", Problem("host key", "Run `ssh USER@HOST` by hand once, and accept the host's key.")),
    (r"Unable to negotiate", Problem("algorithms", "This ssh client is too old for the host's sshd. Install a newer one.")),
    (r"Could not resolve hostname|Name or service not known", Problem("name", "Set ansible_host to the address of the host.")),
    (r"[Nn]o route to host|Network is unreachable", Problem("route", "There is no route to the host: is its address right? " + CONSOLE)),
    (r"timed out", Problem(
        "silent", "Is ansible_port right, and that port open in the provider's firewall? " + CONSOLE,
    )),
    (r"Connection refused", Problem(
        "refused", "Nothing listens at that port, or a firewall refuses it: is ansible_port right? After six logins within 30 "
        "seconds it is the firewall's limit: wait half a minute. " + CONSOLE,
    )),
]
ORDER = [LIMIT.kind, *(problem.kind for dummy, problem in PROBLEMS), "unknown"]
ORDER.insert(ORDER.index("denied"), NO_SUDO.kind)
ORDER.insert(0, JUMP.kind)
PASSING = ("limit", "penalty", "startups", "hung up")  # it works again after a while
HEARD = ("sudo", "denied", "keys")  # sshd has looked at the login


def problem_of(text: str, answered: bool = False) -> Problem:
    """Why a login failed. A host that answered a moment ago, and refuses to, has a limit."""
    said = visible(text)
    if not NO_WAY.search(said):
        return _problem_of(text, answered)
    said = WAY_NOISE.sub("", said)
    if "open failed: administratively prohibited" in said:
        return NO_FORWARDING
    behind = re.search(r"open failed: connect failed: (.*)", said)
    if behind:
        return _problem_of(behind.group(1), answered)
    return JUMP if _problem_of(said).kind != "unknown" else _problem_of(text, answered)


def _problem_of(text: str, answered: bool = False) -> Problem:
    for pattern, problem in PROBLEMS:
        if re.search(pattern, text):
            return LIMIT if answered and problem.kind == "refused" else problem
    return Problem("unknown", "Log in by hand with `ssh -v`, to see why.")


def telling(problems: list) -> Problem:
    """The problem whose remedy comes first, of those in the order in which they came."""
    return min(problems, key=lambda problem: ORDER.index(problem.kind))


def visible(text: str) -> str:
    """What ssh says without -v."""
    return NOISE.sub("", text.replace(PREFIX, "")).strip()


def openssh_of(text: str) -> tuple:
    """The version of the host's OpenSSH; zeros where it is something else."""
    found = re.findall(r"remote software version OpenSSH_(\d+)\.(\d+)", text)  # the last is behind those of jump hosts
    return tuple(map(int, found[-1])) if found else (0, 0)


def was_only_refused(text: str) -> bool:
    """Whether sshd refused each key that ssh has, which is less to it than a wrong password or too many keys."""
    methods = re.findall(r"(?m)^debug1: Next authentication method: (\S+)", text)
    return set(methods) <= {"publickey"} and "Too many authentication failures" not in text


def elsewhere(text: str, users: dict) -> list:
    """The users of images of other distributions than the one that sshd's greeting names."""
    found = re.findall(r"remote software version OpenSSH_\S+ (Debian|Ubuntu|Raspbian)", text)
    return [user for user, names in users.items() if found and found[-1] not in names]


def told_user(text: str) -> str:
    """As whom to log in, where an image's root says so."""
    found = re.search(r'[Pp]lease login as the user \\*"([a-z_][\w-]*)\\*"', text)
    return found.group(1) if found else ""


def offered_keys(text: str) -> list:
    """The fingerprints of the keys that were tried."""
    return re.findall(r"(?m)^debug1: Offering public key: .*?(SHA256:\S+)", text)


def accepted_key(text: str) -> str:
    """The fingerprint of the key that opened the login; nothing where it went over an open connection."""
    found = re.findall(r"(?m)^debug1: Server accepts key: .*?(SHA256:\S+)", text)
    return found[-1] if found else ""
