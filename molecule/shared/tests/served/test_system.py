"""What the host does by itself, and what it refuses to its own users."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from machine import ADMIN, APP, PASSWORD, ROOT, Machine
from testinfra.host import Host


def test_security_updates_are_installed_by_themselves(host: Host) -> None:
    settings = host.check_output("apt-config dump").splitlines()
    assert 'APT::Periodic::Update-Package-Lists "1";' in settings
    assert 'APT::Periodic::Unattended-Upgrade "1";' in settings
    assert 'Unattended-Upgrade::Automatic-Reboot "false";' in settings
    said = host.check_output("unattended-upgrade --dry-run --verbose 2>&1")
    assert "label=Debian-Security" in said


@pytest.mark.parametrize("key", ["accept_redirects", "send_redirects", "accept_source_route"])
def test_the_network_cannot_talk_the_host_into_another_route(host: Host, key: str) -> None:
    values = host.check_output(f"cat /proc/sys/net/ipv4/conf/all/{key}")
    assert values == "0"


def test_the_kernel_is_told_the_rest_at_boot(host: Host) -> None:
    """Also where Debian or ufw have files of their own."""
    wanted = settings_in(host.check_output("cat /etc/sysctl.d/99-selfhost.conf"))
    last = settings_in(host.check_output("/usr/lib/systemd/systemd-sysctl --cat-config"))
    assert {key: last[key] for key in wanted if last[key] != wanted[key]} == {}
    assert (wanted["kernel.kptr_restrict"], wanted["kernel.dmesg_restrict"]) == ("2", "1")
    assert (wanted["fs.suid_dumpable"], wanted["kernel.core_pattern"]) == ("0", "|/bin/false")


def settings_in(text: str) -> dict[str, str]:
    """Those of the kernel, by name; one that comes twice has its last value."""
    lines = (line.replace(" ", "") for line in text.splitlines())
    return dict(line.split("=", 1) for line in lines if "=" in line and line[0] not in "#;")


@pytest.mark.parametrize("command", [
    f"runuser -u {APP} -- sh -c 'ulimit -H -c'",
    "systemd-run --quiet --wait --pipe --collect sh -c 'ulimit -H -c'",
    "sh -c 'grep \"Max core\" /proc/$(systemctl show --property MainPID --value nginx)/limits | tr -dc 0-9'",
], ids=["user", "new service", "running service"])
def test_memory_of_what_crashes_is_not_kept(host: Host, command: str) -> None:
    assert set(host.check_output(command)) == {"0"}


@pytest.fixture
def program(host: Host) -> Iterator[str]:
    """A program in the memory that all processes share."""
    path = f"/dev/shm/{uuid.uuid4().hex}"
    host.check_output(f"install -m 0755 /bin/true {path}")
    yield path
    host.check_output(f"rm {path}")


def test_no_program_runs_from_the_shared_memory(host: Host, program: str) -> None:
    assert host.run(program).rc == 126


def test_the_journal_outlives_a_reboot_and_has_a_limit(host: Host) -> None:
    assert host.check_output("ls /var/log/journal/$(cat /etc/machine-id)")
    settings = host.check_output("systemd-analyze cat-config systemd/journald.conf").splitlines()
    assert [line for line in settings if line.startswith("SystemMaxUse=")][-1] == "SystemMaxUse=500M"


def test_what_is_done_as_root_is_on_record(host: Host) -> None:
    mark = uuid.uuid4().hex
    host.check_output(f"echo {mark}")
    log = host.file("/var/log/sudo.log")
    assert mark in log.content_string.replace("\n", "").replace(" ", "")
    assert (log.mode, log.user) == (0o600, "root")


@pytest.mark.parametrize("user, allowed", [(ADMIN, True), (APP, False)])
def test_only_administrators_become_others_by_their_password(host: Host, user: str, allowed: bool) -> None:
    answer = host.run(f"echo {PASSWORD} | runuser -u {user} -- su root -c 'id -un'")
    assert (answer.rc == 0) == allowed, answer.stderr


def test_what_an_administrator_makes_is_not_for_everybody(host: Host) -> None:
    made = "f=$(mktemp -u); touch $f; stat -c %a $f; rm $f"
    assert host.check_output(f"su -l {ADMIN} -c '{made}'") == "640"
    assert host.check_output(made) == "644"


def test_what_services_read_can_be_read(host: Host) -> None:
    closed = host.check_output(
        f"find /etc/ssl/selfhost {ROOT}/releases {ROOT}/venvs -not -type l -not -name '*key*' -not -perm -o=r"
    )
    assert closed == ""


def test_only_root_looks_at_what_runs_by_itself(host: Host) -> None:
    modes = host.check_output("stat -c %a /etc/crontab /etc/cron.d /etc/cron.daily /root").split()
    assert modes == ["600", "700", "700", "700"]


def test_no_key_of_a_console_reboots_the_host(host: Host) -> None:
    assert host.run("systemctl is-enabled ctrl-alt-del.target").stdout.strip() == "masked"


def test_service_that_the_image_brought_along_is_stopped_and_stays_so(host: Host) -> None:
    units = "rpcbind.service rpcbind.socket"
    assert set(host.run(f"systemctl is-active {units}").stdout.split()) == {"inactive"}
    assert set(host.run(f"systemctl is-enabled {units} 2>/dev/null").stdout.split()) <= {"disabled", "not-found"}


def test_what_needs_a_restart_after_an_update_is_known(machine: Machine, host: Host) -> None:
    assert "NEEDRESTART-VER" in host.check_output("needrestart -b -r l 2>/dev/null")
    assert machine.answers()
