# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.access import firewall

ADDED = """\
Added user rules (see 'ufw status' for running firewall):
ufw limit 22/tcp comment 'selfhost:ssh'
ufw allow 443/tcp comment 'selfhost:blog,shop'
ufw allow out 53
ufw allow from 192.0.2.1 to any port 3306 comment 'the office, 2nd floor'
"""
WEB = ("allow", "443/tcp")
SSH = ("limit", "22/tcp")


def test_rules_are_read_with_who_needs_them():
    assert firewall.rules_of(ADDED) == {
        SSH: "selfhost:ssh",
        WEB: "selfhost:blog,shop",
        ("allow", "out", "53"): "",
        ("allow", "from", "192.0.2.1", "to", "any", "port", "3306"): "the office, 2nd floor",
    }
    assert firewall.rules_of("Added user rules:\n(None)\n") == {}


# what there is, what blog needs, and the commands in between
RULES = {
    "nothing yet": ({}, {SSH: "ssh", WEB: "blog"}, ["limit 22/tcp comment selfhost:ssh", "allow 443/tcp comment selfhost:blog"]),
    "all there": ({SSH: "selfhost:ssh", WEB: "selfhost:blog"}, {SSH: "ssh", WEB: "blog"}, []),
    "no longer needed": ({WEB: "selfhost:blog"}, {}, ["--force delete allow 443/tcp"]),
    "needed by another": ({WEB: "selfhost:blog,shop"}, {}, ["allow 443/tcp comment selfhost:shop"]),
    "another's alone": ({WEB: "selfhost:shop"}, {}, []),
    "shared with another": ({WEB: "selfhost:shop"}, {WEB: "blog"}, ["allow 443/tcp comment selfhost:blog,shop"]),
    "the user's own": ({WEB: "web", ("allow", "9/tcp"): ""}, {WEB: "blog"}, []),
    "no limit any more": ({SSH: "selfhost:ssh"}, {("allow", "22/tcp"): "ssh"}, ["allow 22/tcp comment selfhost:ssh"]),
    "another port": (
        {SSH: "selfhost:ssh"},
        {("limit", "2222/tcp"): "ssh"},
        ["limit 2222/tcp comment selfhost:ssh", "--force delete limit 22/tcp"],
    ),
}


@pytest.mark.parametrize("case", RULES)
def test_rules_become_what_is_needed_and_others_stay(case):
    existing, wanted, commands = RULES[case]
    found = firewall.rule_commands(existing, wanted, "blog")
    assert [" ".join(command[1:]) for command in found] == commands


OPTIONS = dict(owner="blog", incoming=["22/tcp", "443/udp"], outgoing=["53"], outgoing_policy="allow", ssh_limit=True)


def test_the_port_of_ssh_has_one_rule():
    assert firewall.wanted_rules(OPTIONS, [22]) == {SSH: "ssh", ("allow", "443/udp"): "blog"}


@pytest.mark.parametrize("source, shown", [
    ("192.0.2.7", "192.0.2.7"), ("192.0.2.7/32", "192.0.2.7"), ("192.0.2.7/24", "192.0.2.0/24"), ("2001:DB8::/32", "2001:db8::/32"),
])
def test_a_port_can_be_open_to_one_network_alone(source, shown, monkeypatch, tmp_path):
    monkeypatch.setattr(firewall, "ADDRESSES", str(tmp_path))
    rules = firewall.wanted_rules(dict(OPTIONS, incoming=["5000/tcp from " + source]), [22])
    added = "ufw allow from %s to any port 5000 proto tcp comment 'selfhost:blog'" % shown
    assert {rule: "selfhost:" + owner for rule, owner in rules.items() if rule != SSH} == firewall.rules_of(added)


def test_a_kernel_without_ipv6_lets_in_none_of_its_networks(monkeypatch, tmp_path):
    monkeypatch.setattr(firewall, "ADDRESSES", str(tmp_path / "none"))
    assert firewall.wanted_rules(dict(OPTIONS, incoming=["5000/tcp from 2001:db8::/32"]), [22]) == {SSH: "ssh"}


def test_rules_for_outgoing_connections_are_there_if_not_all_are_allowed():
    rules = firewall.wanted_rules(dict(OPTIONS, outgoing_policy="deny", ssh_limit=False), [22])
    assert rules == {("allow", "22/tcp"): "ssh", ("allow", "443/udp"): "blog", ("allow", "out", "53"): "blog"}


DEFAULTS = 'IPV6=no\nDEFAULT_INPUT_POLICY="DROP"\nDEFAULT_OUTPUT_POLICY="ACCEPT"\n'


def test_policies_are_set_where_they_differ():
    assert firewall.policy_commands(DEFAULTS, "allow") == []
    assert firewall.policy_commands(DEFAULTS, "reject") == [["ufw", "default", "reject", "outgoing"]]
    assert firewall.policy_commands("", "allow")[0] == ["ufw", "default", "deny", "incoming"]


