"""Who gets in over ssh, and which ports are open at all."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator

import pytest
from machine import ADMIN, KEY, Machine, wait_for
from testinfra.host import Host

ONLY_KEYS = "Permission denied (publickey)."
OPEN_PORTS = {22, 80, 443}


def is_open(address: str, port: int) -> bool:
    """Whether a connection from outside succeeds."""
    try:
        socket.create_connection((address, port), timeout=1.5).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("user", ["root", "debian", "ubuntu", ADMIN])
def test_right_password_is_refused_and_only_keys_are_offered(machine: Machine, user: str) -> None:
    answer = machine.ssh_by_password(user)
    assert answer.returncode == 255
    assert answer.stderr.strip().endswith(ONLY_KEYS)


def test_root_is_refused_with_the_right_key(machine: Machine) -> None:
    answer = machine.ssh("root", f"IdentityFile={KEY}", "IdentitiesOnly=yes")
    assert answer.returncode == 255
    assert answer.stderr.strip().endswith(ONLY_KEYS)


def test_administrator_logs_in_and_becomes_root(machine: Machine, host: Host) -> None:
    assert machine.ssh(ADMIN, f"IdentityFile={KEY}", "BatchMode=yes").stdout.strip() == ADMIN
    assert host.check_output("id -un") == "root"


def test_sshd_itself_says_so(host: Host) -> None:
    effective = host.check_output("sshd -T").lower().splitlines()
    expected = {"permitrootlogin no", "passwordauthentication no", "kbdinteractiveauthentication no"}
    assert expected - set(effective) == set()


@pytest.mark.parametrize("port", sorted(OPEN_PORTS))
def test_open_ports_are_open(machine: Machine, port: int) -> None:
    assert is_open(machine.address, port)


@pytest.mark.parametrize("port", [25, 111, 3306, 8000, 9001])
def test_other_ports_are_closed(machine: Machine, port: int) -> None:
    assert not is_open(machine.address, port)


@pytest.fixture
def listener(host: Host) -> Iterator[int]:
    """A server on all addresses of the host that nobody opened a port for."""
    port, unit = 47123, f"listener-{uuid.uuid4().hex[:8]}"
    host.check_output(f"systemd-run --quiet --collect --unit={unit} python3 -m http.server {port}")
    wait_for(lambda: host.socket(f"tcp://0.0.0.0:{port}").is_listening, "the listener")
    yield port
    host.check_output(f"systemctl stop {unit}")


def test_server_that_nobody_opened_a_port_for_is_out_of_reach(
    machine: Machine, host: Host, listener: int
) -> None:
    assert host.run(f"curl -sf -o /dev/null http://{machine.address}:{listener}/").rc == 0
    assert not is_open(machine.address, listener)


def test_no_daemon_listens_to_the_world_but_ssh_and_the_proxy(host: Host) -> None:
    lines = host.check_output("ss -H -l -n -t -u").splitlines()
    addresses = [line.split()[4].rsplit(":", 1) for line in lines]
    world = {int(port) for address, port in addresses if not address.startswith(("127.", "[::1]"))}
    assert world == OPEN_PORTS


def test_firewall_refuses_what_is_not_allowed(host: Host) -> None:
    status = host.check_output("ufw status verbose")
    assert "Status: active" in status
    assert "Default: deny (incoming)" in status
