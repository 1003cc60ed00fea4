# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ufw's rules and policies: what it has, what it should have, and the commands in between.

A rule is a tuple of the words after `ufw`, such as ("allow", "443/tcp"). Its comment says who needs it:
`selfhost:blog,shop` is there for two applications, and goes away with the second one. A rule with another
comment, or with none, belongs to somebody else.
"""

from __future__ import annotations

import ipaddress
import os
import re
import shlex
from typing import Iterator

from ansible.module_utils.basic import AnsibleModule

PREFIX = "selfhost:"
SSH = "ssh"  # the owner of the rules for ssh: the host, whichever application it is set up for
DEFAULTS = "/etc/default/ufw"
ADDRESSES = "/proc/net/if_inet6"
POLICIES = {"allow": "ACCEPT", "deny": "DROP", "reject": "REJECT"}
FILES = [DEFAULTS, "/etc/ufw/ufw.conf"] + [
    "/etc/ufw/%s%s.rules" % (name, version) for name in ("before", "user", "after") for version in ("", "6")
]


def rules_of(added: str) -> dict:
    """The comment of each rule that `ufw show added` prints."""
    rules = {}
    for line in added.splitlines():
        words = shlex.split(line) if line.startswith("ufw ") else []
        comment = ""
        if "comment" in words:
            at = words.index("comment")
            words, comment = words[:at], words[at + 1]
        if words:
            rules[tuple(words[1:])] = comment
    return rules


def owners_of(comment: str) -> set:
    """Who needs a rule; nobody of us where it is somebody else's."""
    return set(comment[len(PREFIX) :].split(",")) if comment.startswith(PREFIX) else set()


def wanted_rules(options: dict, ssh_ports: list) -> dict:
    """The owner of each rule that should be there."""
    ssh = ["%d/tcp" % port for port in sorted(ssh_ports)]
    rules = {("limit" if options["ssh_limit"] else "allow", port): SSH for port in ssh}
    for port in options["incoming"]:
        if " from " in port:
            rules.update({rule: options["owner"] for rule in _rules_from(*port.split(" from "))})
        elif port not in ssh:
            rules["allow", port] = options["owner"]
    if options["outgoing_policy"] != "allow":
        rules.update({("allow", "out", port): options["owner"] for port in options["outgoing"]})
    return rules


def _rules_from(port: str, source: str) -> Iterator[tuple]:
    """The rule that lets in one network alone, in the words by which ufw shows it; none where there is no such network."""
    network = ipaddress.ip_network(source, strict=False)
    if network.version == 4 or os.path.exists(ADDRESSES):
        number, dummy, protocol = port.partition("/")
        place = str(network.network_address if network.prefixlen == network.max_prefixlen else network)
        yield ("allow", "from", place, "to", "any", "port", number, "proto", protocol)


def rule_commands(existing: dict, wanted: dict, owner: str) -> list:
    """The commands that make the existing rules the wanted ones: first those that open, then those that close."""
    added, removed = {}, []
    for rule, needs in wanted.items():
        if rule not in existing:
            added[rule] = {needs}
        elif existing[rule].startswith(PREFIX) and needs not in owners_of(existing[rule]):
            added[rule] = owners_of(existing[rule]) | {needs}
    replaced = {rule[1:] for rule in added}
    for rule, comment in existing.items():
        owners = added.get(rule, owners_of(comment))
        left = owners - ({owner, SSH} - {wanted.get(rule)})
        if left and left != owners_of(comment):
            added[rule] = left
        elif owners and not left and rule[1:] not in replaced:
            removed.append(rule)
    return [_command(rule, owners) for rule, owners in added.items()] + [
        ["ufw", "--force", "delete", *rule] for rule in removed
    ]


def farewell_commands(existing: dict, owner: str, is_last: bool) -> list:
    """The commands that take away what only one application needs.

    After the last one, the host still has to reach others: for updates, for its mail, for names and the time.
    """
    commands = []
    for rule, comment in existing.items():
        left = owners_of(comment) - {owner} | ({SSH} if is_last and "out" in rule else set())
        if owner in owners_of(comment):
            commands.append(_command(rule, left) if left else ["ufw", "--force", "delete", *rule])
    return commands


