# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor's look at the ssh server's configuration: for everybody, for each user, and in each `Match` block."""

from __future__ import annotations

import pwd
import re
from typing import Iterator

from ansible_collections.selfhost.flask.plugins.module_utils.access.sshd_match import (
    MAIN,
    PASSWORDS,
    Block,
    blocks,
    needs_key,
)
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks.data import text_of
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.findings import Finding, ask, clipped

SHADOW = "/etc/shadow"
STRANGER = "user=%s,host=stranger.invalid,addr=192.0.2.1"  # an address that is for documents alone
NO_SHELLS = ("/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "/usr/bin/false", "/bin/sync")
MOST = 50  # users of whom sshd is asked
PASSWORD, ROOT = "ssh-password-login", "ssh-root-login"
LETS_IN = {PASSWORD: "lets passwords in", ROOT: "lets root in"}


def ssh_server() -> Iterator[Finding]:
    said = ask("sshd", "-T")
    if said.code == 127:
        return
    if said.code:
        yield Finding(
            "sshd-config-invalid",
            "sshd refuses its configuration, so nobody could log in after a reboot: " + clipped(said.err),
            "Fix what it names, test with `sudo sshd -t`, and keep this session open meanwhile.",
        )
        return
    whole = values_of(said.out)
    yield from everybody(whole)
    yield from exceptions(whole, blocks(MAIN))


def values_of(effective: str) -> dict:
    """By what `sshd -T` says that it will do."""
    return dict(line.lower().partition(" ")[::2] for line in effective.splitlines())


def weak(values: dict) -> dict:
    """Which settings let in whom they should not, and which finding that is."""
    found = {name: PASSWORD for name in PASSWORDS if values.get(name) == "yes" and not needs_key(values)}
    if values.get("permitrootlogin", "no") != "no":
        found["permitrootlogin"] = ROOT
    return found


def everybody(values: dict) -> Iterator[Finding]:
    found = weak(values)
    for kind in dict.fromkeys(found.values()):
        names = [name for name in found if found[name] == kind]
        yield Finding(
            kind, "sshd's configuration %s: %s." % (LETS_IN[kind], shown(values, names)),
            "Find who sets it with `sudo grep -ri %s /etc/ssh`, remove that, and run `selfhost.flask.site`." % names[0],
        )


def exceptions(whole: dict, found: list) -> Iterator[Finding]:
    """What is let in under a condition, and not by the whole: sshd follows the condition."""
    if not found:
        return
    users, known = {name: of_user(name) for name in people()[:MOST]}, set(weak(whole))
    for block in found:
        worse = {name: kind for name, kind in weak(dict(whole, **block.values)).items() if name not in known}
        for kind in dict.fromkeys(worse.values()):
            yield exception(block, kind, [name for name in worse if worse[name] == kind], users)
    known.update(name for block in found for name in weak(dict(whole, **block.values)))
    for user, worse in users.items():
        for name in sorted(set(worse) - known):
            yield Finding(
                worse[name], "sshd's configuration %s for %s: %s." % (LETS_IN[worse[name]], user, name),
                "Find the condition with `sudo grep -ri match /etc/ssh`, remove it, and run `selfhost.flask.site`.", subject=user,
            )


def of_user(name: str) -> dict:
    """What sshd would do that is weak, were it this user who comes from anywhere; of root's login only root is told."""
    found = weak(values_of(ask("sshd", "-T", "-C", STRANGER % name).out))
    return {keyword: kind for keyword, kind in found.items() if kind == PASSWORD or name == "root"}


def exception(block: Block, kind: str, names: list, users: dict) -> Finding:
    given = [name for name in names if name in block.values] or ["authenticationmethods"]
    whom = [user for user, weaknesses in users.items() if kind == PASSWORD and set(names) & set(weaknesses)]
    return Finding(
        kind,
        "sshd's configuration %s where 'Match %s' holds%s: %s says %s."
        % (
            LETS_IN[kind], block.condition, ", as for " + ", ".join(whom[:5]) if whom else "",
            block.path, shown(block.values, given),
        ),
        "Remove that from %s, test with `sudo sshd -t`, then `sudo systemctl reload ssh`." % block.path,
        subject="Match " + block.condition,
    )


def shown(values: dict, names: list) -> str:
    return ", ".join("%s %s" % (name, values.get(name, "")) for name in names)


def people() -> list:
    """Who could log in: with a shell, or with a password."""
    guessable = with_password()
    return [user.pw_name for user in pwd.getpwall() if user.pw_shell not in NO_SHELLS or user.pw_name in guessable]


def with_password() -> list:
    """The users whose password somebody could guess."""
    fields = [line.split(":") for line in text_of(SHADOW).splitlines()]
    return [field[0] for field in fields if len(field) > 1 and field[1] and field[1][0] not in "!*"]


def ssh_ports() -> list:
    return [int(port) for port in re.findall(r"^port (\d+)$", ask("sshd", "-T").out, re.M)]
