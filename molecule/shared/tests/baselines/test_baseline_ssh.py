"""sshd and ssh of released distributions, by the controls of dev-sec's ssh-baseline 2.8.1: what sshd does."""

from __future__ import annotations

import socket

import pytest
from baseline import Facts, misfits
from machine import Machine

# Each with the settings of `sshd -T` that it is about.
SERVER = {
    "sshd-06": {"permitrootlogin": "no"},
    "sshd-08": {"addressfamily": {"any", "inet", "inet6"}},
    "sshd-11": {"strictmodes": "yes"},
    "sshd-12": {"syslogfacility": "AUTH"},
    "sshd-13": {"loglevel": "VERBOSE"},
    "sshd-17": {"permituserenvironment": "no"},
    "sshd-18": {"logingracetime": range(1, 31)},
    "sshd-19": {"maxauthtries": range(1, 5)},
    "sshd-20": {"maxsessions": range(1, 11)},
    "sshd-21": {"maxstartups": "10:30:60"},
    "sshd-22": {"pubkeyauthentication": "yes"},
    "sshd-23": {"ignorerhosts": "yes"},
    "sshd-25": {"hostbasedauthentication": "no"},
    "sshd-27": {"passwordauthentication": "no"},
    "sshd-28": {"permitemptypasswords": "no"},
    "sshd-29": {"kbdinteractiveauthentication": "no"},
    "sshd-30": {"kerberosauthentication": {"no", None}},  # None: built without it
    "sshd-33": {"gssapiauthentication": "no"},
    "sshd-35": {"tcpkeepalive": "no"},
    "sshd-36": {"clientaliveinterval": range(1, 301)},
    "sshd-37": {"clientalivecountmax": range(1, 4)},
    "sshd-38": {"permittunnel": "no"},
    "sshd-39": {"allowtcpforwarding": "no"},
    "sshd-40": {"allowagentforwarding": "no"},
    "sshd-41": {"gatewayports": "no"},
    "sshd-42": {"x11forwarding": "no"},
    "sshd-43": {"x11uselocalhost": "yes"},
    "sshd-44": {"printmotd": "no"},
    "sshd-46": {"banner": "none"},
}
# What may be offered; the lists of the control are older than ssh-audit's, and longer.
ALGORITHMS = {
    "sshd-01": ("ciphers", {
        *("chacha20-poly1305@openssh.com", "aes256-gcm@openssh.com", "aes128-gcm@openssh.com"),
        *("aes256-ctr", "aes192-ctr", "aes128-ctr"),
    }),
    "sshd-02": ("kexalgorithms", {
        *("mlkem768x25519-sha256", "sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com"),
        *("curve25519-sha256", "curve25519-sha256@libssh.org", "diffie-hellman-group-exchange-sha256"),
        *("diffie-hellman-group16-sha512", "diffie-hellman-group18-sha512"),
    }),
    "sshd-03": ("macs", {
        *("hmac-sha2-512-etm@openssh.com", "hmac-sha2-256-etm@openssh.com", "umac-128-etm@openssh.com"),
    }),
}
MODES = {
    "sshd-04": ("/etc/ssh", {0o755}),
    "sshd-05": ("/etc/ssh/sshd_config", {0o600}),
    "ssh-01": ("/etc/ssh/ssh_config", {0o644}),
}
# Each with the settings of `ssh -G`.
CLIENT = {
    "ssh-02": {"addressfamily": {"any", "inet", "inet6"}},
    "ssh-03": {"port": "22"},
    "ssh-05": {"batchmode": "no"},
    "ssh-07": {"stricthostkeychecking": {"ask", "true"}},
    "ssh-11": {"forwardagent": "no"},
    "ssh-12": {"forwardx11": "no"},
    "ssh-13": {"hostbasedauthentication": "no"},
    "ssh-18": {"gssapidelegatecredentials": "no"},
    "ssh-19": {"tunnel": "false"},
    "ssh-20": {"permitlocalcommand": "no"},
}
OWN_TESTS = {"sshd-14", "sshd-47", "sshd-48", "sshd-49", "sshd-50"}
OMITTED = {
    "sshd-07": "the port is its owner's choice",
    "sshd-09": "all addresses: the host has one network, and a firewall",
    "sshd-10": "there is one protocol",
    "sshd-15": "the option is gone",
    "sshd-16": "the option is gone",
    "sshd-24": "only for logins by the client's host, which sshd-25 has refused",
    "sshd-31": "only with Kerberos, which sshd-30 has refused",
    "sshd-32": "only with Kerberos",
    "sshd-34": "only with GSSAPI, which sshd-33 has refused",
    "sshd-45": "who logs in is shown the last login: a stolen key is noticed by it",
    "ssh-04": "there is one protocol",
    "ssh-06": "since OpenSSH 8.5 off by default: it made users used to warnings",
    "ssh-08": "nobody goes on from this host by ssh but git, and its server chooses",
    "ssh-09": "as ssh-08",
    "ssh-10": "as ssh-08",
    "ssh-14": "the option is gone",
    "ssh-15": "the option is gone",
    "ssh-16": "as ssh-08; a password is asked for and never kept",
    "ssh-17": "Debian's own setting, for users with Kerberos; as ssh-08",
    "ssh-21": "the option is gone",
    "ssh-22": "as ssh-08",
}


