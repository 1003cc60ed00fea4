"""An application that visitors reach without a web server: updates, the gate, and whose word counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from machine import APP, Machine, Visitor, wait_for
from playbook import Visitors, run, spoken
from remains import remains_of
from testinfra.host import Host
from traffic import Report, Traffic

PORT = 5000
UNIT = f"flask-{APP}-listen"
CLAIMED = {"X-Forwarded-For": "192.0.2.66", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example", "SCRIPT_NAME": "/x"}
QUIET = "journalctl --rotate --quiet; journalctl --vacuum-time=1s --quiet"  # what the first minutes of a host had to say


class Plain(Machine):
    """A host whose visitors come to the application's port."""

    def visitor(self) -> Visitor:
        return Visitor(self.address, f"http://{self.address}:{PORT}")


@pytest.fixture
def visitor(machine: Machine) -> Visitor:
    return Plain(machine.name, machine.address).visitor()


def play(playbook: str, *arguments: str) -> str:
    """What it said."""
    answer = run(playbook, *arguments)
    assert answer.returncode == 0, spoken(answer)
    return spoken(answer)


def traffic(machine: Machine) -> Traffic:
    return Traffic(machine.address, rate=20, port=PORT)


def assert_nobody_noticed(report: Report, versions: list[str]) -> None:
    """No page failed, and each post is stored, or was refused with a time for the next try."""
    assert (report.failed_gets, report.failed_posts) == (0, 0), report.get_failures + report.post_failures
    assert report.versions == versions and report.requests > 40 and report.stored > 5


def test_it_is_served_at_its_port_and_nowhere_else(machine: Machine, host: Host, visitor: Visitor) -> None:
    assert visitor.get("/healthz").json()["version"] == "v1"
    assert visitor.get("/static/style.css").ok
    assert not host.package("nginx").is_installed and not host.file(f"/etc/ssl/selfhost/{APP}.pem").exists
    listening = [line.split()[3] for line in host.check_output("ss -Hltn").splitlines()]
    assert {f"0.0.0.0:{PORT}"} <= set(listening) and not [one for one in listening if one.endswith((":80", ":443"))]
    rules = host.check_output("ufw show added")
    assert f"ufw allow {PORT}/tcp comment 'selfhost:{APP}'" in rules and "443" not in rules


def test_what_passes_connections_on_can_do_nothing_else(host: Host) -> None:
    lines = host.check_output(f"cat /proc/$(systemctl show -P MainPID {UNIT})/status").splitlines()
    status = dict(line.split(":\t") for line in lines if ":\t" in line)
    assert status["CapBnd"] == "0000000000000000" and status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    assert status["Uid"].split()[0] == host.check_output("id -u www-data")


def test_nobody_is_believed_who_comes_by_himself(host: Host, visitor: Visitor) -> None:
    answer = visitor.get("/whoami", headers=CLAIMED)
    said = answer.json()
    assert said["scheme"] == "http" and said["host"].startswith(visitor.address) and "192.0.2.66" not in str(said)
    assert "X-Release" not in answer.headers
    release = host.check_output(f"basename $(readlink -f /srv/{APP}/current)")
    play("maintenance.yml", "-e", "flask_maintenance=all")
    refused = visitor.get("/", headers={"X-Release": release})
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "600")
    play("maintenance.yml", "-e", "flask_maintenance=nothing")


def test_maintenance_closes_it_for_writes(visitor: Visitor) -> None:
    play("maintenance.yml", "-e", "flask_maintenance=writes")
    assert visitor.post("/posts", data={"body": "too late"}).status_code == 503
    assert visitor.get("/posts/count").ok
    play("maintenance.yml", "-e", "flask_maintenance=nothing")
    assert visitor.post("/posts", data={"body": "in time"}).status_code == 201


