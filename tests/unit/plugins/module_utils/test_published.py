# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ports pass the firewall, by the rules that Docker, Podman and others make."""

from __future__ import annotations

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.access.published import own_addresses, published_ports

SHOWN = """\
1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever
2: eth0    inet 192.0.2.9/24 brd 192.0.2.255 scope global eth0\\       valid_lft forever preferred_lft forever
2: eth0    inet6 2001:db8::9/64 scope global \\       valid_lft forever preferred_lft forever
3: docker0    inet 172.17.0.1/16 brd 172.17.255.255 scope global docker0\\       valid_lft forever preferred_lft forever
"""
OWN = ["192.0.2.9", "2001:db8::9"]
DOCKER = "-A DOCKER %s ! -i docker0 -p tcp -m tcp --dport %s -j DNAT --to-destination 172.17.0.2:80"
NFT = '\t\tiifname != "docker0" %s counter packets 1 bytes 60 dnat to 172.17.0.2:80'


@pytest.mark.parametrize("rule, expected", [
    (DOCKER % ("", "8080"), [8080]),
    (DOCKER % ("", "8000:8002"), [8000, 8001, 8002]),
    (DOCKER % ("-d 192.0.2.9/32", "8080"), [8080]),
    (DOCKER % ("-d 2001:db8::9/128", "8080"), [8080]),
    (DOCKER % ("-d 127.0.0.1/32", "8080"), []),  # as `docker run -p 127.0.0.1:8080:80` has it
    ("-A PREROUTING -d 169.254.169.254/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.1:8181", []),
    ("-A NETAVARK-DN-1D8721804F16F -p udp -m udp --dport 5353 -j DNAT --to-destination 10.88.0.2:53", [5353]),
    ("-A PREROUTING -p tcp -m multiport --dports 80,443 -j DNAT --to-destination 10.0.0.2", [80, 443]),
    ("-A PREROUTING -i wg0 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.2", []),
    ("-A OUTPUT -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.2", []),
    ("-A KUBE-SEP-X -p tcp -m tcp -j DNAT --to-destination 10.0.0.5:6443", []),
    ("-A POSTROUTING -s 172.17.0.2/32 -d 172.17.0.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE", []),
    ("-A PREROUTING -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 8080", []),
    (NFT % "tcp dport 8080", [8080]),
    (NFT % "tcp dport { 80, 443 }", [80, 443]),
    (NFT % "ip daddr 127.0.0.1 tcp dport 8080", []),
    (NFT % "ip daddr 192.0.2.9 tcp dport 8000-8001", [8000, 8001]),
    ('\t\tiifname "wg0" tcp dport 80 dnat to 10.0.0.2', []),
    ("\t\ttcp dport 22 accept", []),
])
def test_ports(rule, expected):
    assert published_ports([rule], OWN) == expected


def test_each_is_said_once():
    assert published_ports([DOCKER % ("", "8080"), NFT % "tcp dport 8080", DOCKER % ("", "25")], OWN) == [25, 8080]


def test_the_addresses_are_those_at_which_others_find_the_host():
    assert own_addresses([*SHOWN.splitlines(), ""]) == OWN


@pytest.mark.parametrize("rule, ports", [
    (DOCKER % ("", "443"), [443]), (DOCKER.replace("-p tcp -m tcp", "-p udp -m udp") % ("", "443"), []),
    (DOCKER % ("-s 10.8.0.0/24", "443"), []), (NFT % "udp dport 443", []), (NFT % "ip saddr 10.8.0.0/24 tcp dport 443", []),
])
def test_what_a_web_server_could_not_have(rule, ports):
    assert published_ports([rule], OWN, for_visitors=True) == ports
