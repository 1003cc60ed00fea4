"""Nobody is locked out: what goes wrong on purpose is taken back, and what is asked for is so."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import STATE, TOP, Machine, machines, wait_for
from playbook import spoken
from ways import IMPATIENT, PLAYBOOK, assert_taken_back, can_log_in, changed_nothing, converge, converged, everywhere, inside
from ways import ways_in

OTHER_PORT = 2222
POLICIES = {"access-bookworm": "Hardened Debian 12 (version 3)", "access-ubuntu": "Hardened Debian 13 (version 1)"}
BLOCK = "/etc/ssh/sshd_config.d/50-bob.conf"
NOT_QUANTUM = "does not provide protection against post-quantum attacks"  # Debian 12's policy has such

IMAGE_RULES = ["-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", "-p tcp -m tcp --dport 22 -j ACCEPT", "-j REJECT"]

# As a provider's firewall does with a port that nobody opened there.
DROP = "iptables -w -t mangle -%s PREROUTING -p tcp --dport %d -j DROP"


def is_open(machine: Machine, port: int) -> bool:
    """Whether sshd answers there, on a new connection from outside."""
    try:
        with socket.create_connection((machine.address, port), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def tries(machine: Machine, port: int) -> list[bool]:
    """Which of seven connections are let in that come one after the other; the firewall forgets them at once."""
    forget = "echo / >/proc/net/xt_recent/DEFAULT"
    assert machine.inside(forget).returncode == 0
    answers = [is_open(machine, port) for dummy in range(7)]
    assert machine.inside(forget).returncode == 0
    return answers


@pytest.fixture
def dropped() -> Iterator[None]:
    """A firewall outside of the hosts' own lets nobody reach the other port."""
    inside(DROP % ("A", OTHER_PORT))
    yield
    inside(DROP % ("D", OTHER_PORT) + " 2>/dev/null || true")


@pytest.fixture
def image_rules() -> Iterator[None]:
    """What Oracle's images have in front of ufw's rules: ssh is let in, and the rest is rejected."""
    inside("".join(f"iptables -w -I INPUT {number} {rule};" for number, rule in enumerate(IMAGE_RULES, 1)))
    yield
    inside("".join(f"iptables -w -D INPUT {rule} 2>/dev/null || true;" for rule in IMAGE_RULES))


@pytest.mark.usefixtures("dropped", "image_rules", "unchanged")
def test_port_that_nobody_can_reach_is_given_up() -> None:
    answer = converge(hardening_ssh_port=OTHER_PORT, flask_take_over=True, **IMPATIENT)
    assert_taken_back(answer)
    assert f"at port {OTHER_PORT}" in spoken(answer) and "hardening_ssh_port" in spoken(answer)


@pytest.mark.usefixtures("unchanged")
def test_settings_that_shut_everybody_out_are_given_up() -> None:
    answer = converge(access_settings={"AuthorizedKeysFile": "/etc/ssh/keys/%u"}, **IMPATIENT)
    assert_taken_back(answer)
    assert "Permission denied (publickey)" in spoken(answer)


def test_firewall_that_lets_nobody_in_is_switched_off_again() -> None:
    rule = "-A ufw-before-input -p tcp --dport 22 -m conntrack --ctstate NEW -j DROP"
    inside(f"ufw --force disable && sed -i.kept '/^# End required lines/a {rule}' /etc/ufw/before.rules")
    before = ways_in()
    try:
        assert_taken_back(converge(hardening_deadline=15, **IMPATIENT))
        assert ways_in() == before
        assert all("Status: inactive" in state for state in before)
    finally:
        inside("mv /etc/ufw/before.rules.kept /etc/ufw/before.rules && ufw --force enable")
    assert all(everywhere(can_log_in))


@pytest.mark.usefixtures("unchanged")
def test_users_who_would_lose_their_login_are_named_and_keep_it() -> None:
    inside("useradd -m -s /usr/sbin/nologin -G sudo ana && install -d -m 700 -o ana ~ana/.ssh")  # as for sftp alone
    inside("install -m 600 -o ana /dev/stdin ~ana/.ssh/authorized_keys </home/deploy/.ssh/authorized_keys")
    try:
        answer = converge(hardening_ssh_groups=["operators"])
    finally:
        inside("userdel -r ana 2>/dev/null; gpasswd -d deploy operators; groupdel operators")
    assert answer.returncode == 2
    assert answer.stdout.count("failed=1 ") == len(machines())
    assert "ana is in none of the groups operators" in spoken(answer)
    assert "sshd, the firewall and the administrators' keys are as they were before" in spoken(answer)


def kill_when_applied(deadline: int) -> None:
    """Starts a change that can't be proven, and kills the controller once it is in effect."""
    program = Path(sys.executable).with_name("ansible-playbook")
    variables = json.dumps({"hardening_ssh_port": OTHER_PORT, "hardening_deadline": deadline})
    inventory = Path(os.environ["MOLECULE_INVENTORY_FILE"]).parent
    argv = [program, PLAYBOOK, "-i", inventory, "-e", variables]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment["ANSIBLE_CONFIG"] = str(TOP / "ansible.cfg")
    log = (STATE / "access-killed.log").open("w")
    process = subprocess.Popen(argv, cwd=TOP, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        listens = f"test -d /var/lib/selfhost/guard/armed && ss -H -ltn | grep -q :{OTHER_PORT}"
        wait_for(lambda: all(everywhere(lambda machine: machine.inside(listens).returncode == 0)), "the change", 180)
        assert not any(everywhere(lambda machine: is_open(machine, 22)))
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=10)