def test_nobody_notices_an_update_with_a_migration(machine: Machine) -> None:
    with traffic(machine) as visitors:
        said = play("update.yml", "-e", "flask_version=v2")
    assert_nobody_noticed(visitors.report(), ["v1", "v2"])
    assert f"http://{machine.name}:{PORT}/ serves v2" in said


def test_a_version_that_is_not_healthy_gets_no_request(machine: Machine) -> None:
    with traffic(machine) as visitors:
        answer = run("update.yml", "-e", "flask_version=v5", "-e", "deployment_health_deadline=10")
    assert answer.returncode != 0, spoken(answer)
    assert_nobody_noticed(visitors.report(), ["v2"])


def test_nobody_notices_a_restart(machine: Machine) -> None:
    with traffic(machine) as visitors:
        play("restart.yml")
    assert_nobody_noticed(visitors.report(), ["v2"])


def test_nobody_notices_a_rollback(machine: Machine) -> None:
    with Visitors(Plain(machine.name, machine.address)) as visitors:
        play("rollback.yml", "-e", "flask_rollback_database=downgrade")
    assert visitors.problems == [] and visitors.seen("version") == ["v2", "v1"]


def findings(tmp_path: Path, *arguments: str) -> list[str]:
    """The doctor's names for what is wrong."""
    report = tmp_path / "report.json"
    ignored = '{"doctor_ignored": ["updates-pending"], "doctor_fail_on": "never"}'
    run("doctor.yml", "-e", f"doctor_json={report}", "-e", ignored, *arguments)
    return [one["id"] for one in json.loads(report.read_text())[0]["findings"]]


def test_the_doctor_calls_it_well_and_sees_a_port_that_is_closed(machine: Machine, tmp_path: Path) -> None:
    assert machine.inside(QUIET).returncode == 0
    assert findings(tmp_path) == []
    assert machine.inside(f"systemctl stop {UNIT}.socket").returncode == 0
    assert findings(tmp_path) == ["proxy-stopped"]
    play("site.yml")
    assert findings(tmp_path) == []


def test_it_is_there_after_a_reboot(machine: Machine, visitor: Visitor) -> None:
    machine.reboot()
    wait_for(lambda: visitor.get("/healthz").ok, "answer")
    assert "changed=0 " in play("site.yml")


def test_a_proxy_of_ones_own_is_believed_and_nobody_else_connects(
    machine: Machine, visitor: Visitor, host: Host, tmp_path: Path
) -> None:
    """The tests' own address is that of the proxy, and then it is another's."""
    own, others = (json.dumps({"flask_trusted_proxies": [address]}) for address in (machine.own_address(), "192.0.2.7"))
    said = play("site.yml", "-e", own)
    assert f"https://{machine.name}/ serves" in said
    said = visitor.get("/whoami", headers=CLAIMED).json()
    assert (said["remote_addr"], said["scheme"], said["host"]) == ("192.0.2.66", "https", "evil.example")
    play("site.yml", "-e", others)
    assert f"ufw allow from 192.0.2.7 to any port {PORT} proto tcp comment 'selfhost:{APP}'" in host.check_output("ufw show added")
    with pytest.raises(OSError):  # on a new connection; one that is open stays so
        Plain(machine.name, machine.address).visitor().get("/", timeout=3)
    assert machine.inside(QUIET).returncode == 0
    assert findings(tmp_path, "-e", others) == []
    assert "changed=0 " in play("site.yml", "-e", others)


def test_another_address_closes_the_old_port(host: Host) -> None:
    play("site.yml", "-e", "flask_listen=127.0.0.1:8000")
    assert f":{PORT} " not in host.check_output("ss -Hltn") and "5000" not in host.check_output("ufw show added")
    get = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8000/healthz').status)"
    assert host.check_output(f'python3 -c "{get}"') == "200"


def test_nothing_of_it_is_left_when_it_is_removed(machine: Machine, tmp_path: Path) -> None:
    play("remove.yml", "-e", f"flask_remove={APP}", "-e", f"flask_backup_fetch={tmp_path}")
    assert remains_of(machine, APP) == []