def both_families(rules: dict, commands: list) -> list:
    """The commands that give rules from a time without IPv6 their other half, but for those that go anyway.

    ufw shows a rule alike with one half and with two, and skips a half that is there.
    """
    leaving = [command[3:] for command in commands if "delete" in command]
    return [
        ["ufw", *rule, *(["comment", comment] if comment else [])]
        for rule, comment in rules.items()
        if list(rule) not in leaving
    ]


def void_limits(module: AnsibleModule, rules: dict, ssh_ports: list) -> list:
    """(limit, rule) where a rule of others lets everybody in before our limit counts."""
    found = []
    for limit in [("limit", "%d/tcp" % port) for port in ssh_ports]:
        names = [rule for rule in rules if rule[1:] != limit[1:] or rule == limit]  # the limit takes such a place
        before = names[: names.index(limit)] if limit in rules else names
        found += [(limit, rule) for rule in before if not owners_of(rules[rule]) and _opens(module, rule, limit[1])]
    return found


def _opens(module: AnsibleModule, rule: tuple, port: str) -> bool:
    """Whether a rule allows this port to everybody; one for an address or an interface is meant to be an exception."""
    words = [word for word in rule if word not in ("in", "log", "log-all")]
    if words[0] != "allow" or set(words) & {"from", "on", "out"}:
        return False
    protocol = words[words.index("proto") + 1] if "proto" in words else "tcp"
    ports = next((words[words.index(word) + 1] for word in ("port", "app") if word in words), words[1])
    if "to" in words and not set(words) & {"port", "app"}:
        return protocol == "tcp"  # to all ports
    if not re.match(r"\d[\d,:]*(/\w+)?$", ports):
        dummy, ports, dummy = module.run_command(["ufw", "app", "info", ports])
    specs = re.findall(r"(?m)^\s*(\d[\d,:]*(?:/\w+)?)$", ports)
    return protocol == "tcp" and any(_covers(spec, port) for spec in specs)


def _covers(ports: str, port: str) -> bool:
    """Whether ports such as 20:30,80/tcp, as ufw writes them, have one such as 22/tcp."""
    numbers, dummy, protocol = ports.partition("/")
    ranges = [tuple(map(int, text.split(":"))) for text in numbers.split(",")]
    wanted = int(port.split("/")[0])
    return protocol in ("", "tcp") and any(found[0] <= wanted <= found[-1] for found in ranges)


def _command(rule: tuple, owners: set) -> list:
    return ["ufw", *rule, "comment", PREFIX + ",".join(sorted(owners))]


def policy_commands(defaults: str, outgoing: str) -> list:
    """The commands that set what happens to everything that has no rule."""
    values = dict(re.findall(r'(?m)^(DEFAULT_\w+_POLICY)="?(\w+)"?', defaults))
    policies = (("incoming", "INPUT", "deny"), ("outgoing", "OUTPUT", outgoing))
    return [
        ["ufw", "default", policy, direction]
        for direction, name, policy in policies
        if values.get("DEFAULT_%s_POLICY" % name) != POLICIES[policy]
    ]


def with_ipv6(defaults: str) -> str:
    """/etc/default/ufw, with the same rules for IPv6. A kernel without it has no place for them."""
    if not os.path.exists(ADDRESSES):
        return defaults
    if re.search(r"(?m)^IPV6=", defaults):
        return re.sub(r"(?m)^IPV6=.*$", "IPV6=yes", defaults)
    return "IPV6=yes\n" + defaults


def policies(module: AnsibleModule) -> str:
    """The shell commands that set the kernel's own policies as they are; ufw's end sets them to ACCEPT."""
    found = []
    for program in ("iptables", "ip6tables"):
        code, out, dummy = module.run_command([program, "-w", "-S"])
        found += ["%s -w %s" % (program, line) for line in re.findall(r"(?m)^-P \w+ \w+$", "" if code else out)]
    return "; ".join(found)