@pytest.mark.usefixtures("dropped", "unchanged")
def test_change_of_a_controller_that_was_killed_is_taken_back_in_time() -> None:
    kill_when_applied(deadline=15)
    for machine in machines():
        wait_for(lambda machine=machine: is_open(machine, 22), f"the old port of {machine.name}", 30)
    inside("while systemctl is-active --quiet selfhost-guard.timer; do sleep 0.1; done")


@pytest.mark.usefixtures("dropped", "unchanged")
def test_restart_of_the_host_takes_an_unconfirmed_change_back() -> None:
    kill_when_applied(deadline=3600)
    everywhere(Machine.reboot)
    for machine in machines():
        wait_for(lambda machine=machine: is_open(machine, 22), f"the old port of {machine.name}", 30)


def rules() -> list[list[str]]:
    """The firewall's rules on each host, in any order."""
    return [sorted(added.splitlines()) for added in inside("ufw show added")]


@pytest.mark.usefixtures("image_rules")
def test_port_and_rules_change_and_change_back_with_the_same_inventory() -> None:
    others = {
        "hardening_ssh_port": OTHER_PORT,
        "hardening_ssh_limit": True,
        "hardening_ports": [80, 443, 8443],
        "hardening_udp_ports": [443],
        "hardening_outgoing": "reject",
        "hardening_outgoing_ports": ["53", "67/udp", "443/tcp"],
        "flask_take_over": True,
    }
    before = rules()
    inside("sed -i s/^IPV6=.*/IPV6=no/ /etc/default/ufw && ufw reload")
    inside("ufw allow 9999/tcp comment other")
    converged(**others)
    inside("ip6tables -S ufw6-user-input | grep -e '--dport 9999 -j ACCEPT'")
    assert everywhere(lambda machine: is_open(machine, OTHER_PORT)) == [True, True]
    assert everywhere(lambda machine: is_open(machine, 22)) == [False, False]
    for added in rules():
        assert f"ufw limit {OTHER_PORT}/tcp comment 'selfhost:ssh'" in added
        assert "ufw allow 8443/tcp comment 'selfhost:guestbook'" in added
        assert "ufw allow 443/udp comment 'selfhost:guestbook'" in added
        assert "ufw allow out 443/tcp comment 'selfhost:guestbook'" in added
        assert "ufw allow 9999/tcp comment 'other'" in added
        assert not any(rule.startswith(("ufw limit 22/", "ufw allow 22/")) for rule in added)
    inside("! timeout 5 bash -c '>/dev/tcp/192.0.2.1/4444' 2>/tmp/said; grep -q refused /tmp/said; rm /tmp/said")
    assert everywhere(lambda machine: tries(machine, OTHER_PORT)) == [[True] * 5 + [False] * 2] * 2
    inside(f"printf 'Match User bob\\nPasswordAuthentication yes\\n' >{BLOCK}; ufw prepend allow {OTHER_PORT}")
    answer = converge(**others)
    assert changed_nothing(answer.stdout), answer.stdout + answer.stderr
    assert f"{BLOCK} has `Match User bob`, and in it passwordauthentication yes." in spoken(answer)
    assert f"`ufw allow {OTHER_PORT}` comes first for everybody" in spoken(answer)
    converged(ansible_port=OTHER_PORT)
    inside(f"ufw delete allow 9999/tcp; ufw delete allow {OTHER_PORT}; rm {BLOCK}")
    assert rules() == before
    assert all(everywhere(can_log_in))


@pytest.fixture(params=machines(), ids=lambda machine: machine.name)
def each(request: pytest.FixtureRequest) -> Machine:
    """One host after the other."""
    return request.param


def audit(machine: Machine, *options: str) -> subprocess.CompletedProcess[str]:
    """ssh-audit's answer."""
    program = Path(sys.executable).with_name("ssh-audit")
    argv = [program, "--no-colors", "--skip-rate-test", *options, machine.address]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)


def test_ssh_audit_finds_the_policy_of_the_distribution_kept(each: Machine) -> None:
    answer = audit(each, "--policy", POLICIES[each.name])
    assert answer.returncode == 0, answer.stdout


def test_ssh_audit_has_nothing_to_criticize(each: Machine) -> None:
    lines = [line for line in audit(each).stdout.splitlines() if "[fail]" in line or "[warn]" in line]
    accepted = NOT_QUANTUM if each.name == "access-bookworm" else "nothing"
    assert [line for line in lines if accepted not in line] == []


def test_rules_are_the_same_for_ipv6(each: Machine) -> None:
    lines = [line for line in each.inside("ufw status").stdout.splitlines() if " ALLOW " in line]
    ports = [line.split()[0] for line in lines if "(v6)" not in line]
    assert ports == [line.split()[0] for line in lines if "(v6)" in line] != []


def test_weak_host_keys_and_moduli_are_gone(each: Machine) -> None:
    keys = each.inside("mkdir -p /run/sshd; for key in $(sshd -T | sed -n 's/^hostkey //p'); do ssh-keygen -lf $key; done").stdout
    assert sorted(line.split()[0] + line.split()[-1] for line in keys.splitlines()) == ["256(ED25519)", "4096(RSA)"]
    sizes = each.inside("grep -v '^#' /etc/ssh/moduli | awk '{print $5}'").stdout.split()
    assert sizes and min(map(int, sizes)) >= 3071