def test_rules_from_a_time_without_ipv6_get_their_other_half():
    rules = {WEB: "selfhost:blog", ("allow", "9/tcp"): "the office's", ("allow", "out", "53"): "", SSH: "selfhost:ssh"}
    found = firewall.both_families(rules, [["ufw", "--force", "delete", *SSH], ["ufw", "reload"]])
    assert found == [
        ["ufw", "allow", "443/tcp", "comment", "selfhost:blog"],
        ["ufw", "allow", "9/tcp", "comment", "the office's"],
        ["ufw", "allow", "out", "53"],
    ]


def test_ipv6_has_the_same_rules(monkeypatch, tmp_path):
    monkeypatch.setattr(firewall, "ADDRESSES", str(tmp_path))
    assert firewall.with_ipv6(DEFAULTS) == DEFAULTS.replace("no", "yes", 1)
    assert firewall.with_ipv6("A=b\n") == "IPV6=yes\nA=b\n"


def test_a_kernel_without_ipv6_has_no_rules_for_it(monkeypatch, tmp_path):
    monkeypatch.setattr(firewall, "ADDRESSES", str(tmp_path / "none"))
    assert firewall.with_ipv6(DEFAULTS) == DEFAULTS


def test_the_kernels_own_policies_are_kept_as_commands():
    said = {"iptables": (0, "-P INPUT DROP\n-P OUTPUT ACCEPT\n-N x\n-A x -P y\n", ""), "ip6tables": (1, "", "no")}
    module = SimpleNamespace(run_command=lambda command: said[command[0]])
    assert firewall.policies(module) == "iptables -w -P INPUT DROP; iptables -w -P OUTPUT ACCEPT"


OPENSSH = "Profile: OpenSSH\nTitle: Secure shell server\n\nPort:\n  22/tcp\n"
NGINX = "Profile: Nginx Full\nTitle: Web 22\n\nPorts:\n  80,443/tcp\n"

# a rule of others, and whether it makes a limit at port 22 void
VOID = {
    "22": True, "22/tcp": False, "22/udp": False, "222": False,
    "20:30/tcp": True, "80,22/tcp": True, "80,443/tcp": False,
    "in 22": True, "log 22": True, "out 22": False, "OpenSSH": True, "Nginx": False, "to any": True,
    "to any proto udp": False, "to 192.0.2.1 port 22 proto tcp": True, "to 192.0.2.1 app OpenSSH": True,
    "from 192.0.2.7": False, "from 192.0.2.7 to any port 22": False, "in on eth1 to any port 22": False,
}


@pytest.mark.parametrize("words", VOID)
@pytest.mark.parametrize("limited", [True, False])
def test_a_rule_that_makes_a_limit_void_is_found(words, limited):
    rule = ("allow", *words.split())
    module = SimpleNamespace(run_command=lambda command: (0, OPENSSH if "OpenSSH" in command else NGINX, ""))
    rules = {rule: "", **({SSH: "selfhost:ssh"} if limited and words != "22/tcp" else {})}
    assert firewall.void_limits(module, rules, [22]) == ([(SSH, rule)] if VOID[words] else [])


@pytest.mark.parametrize("rules", [
    {SSH: "selfhost:ssh", ("allow", "22"): ""}, {("deny", "22"): ""}, {("allow", "22"): "selfhost:blog"},
])
def test_a_limit_that_counts_is_no_finding(rules):
    assert firewall.void_limits(None, rules, [22]) == []


OUT = ("allow", "out", "53")
# what there is, whether blog is the last application, and the commands that take it away
FAREWELLS = {
    "nothing of it": ({SSH: "selfhost:ssh", WEB: "selfhost:shop", OUT: ""}, False, []),
    "only its own": ({WEB: "selfhost:blog"}, False, ["--force delete allow 443/tcp"]),
    "another's, too": ({WEB: "selfhost:blog,shop"}, False, ["allow 443/tcp comment selfhost:shop"]),
    "its way out": ({OUT: "selfhost:blog"}, False, ["--force delete allow out 53"]),
    "the host's way out": ({OUT: "selfhost:blog", SSH: "selfhost:ssh"}, True, ["allow out 53 comment selfhost:ssh"]),
    "the last site": ({WEB: "selfhost:blog", SSH: "selfhost:ssh"}, True, ["--force delete allow 443/tcp"]),
}


@pytest.mark.parametrize("case", FAREWELLS)
def test_an_application_that_leaves_takes_its_rules_along(case):
    existing, is_last, commands = FAREWELLS[case]
    assert [" ".join(command[1:]) for command in firewall.farewell_commands(existing, "blog", is_last)] == commands
