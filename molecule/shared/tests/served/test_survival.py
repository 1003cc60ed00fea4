"""What the site survives. The last test is the last of all: it restarts the host."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from machine import APP, Machine, Visitor, live_slot, wait_for
from testinfra.host import Host


def master(host: Host) -> str:
    """The process of the live slot that supervisor knows."""
    return host.check_output(f"supervisorctl pid {APP}-{live_slot(host)}").strip()


def workers(host: Host) -> set[str]:
    """The processes that serve."""
    return set(host.run(f"pgrep --parent {master(host)}").stdout.split())


def test_killed_worker_is_replaced(machine: Machine, host: Host) -> None:
    before = workers(host)
    victim = min(before)
    host.check_output(f"kill -9 {victim}")
    wait_for(machine.answers, "an answer", seconds=5)
    wait_for(lambda: len(workers(host) - {victim}) == len(before), "another worker", seconds=10)


def test_all_workers_killed_are_replaced(machine: Machine, host: Host) -> None:
    before = workers(host)
    host.check_output(f"kill -9 {' '.join(before)}")
    wait_for(lambda: len(workers(host) - before) == len(before), "other workers", seconds=10)
    wait_for(machine.answers, "an answer", seconds=10)


def test_killed_master_is_replaced(machine: Machine, host: Host) -> None:
    before = master(host)
    host.check_output(f"kill -9 {before}")
    wait_for(lambda: master(host) not in ("0", before), "another master", seconds=10)
    wait_for(machine.answers, "an answer", seconds=10)
    wait_for(lambda: len(workers(host)) > 1, "its workers", seconds=10)


@pytest.mark.parametrize("service", ["mysql", "nginx", "supervisor"])
def test_restarted_service_comes_back(machine: Machine, host: Host, service: str) -> None:
    host.check_output(f"systemctl restart {service}")
    wait_for(machine.answers, "an answer", seconds=20)


def test_everything_comes_back_after_a_reboot(
    machine: Machine, visitor: Visitor, mail_to: Callable[[str], str]
) -> None:
    slot, posts = live_slot(machine.shell()), visitor.get("/posts/count").json()["count"]
    machine.reboot()
    wait_for(machine.answers, "an answer", seconds=60)
    answer = machine.visitor().get("/posts/count").json()
    assert (answer["slot"], answer["count"]) == (slot, posts)
    host = machine.shell()
    assert "Status: active" in host.check_output("ufw status")
    recipient = f"{uuid.uuid4().hex}@example.com"
    host.check_output(f"printf 'To: {recipient}\\n\\nAfter the reboot' | sendmail {recipient}")
    assert "After the reboot" in mail_to(recipient)
