# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports that the kernel passes on before ufw's rules are asked, as Docker and Podman do for containers of root's.

Who comes to such a port never gets to the host's own programs, whatever listens there. What listens may be a program of
Docker's, which is there only to keep the port, or nobody.
"""

from __future__ import annotations

import re
from typing import Iterable, Iterator

# A rule of iptables, and one of nftables, that sends a port elsewhere.
IPTABLES = re.compile(r"-A (?!OUTPUT)\S+ (?P<about>.*)-j DNAT ")
NFTABLES = re.compile(r"(?P<about>.*)\bdnat\b")
PORTS = re.compile(r"--dports? ([\d,:]+)|dport (?:\{ ?)?([\d, -]+)")
ADDRESS = re.compile(r"(?<!! )(?:-d|daddr(?! !=)) (?:\{ ?)?([0-9a-f.:]+)")
INTERFACE = re.compile(r"(?<!! )-i \S|iifname \"")  # for one network alone, such as that of the containers
NOT_FOR_VISITORS = re.compile(r"-p udp\b|\budp dport|(?:^|\s)-s \S|\bsaddr ")  # of another protocol, or from some addresses
BRIDGES = ("lo", "docker", "br-", "podman", "cni", "virbr")  # in which only the host, its containers and virtual machines are
MOST = 100  # ports of a range


def own_addresses(lines: Iterable[str]) -> list:
    """The addresses at which others find a host, by the lines of `ip -o addr show`."""
    words = [line.split() for line in lines]
    return [found[3].partition("/")[0] for found in words if len(found) > 3 and not found[1].startswith(BRIDGES)]


def published_ports(rules: Iterable[str], addresses: Iterable[str], for_visitors: bool = False) -> list:
    """The ports, by the lines of `iptables -t nat -S` and `nft list ruleset`, and by the host's own addresses.

    With for_visitors, those that a web server could not have for everybody.
    """
    own, found = set(addresses), set()
    for line in rules:
        rule = IPTABLES.search(line) or NFTABLES.search(line)
        about = rule.group("about") if rule else ""
        if for_visitors and NOT_FOR_VISITORS.search(about):
            continue
        place = ADDRESS.search(about)
        if about and not INTERFACE.search(about) and (not place or place.group(1) in own):
            found.update(_ports_of(about))
    return sorted(found)


def _ports_of(about: str) -> Iterator[int]:
    """Those of one rule."""
    said = PORTS.search(about)
    for text in re.findall(r"[\d:-]+", said.group(1) or said.group(2)) if said else ():
        first, dummy, last = text.replace("-", ":").partition(":")
        yield from range(int(first), min(int(last or first), int(first) + MOST) + 1)
