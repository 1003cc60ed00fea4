# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules for incoming connections that are not ufw's, and that decide before ufw's do.

An image may bring them along: Oracle's lets ssh in and rejects the rest, so that ufw's rules for the site are never asked.
What bans or lets in single addresses, closes single ports, or jumps to a chain of a program's own, decides for nothing else.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from typing import Callable, Iterable, NamedTuple

PROGRAMS = ("iptables", "ip6tables")
VERDICT = re.compile(r"-j (?:ACCEPT|DROP|REJECT)\b")
OF_SOME = re.compile(
    r"(?:^| )(?:(?:-s|-m set|-m recent|-m mac) |-i \S+ .*-j ACCEPT|(?<!! )--dports? .*-j (?:DROP|REJECT)|--tcp-flags|! --syn)"
    r"|INVALID.* -j DROP"
)
AS_UFW = re.compile(r"ESTABLISHED.*-j ACCEPT|-p (?:ipv6-)?icmp(?:v6)? .*-j ACCEPT")  # ufw lets these in, too
OWN_TABLES = re.compile(r"(?:ip|ip6) (?:filter|nat|mangle|raw|security)$|inet f2b-table$|\S+ crowdsec")  # iptables', bans
TABLE, CHAIN = re.compile(r"table (\S+ \S+) \{"), re.compile(r"\s+chain (\S+) \{")
PATH = "/usr/sbin:/sbin:" + os.environ.get("PATH", "")
SERVICES = ("netfilter-persistent", "nftables", "firewalld")
FIREWALLD = "inet firewalld"  # its table, which no program shows where there is no nft


class Rule(NamedTuple):
    """A rule of iptables, with its place in the chain INPUT."""

    program: str
    place: int
    text: str

    def command(self, verb: str) -> str:
        """The shell command that deletes the rule, or that inserts it where it was."""
        where = "INPUT %d" % self.place if verb == "-I" else "INPUT"
        return "%s -w %s %s %s" % (self.program, verb, where, self.text)


def read_rules(lines: Iterable[str], nft: Iterable[str], firewalld: bool = False) -> list:
    """What decides for everybody, for a person to read: rules of iptables, and tables of nftables."""
    texts = ["-A INPUT " + rule.text for rule in rules_of(lines) if not AS_UFW.search(rule.text)]
    tables = tables_of(nft) + ([FIREWALLD] if firewalld else [])
    return list(dict.fromkeys(texts)) + ["table " + name for name in dict.fromkeys(tables)]


def rules_of(lines: Iterable[str]) -> list:
    """The rules for everybody among lines of `iptables -S INPUT`, each behind its program's name."""
    found, places = [], dict.fromkeys(PROGRAMS, 0)
    for line in lines:
        program, dummy, rule = line.partition(" -A INPUT ")
        if program not in places or not rule:
            continue
        places[program] += 1
        if VERDICT.search(rule) and not OF_SOME.search(rule):
            found.append(Rule(program, places[program], rule.strip()))
    return found


def tables_of(nft: Iterable[str]) -> list:
    """The tables of `nft list ruleset` that refuse incoming connections, but for those that iptables makes."""
    found, table, incoming = [], "", False
    for line in nft:
        if TABLE.match(line):
            table, incoming = TABLE.match(line).group(1), False
        elif CHAIN.match(line):
            incoming = False
        elif "hook input" in line:
            incoming = True
        refuses = incoming and re.search(r"policy drop|\b(?:drop|reject)\b", line) and "saddr" not in line
        if refuses and not OWN_TABLES.match(table):
            found.append(table)
    return list(dict.fromkeys(found))


class ForeignRules:
    """Those of one host, and what takes them away and brings them back."""

    def __init__(self, run_command: Callable) -> None:
        self.run_command = run_command
        lines = ["%s %s" % (name, line) for name in PROGRAMS for line in self._ask(name, "-w", "-S", "INPUT").splitlines()]
        self.rules = rules_of(lines)
        self.tables = tables_of(self._ask("nft", "-t", "list", "ruleset").splitlines())
        if all(AS_UFW.search(rule.text) for rule in self.rules):
            self.rules = []  # they let in what ufw lets in as well
        self.stopped = self._is("active", "firewalld")
        found = self.rules or self.tables or self.stopped
        self.services = [name for name in SERVICES if self._is("enabled", name)] if found else []

    def _ask(self, *command: str) -> str:
        """What a program prints; nothing where it fails, or is not installed."""
        if not shutil.which(command[0], path=PATH):
            return ""
        code, out, dummy = self.run_command(list(command))
        return "" if code else out

    def _is(self, state: str, service: str) -> bool:
        """Whether a service is active, or enabled."""
        return self._ask("systemctl", "is-" + state, service).strip() == state

    def _stopping(self) -> list:
        """The commands that stop firewalld, and start again what systemd stops with it, as fail2ban."""
        with_it = self._ask("systemctl", "show", "-P", "ConsistsOf", "firewalld").split()
        return [["systemctl", "stop", "firewalld"]] + [["systemctl", "start", name] for name in with_it if self._is("active", name)]

    def commands(self) -> list:
        """The commands that take them away, now and after the next boot."""
        disabled = [["systemctl", "disable", name] for name in self.services]
        stopped = self._stopping() if self.stopped else []
        rules = [shlex.split(rule.command("-D")) for rule in self.rules]
        tables = [["nft", "delete", "table", *name.split()] for name in self.tables if not (stopped and name == FIREWALLD)]
        return disabled + stopped + rules + tables

    def restoring(self) -> str:
        """The shell commands that bring them back as they were."""
        tables = [self._ask("nft", "list", "table", *name.split()) for name in self.tables if name != FIREWALLD]
        lines = [rule.command("-I") for rule in self.rules]
        lines += ["printf %%s %s | nft -f -" % shlex.quote(text) for text in tables]
        lines += ["systemctl enable %s" % name for name in self.services]
        lines += ["systemctl start firewalld"] if self.stopped else []
        return "".join(line + "; " for line in lines)
