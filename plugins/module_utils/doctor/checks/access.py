# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor's look at who gets in: the firewall, fail2ban, who can read secrets."""

from __future__ import annotations

import grp
import os
import re
import shutil
import stat
from typing import Iterator

from ansible_collections.selfhost.flask.plugins.module_utils.access.foreign_rules import PROGRAMS, read_rules
from ansible_collections.selfhost.flask.plugins.module_utils.access.published import own_addresses, published_ports
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.findings import Finding, ask, clipped

FOREIGN = stat.S_IRWXO


def firewall(code: int, text: str) -> Iterator[Finding]:
    """By `ufw status verbose`."""
    if code == 127:
        yield Finding("firewall-off", "ufw is not installed, so there is no firewall.", "Run `selfhost.flask.site`.")
    elif "Status: active" not in text:
        remedy = "Run `selfhost.flask.site`: it lets ssh in before it turns the firewall on."
        yield Finding("firewall-off", "The firewall is off.", remedy)
    elif not re.search(r"^Default: (?:deny|reject) \(incoming\)", text, re.M):
        default = re.search(r"^Default: (.*?\(incoming\))", text, re.M)
        said = default.group(1) if default else "unknown"
        yield Finding(
            "firewall-default", "What no rule of the firewall names is let in: its default is %s." % said,
            "Run `selfhost.flask.site`: it lets ssh in before it refuses the rest.",
        )


def foreign_rules() -> Iterator[Finding]:
    """What the kernel asks before ufw's rules, and that refuses what they let in."""
    lines = ["%s %s" % (name, line) for name in PROGRAMS for line in ask(name, "-w", "-S", "INPUT").out.splitlines()]
    rules = read_rules(lines, ask("nft", "-t", "list", "ruleset").out.splitlines())
    refusing = [rule for rule in rules if not rule.endswith("-j ACCEPT")]
    if refusing:
        yield Finding(
            "firewall-foreign", "The kernel has rules that refuse connections before ufw's are asked: %s." % ", ".join(refusing),
            "Run `selfhost.flask.site -e flask_take_over=true`, which removes them.",
        )


def published() -> list:
    """The ports that the kernel passes on before ufw's rules are asked."""
    rules = [line for name in PROGRAMS for line in ask(name, "-w", "-t", "nat", "-S").out.splitlines()]
    rules += ask("nft", "-t", "list", "ruleset").out.splitlines()
    return published_ports(rules, own_addresses(ask("ip", "-o", "addr", "show").out.splitlines()))


def containers(ports: list) -> Iterator[Finding]:
    """What passes the firewall and is not meant to be open."""
    for port in ports:
        yield Finding(
            "port-open",
            "Anybody can connect to port %d: a container publishes it, which passes the firewall." % port,
            "Publish it as 127.0.0.1:%d:PORT if only this host needs it, or add it to doctor_ports if it is meant to be." % port,
            subject=str(port),
        )


def jails(expected: list) -> Iterator[Finding]:
    """What fail2ban watches; nothing where it is not installed."""
    if not shutil.which("fail2ban-client") and not os.path.exists("/usr/bin/fail2ban-client"):
        return
    said = ask("fail2ban-client", "status")
    if said.code:
        yield Finding(
            "fail2ban-stopped", "fail2ban does not answer: " + clipped(said.err or said.out),
            "`sudo systemctl restart fail2ban`; see `journalctl -u fail2ban`.",
        )
        return
    listed = re.search(r"Jail list:\s*(.*)", said.out)
    active = re.split(r"[,\s]+", listed.group(1).strip()) if listed else []
    for name in expected:
        if name not in active:
            yield Finding(
                "jail-missing", "fail2ban's jail %s is not active." % name,
                "`sudo fail2ban-client reload`; see `sudo fail2ban-client -t`, or run `selfhost.flask.site`.", subject=name,
            )


def env_file(path: str, user: str) -> Iterator[Finding]:
    """root:<app> 0640, as the deployment writes it."""
    try:
        about = os.stat(path)
    except OSError:
        return
    mode = stat.S_IMODE(about.st_mode)
    remedy = "`sudo chown root:%s %s && sudo chmod 0640 %s`" % (user, path, path)
    if mode & FOREIGN:
        yield Finding(
            "env-exposed",
            "Everybody on the host can read or write the secrets in %s: its mode is %04o." % (path, mode),
            remedy + ", and change the secrets if somebody else has an account there.",
        )
    if mode != 0o640 or about.st_uid != 0 or about.st_gid != group_of(user):
        yield Finding(
            "env-mode",
            "%s is %04o and belongs to %d:%d, instead of 0640 and root:%s."
            % (path, mode, about.st_uid, about.st_gid, user),
            remedy,
        )


def group_of(user: str) -> int:
    try:
        return grp.getgrnam(user).gr_gid
    except KeyError:
        return -1


def private(path: str, kind: str) -> Iterator[Finding]:
    """A file or a folder that is root's alone."""
    try:
        about = os.stat(path)
    except OSError:
        return
    mode = stat.S_IMODE(about.st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO) or about.st_uid != 0:
        right = "0700" if os.path.isdir(path) else "0600"
        remedy = "`sudo chown root:root {0} && sudo chmod {1} {0}`".format(path, right)
        if kind == "key-exposed":
            remedy += "; others could have read the key, so get a new certificate."
        yield Finding(
            kind, "Others than root can read %s: its mode is %04o, its owner %d." % (path, mode, about.st_uid), remedy
        )