@pytest.mark.parametrize("control", SERVER)
def test_server_is_set(facts: Facts, control: str) -> None:
    assert misfits(facts.table("sshd"), SERVER[control]) == {}


@pytest.mark.parametrize("control", ALGORITHMS)
def test_server_offers_strong_algorithms_alone(facts: Facts, control: str) -> None:
    setting, strong = ALGORITHMS[control]
    assert set(facts.table("sshd")[setting].split(",")) - strong == set()


@pytest.mark.parametrize("control", MODES)
def test_files_are_root_s(facts: Facts, control: str) -> None:
    path, modes = MODES[control]
    mode, user, group = facts.modes[path]
    assert (mode in modes, user, group) == (True, "root", "root"), oct(mode)


@pytest.mark.parametrize("control", CLIENT)
def test_client_is_set(facts: Facts, control: str) -> None:
    assert misfits(facts.table("ssh"), CLIENT[control]) == {}


def test_sshd_14_host_keys_are_ed25519_and_rsa(facts: Facts) -> None:
    keys = [line.split()[1] for line in facts.lines("sshd") if line.startswith("hostkey ")]
    assert sorted(keys) == ["/etc/ssh/ssh_host_ed25519_key", "/etc/ssh/ssh_host_rsa_key"]


def test_sshd_47_greeting_does_not_tell_the_distribution(machine: Machine, facts: Facts) -> None:
    with socket.create_connection((machine.address, int(facts.table("sshd")["port"])), timeout=10) as connection:
        assert b"Debian" not in connection.recv(100)


def test_sshd_48_primes_are_long_enough(facts: Facts) -> None:
    assert facts.answers["weak_primes"].strip() == "0"


def test_sshd_49_command_line_overrides_no_algorithms(facts: Facts) -> None:
    (listener,) = [line for line in facts.lines("processes") if "/sshd -D" in line]
    assert "-o" not in listener.split()[1:]


def test_sshd_50_rsa_host_key_has_4096_bits(facts: Facts) -> None:
    sizes = [int(line.split()[0]) for line in facts.lines("host_keys") if line.endswith("(RSA)")]
    assert sizes == [4096]


def test_each_control_is_tested_or_has_a_reason() -> None:
    tested = [*SERVER, *ALGORITHMS, *MODES, *CLIENT, *OWN_TESTS]
    server = {f"sshd-{number:02}" for number in range(1, 51)} - {"sshd-26"}
    client = {f"ssh-{number:02}" for number in range(1, 23)}
    assert sorted([*tested, *OMITTED]) == sorted(server | client)
