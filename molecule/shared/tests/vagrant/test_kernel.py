"""What has a kernel of its own to be seen: settings, modules, mounts, swap, the audit and the clock."""

from __future__ import annotations

import time
import uuid

import pytest
from machine import APP, Machine, wait_for
from testinfra.host import Host

SETTINGS = "/etc/sysctl.d/99-selfhost.conf"
HOUR = 3600


def test_it_is_a_machine_with_a_kernel_of_its_own(host: Host) -> None:
    assert host.run("systemd-detect-virt --container").stdout.strip() == "none"
    assert host.check_output("uname -r").endswith("-amd64")


def test_every_unit_has_started(host: Host) -> None:
    assert host.run("systemctl --failed --plain --no-legend").stdout == ""


def test_the_kernel_has_the_settings_of_the_file(host: Host) -> None:
    """Also where ufw, another file or a service has some of its own."""
    lines = host.check_output(f"cat {SETTINGS}").splitlines()
    wanted = dict(line.split(" = ", 1) for line in lines if " = " in line)
    keys = " ".join(wanted)
    found = dict(line.split(" = ", 1) for line in host.check_output(f"sysctl {keys}").splitlines())
    assert len(wanted) > 30
    assert {key: found.get(key) for key in wanted if found.get(key) != wanted[key]} == {}


def test_a_disabled_module_is_not_loaded(host: Host) -> None:
    there = [name for name in ("sctp", "dccp", "hfsplus", "cramfs") if host.run(f"modinfo {name}").rc == 0]
    assert there
    for name in there:
        assert host.run(f"modprobe {name}").rc != 0
        assert host.run(f"grep -w ^{name} /proc/modules").rc == 1


@pytest.mark.parametrize("command", ["dmesg", "unshare --user true"])
def test_a_user_asks_the_kernel_in_vain(host: Host, command: str) -> None:
    assert host.run(f"runuser -u {APP} -- {command}").rc != 0
    assert host.run(command).rc == 0


def test_nothing_in_the_shared_memory_is_run(host: Host) -> None:
    options = host.check_output("findmnt --noheadings --output OPTIONS /dev/shm").split(",")
    assert {"nosuid", "nodev", "noexec"} <= set(options)
    path = f"/dev/shm/{uuid.uuid4().hex}"
    host.check_output(f"install -m 0755 /bin/true {path}")
    assert host.run(path).rc == 126
    host.check_output(f"rm {path}")


def test_memory_of_what_crashes_is_kept_nowhere(host: Host) -> None:
    folder = host.check_output("mktemp -d")
    assert host.run(f"cd {folder} && sh -c 'ulimit -c unlimited; kill -SEGV $$'").rc != 0
    assert host.check_output(f"ls -A {folder} /var/lib/systemd/coredump 2>/dev/null || true").split() in (
        [f"{folder}:"], [f"{folder}:", "/var/lib/systemd/coredump:"], []
    )
    host.check_output(f"rmdir {folder}")


def test_there_is_swap(host: Host) -> None:
    name, size = host.check_output("swapon --noheadings --bytes --show=NAME,SIZE").split()
    assert name == "/swapfile" and int(size) > 255 * 2**20
    assert host.check_output("stat -c '%a %U' /swapfile") == "600 root"


def test_who_changes_sudo_is_on_record(host: Host) -> None:
    assert "enabled 1" in host.check_output("auditctl -s").splitlines()
    path = f"/etc/sudoers.d/{uuid.uuid4().hex}~"  # sudo reads no name that ends so
    host.check_output(f"touch {path} && rm {path}")
    wait_for(lambda: path in host.run("ausearch --input-logs -k sudo -i").stdout, "the record")


def test_a_clock_that_is_wrong_is_put_right(machine: Machine, host: Host) -> None:
    """timesyncd asks its server at its start, as after a boot with a wrong clock."""

    def difference() -> float:
        return abs(float(machine.inside("date +%s").stdout) - time.time())

    machine.inside(f"systemctl stop systemd-timesyncd; date -s @$(($(date +%s) - {HOUR}))")
    assert difference() > HOUR / 2
    machine.inside("systemctl start systemd-timesyncd")
    wait_for(lambda: difference() < 60, "the right time", seconds=180)
    assert host.check_output("timedatectl show --property NTPSynchronized --value") == "yes"
