# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which rules of a host decide before ufw's, and how they go and come back."""

from __future__ import annotations


import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.access import foreign_rules
from ansible_collections.selfhost.flask.plugins.module_utils.access.foreign_rules import ForeignRules, read_rules

# As the images of Oracle have them.
IMAGE = """\
-P INPUT ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p icmp -j ACCEPT
-A INPUT -i lo -j ACCEPT
-A INPUT -p tcp -m state --state NEW -m tcp --dport 22 -m comment --comment "the way in" -j ACCEPT
-A INPUT -j REJECT --reject-with icmp-host-prohibited
"""
# Those of programs that add to a firewall, and of ufw.
HARMLESS = """\
-A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd
-A INPUT -j ts-input
-A INPUT -s 192.0.2.7/32 -j DROP
-A INPUT -i docker0 -p udp -m udp --dport 53 -j ACCEPT
-A INPUT -m set --match-set crowdsec src -j DROP
-A INPUT -i lo -j ACCEPT
-A INPUT -p tcp -m tcp --dport 3306 -j DROP
-A INPUT -m conntrack --ctstate INVALID -j DROP
-A INPUT -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m state --state NEW -j DROP
-A INPUT -j ufw-before-input
"""
TABLE = """\
table ip filter {
	chain INPUT {
		type filter hook input priority filter; policy drop;
	}
}
table inet f2b-table {
	chain f2b-chain {
		type filter hook input priority filter - 1; policy accept;
		tcp dport 22 ip saddr @addr-set-sshd reject with icmp port-unreachable
	}
}
table inet own {
	chain output {
		type filter hook output priority filter; policy drop;
	}
	chain input {
		type filter hook input priority filter; policy %s;
		tcp dport 22 accept
	}
}
"""
FIREWALLD = dict(
    systemctl_is_enabled_firewalld="enabled\n", systemctl_is_active_firewalld="active\n",
    systemctl_show__P_ConsistsOf_firewalld="fail2ban.service other.service\n", systemctl_is_active_fail2ban_service="active\n",
)


def lines(text, program="iptables"):
    return ["%s %s" % (program, line) for line in text.splitlines()]


def test_an_images_rules_are_named():
    assert read_rules(lines(IMAGE) + lines(IMAGE, "ip6tables"), []) == [
        '-A INPUT -p tcp -m state --state NEW -m tcp --dport 22 -m comment --comment "the way in" -j ACCEPT',
        "-A INPUT -j REJECT --reject-with icmp-host-prohibited",
    ]


def test_bans_and_the_chains_of_programs_decide_for_nobody_else():
    assert read_rules(lines(HARMLESS), []) == []


@pytest.mark.parametrize("policy, found", [("drop", ["table inet own"]), ("accept", [])])
def test_a_table_that_refuses_what_comes_in_is_named(policy, found):
    assert read_rules([], (TABLE % policy).splitlines()) == found


def test_firewalld_is_named_where_no_program_shows_its_table():
    assert read_rules([], [], firewalld=True) == ["table inet firewalld"]
    assert read_rules([], (TABLE % "drop").replace("own", "firewalld").splitlines(), firewalld=True) == ["table inet firewalld"]


@pytest.fixture
def host(monkeypatch):
    """The rules of a host with these answers."""
    monkeypatch.setattr(foreign_rules.shutil, "which", lambda name, path: name)

    def host(**answers):
        def run_command(command):
            text = answers.get("_".join(command).replace("-", "_").replace(".", "_"), "")
            text = text or answers.get(command[0] + "_" + command[-1].replace("-", "_"), answers.get(command[0], ""))
            return (0, text, "") if text else (1, "", "no such thing")

        return ForeignRules(run_command)

    return host


def test_what_decides_before_is_taken_away_and_can_come_back_in_its_order(host):
    found = host(iptables=IMAGE, systemctl_netfilter_persistent="enabled\n")
    assert found.commands()[0] == ["systemctl", "disable", "netfilter-persistent"]
    assert ["iptables", "-w", "-D", "INPUT", "-j", "REJECT", "--reject-with", "icmp-host-prohibited"] == found.commands()[-1]
    assert len(found.commands()) == 5
    back = found.restoring().split("; ")
    assert back[0] == "iptables -w -I INPUT 1 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
    assert back[3] == "iptables -w -I INPUT 5 -j REJECT --reject-with icmp-host-prohibited"
    assert back[4] == "systemctl enable netfilter-persistent"


def test_a_table_goes_as_a_whole_and_comes_back_as_a_whole(host):
    found = host(nft=TABLE % "drop", nft_own="table inet own { }\n")
    assert found.commands() == [["nft", "delete", "table", "inet", "own"]]
    assert found.restoring() == "printf %s 'table inet own { }\n' | nft -f -; "


@pytest.mark.parametrize("nft", [(TABLE % "drop").replace("own", "firewalld"), ""])
def test_firewalld_is_stopped_and_started_as_a_program(nft, host):
    """fail2ban is a part of it for systemd, and would stay stopped."""
    found = host(nft=nft, **FIREWALLD)
    assert found.commands() == [
        ["systemctl", "disable", "firewalld"], ["systemctl", "stop", "firewalld"], ["systemctl", "start", "fail2ban.service"],
    ]
    assert found.restoring() == "systemctl enable firewalld; systemctl start firewalld; "


def test_firewalld_that_was_started_by_hand_is_stopped():
    answers = {"is-active firewalld": "active\n"}
    found = ForeignRules(lambda command: (0, answers.get(" ".join(command[1:]), ""), ""))
    assert (found.commands(), found.restoring()) == ([["systemctl", "stop", "firewalld"]], "systemctl start firewalld; ")


def test_where_nothing_decides_before_nothing_is_done(host):
    found = host(iptables=HARMLESS + "-A INPUT -p icmp -j ACCEPT\n", nft=TABLE % "accept", systemctl="enabled\n")
    assert (found.commands(), found.restoring()) == ([], "")
