"""The life of a machine: a ban, a reboot, an update, a power cut in the midst of another, and the doctor."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import ADMIN, KEY, ROOT, TESTHOST, Machine, Visitor, wait_for
from playbook import Update, Visitors, run, spoken
from test_kernel import SETTINGS
from testinfra.host import Host

BOOT = 600  # seconds, emulated
IN_THE_WINDOW = f"ls {ROOT}/gate/*.closed"
OLD, NEW = "v2", "v6"
PACE = 1  # seconds between two visits: a TLS handshake takes an emulated processor much of one


def play(playbook: str, *arguments: str) -> str:
    answer = run(playbook, *arguments)
    assert answer.returncode == 0, answer.stdout[-6000:] + answer.stderr
    return spoken(answer)


def version(visitor: Visitor) -> str:
    return visitor.get("/healthz").json()["version"]


@pytest.fixture
def stranger(machine: Machine) -> Iterator[str]:
    """Another address of this machine's, from which somebody else visits the host."""
    own, dot, last = machine.own_address().rpartition(".")
    address = f"{own}{dot}{int(last) + 2}"  # after this machine's and the host's
    link = re.search(r" dev (\S+)", subprocess.check_output(["ip", "route", "get", machine.address], text=True))[1]
    subprocess.run(["ip", "address", "add", f"{address}/32", "dev", link], check=True)
    yield address
    subprocess.run(["ip", "address", "delete", f"{address}/32", "dev", link], check=True)


def reaches(machine: Machine, source: str, port: int) -> bool:
    try:
        socket.create_connection((machine.address, port), timeout=5, source_address=(source, 0)).close()
    except OSError:
        return False
    return True


def test_who_guesses_at_ssh_is_banned_by_nftables(machine: Machine, stranger: str) -> None:
    """A ban is short here, and one that was over before it was seen is earned again."""
    options = [f"BindAddress={stranger}", "BatchMode=yes", "PreferredAuthentications=none", f"IdentityFile={KEY}"]
    assert reaches(machine, stranger, 443)

    def guess() -> bool:
        for dummy in range(6):
            machine.ssh("intruder", *options, "ConnectTimeout=10")
            if not reaches(machine, stranger, 443):
                return True
        return False

    wait_for(guess, "the ban", seconds=300)
    assert machine.answers()
    assert machine.ssh(ADMIN, f"IdentityFile={KEY}", "BatchMode=yes").stdout.strip() == ADMIN
    assert "table inet f2b-table" in machine.inside("nft list tables").stdout
    wait_for(lambda: reaches(machine, stranger, 443), "the ban's end", seconds=120)


def test_everything_comes_back_after_a_reboot(machine: Machine, host: Host, visitor: Visitor) -> None:
    assert visitor.post("/posts", data={"body": "before the reboot"}).status_code == 201
    count, boot = visitor.get("/posts/count").json()["count"], host.check_output("cat /proc/sys/kernel/random/boot_id")
    settings = f"sysctl $(sed -n 's/ = .*//p' {SETTINGS})"
    modes, before = "findmnt --noheadings --output OPTIONS /dev/shm", host.check_output(settings)
    machine.reboot()
    wait_for(machine.answers, "an answer", seconds=BOOT)
    host = machine.shell()
    assert host.check_output("cat /proc/sys/kernel/random/boot_id") != boot
    assert machine.visitor().get("/posts/count").json()["count"] == count
    assert host.check_output(settings) == before
    assert "noexec" in host.check_output(modes)
    assert "/swapfile" in host.check_output("swapon --show")
    assert "-k sudo" in host.check_output("auditctl -l")
    assert host.run("systemctl --failed --plain --no-legend").stdout == ""


def test_the_firewall_is_the_kernel_s_after_a_reboot(machine: Machine, host: Host) -> None:
    rules = host.check_output("nft list ruleset")
    assert "chain ufw-user-input" in rules and "hook input" in rules
    assert "Status: active" in host.check_output("ufw status")
    host.check_output("systemd-run --collect --unit=listener python3 -m http.server 8080")
    wait_for(lambda: host.run("curl -sf -o /dev/null http://127.0.0.1:8080/").rc == 0, "the listener", seconds=60)
    own = machine.own_address()
    assert not reaches(machine, own, 8080)
    assert reaches(machine, own, 443)
    host.check_output("systemctl stop listener")


def test_update_is_noticed_by_nobody(machine: Machine) -> None:
    with Visitors(machine, PACE) as visitors:
        play("update.yml", "-e", f"flask_version={OLD}")
    assert visitors.problems == []
    assert visitors.seen("version") == ["v1", OLD]


def test_power_is_cut_in_the_midst_of_an_update(machine: Machine, visitor: Visitor) -> None:
    post = uuid.uuid4().hex
    assert visitor.post("/posts", data={"body": post}).status_code == 201
    count = visitor.get("/posts/count").json()["count"]
    with Update(NEW) as update:
        wait_for(
            lambda: machine.inside(IN_THE_WINDOW).returncode == 0 or update.process.poll() is not None,
            "the window of the update", seconds=1800,
        )
        assert update.process.poll() is None, update.end()[1]
        subprocess.run([sys.executable, TESTHOST, "kill", machine.name], check=True, timeout=60)
    close_connection(machine)
    subprocess.run([sys.executable, TESTHOST, "start", machine.name], check=True, timeout=BOOT)
    wait_for(machine.answers, "an answer", seconds=BOOT)
    wait_for(lambda: machine.inside(f"! test -e {ROOT}/deployment/journal.json").returncode == 0, "the repair", BOOT)
    assert version(visitor) in (OLD, NEW)
    assert visitor.get("/posts/count").json()["count"] == count
    assert post in visitor.get("/").text
    assert visitor.post("/posts", data={"body": "after the power cut"}).status_code == 201


def close_connection(machine: Machine) -> None:
    """Of the administrator, to a machine that is no more."""
    argv = ["ssh", "-F", "none", "-o", f"ControlPath={machine.connection}", "-O", "exit", machine.address]
    subprocess.run(argv, capture_output=True, timeout=30, check=False)


def examine(machine: Machine, folder: Path) -> list[str]:
    """What the doctor finds, but what waits to be installed, what is in the logs, and how slow an emulated processor is."""
    synchronised = "timedatectl show --property NTPSynchronized --value"
    wait_for(lambda: machine.inside(synchronised).stdout == "yes\n", "the time server's time", seconds=120)
    ignored = json.dumps({"doctor_ignored": ["updates-pending", "journal-errors", "health-slow"]})
    play("doctor.yml", "-e", ignored, "-e", f"doctor_json={folder}/report.json")
    (report,) = json.loads((folder / "report.json").read_text())
    assert report["reached"]
    return [finding["id"] for finding in report["findings"]]


def test_the_doctor_finds_only_the_lock_of_the_cut_update(machine: Machine, tmp_path: Path) -> None:
    assert examine(machine, tmp_path) == ["deployment-lock-left"]


def test_the_next_update_is_served_and_all_is_well(machine: Machine, tmp_path: Path) -> None:
    with Visitors(machine, PACE) as visitors:
        play("update.yml", "-e", f"flask_version={NEW}")
    assert visitors.problems == []
    assert version(machine.visitor()) == NEW
    assert examine(machine, tmp_path) == []
