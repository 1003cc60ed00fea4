"""The playbook itself: what it shows, when it fails, and that a host nobody can log in to is looked at."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import playbook
import pytest
from conftest import QUIET, done
from faults import CERTIFICATE, FORGET, OWN
from machine import APP, ROOT, Machine

PLAIN = "-e", '{"doctor_ignored": ["updates-pending"]}'


@pytest.fixture
def closed(patient: Machine) -> Iterator[None]:
    """A warning and a critical finding."""
    done(patient, f"supervisorctl stop {APP}.ticker; chmod 644 {ROOT}/shared/.env")
    yield
    done(patient, f"supervisorctl start {APP}.ticker; chmod 640 {ROOT}/shared/.env")


def test_a_host_that_is_well_is_one_line(patient: Machine, tmp_path: Path) -> None:
    done(patient, f"{QUIET}\n{FORGET}")
    answer = playbook.run("doctor.yml", *PLAIN, "-e", f"doctor_json={tmp_path}/report.json")
    assert answer.returncode == 0 and f"\n{patient.name} ({APP}) is healthy: " in answer.stdout, playbook.spoken(answer)
    (report,) = json.loads((tmp_path / "report.json").read_text())
    assert report["findings"] == [] and report["reached"] and report["facts"]["slot"] in ("blue", "green")


def test_the_run_fails_for_what_is_critical_and_writes_a_page(patient: Machine, closed: None, tmp_path: Path) -> None:
    answer = playbook.run("doctor.yml", *PLAIN, "-e", f"doctor_html={tmp_path}/report.html")
    assert answer.returncode == 2 and "\n  CRITICAL  env-exposed " in answer.stdout, playbook.spoken(answer)
    page = (tmp_path / "report.html").read_text()
    assert f"<code>sudo supervisorctl start {APP}.ticker</code>" in page and "env-exposed" in page
    assert "http://" not in page and "https://" not in page  # it loads nothing
    assert playbook.run("doctor.yml", *PLAIN, "-e", "doctor_fail_on=never").returncode == 0


BROKEN = f"""echo nonsense >>/etc/nginx/selfhost/{APP}/proxy.conf
sed -i 's/server_tokens off/server_tokens on/' /etc/nginx/nginx.conf
rm {CERTIFICATE}.pem
ufw disable"""
FAILED = f"""echo '{{"ok": false, "problem": "no room", "time": "now"}}' >{OWN}/last-backup.json
echo '{{"ok": false, "problem": "rows", "backup": "x"}}' >{OWN}/drill.json"""


@pytest.mark.parametrize("inject, findings, playbooks", [
    (BROKEN, "proxy-config-invalid firewall-off", "site.yml"),
    (f"echo COLOUR=blue >>{ROOT}/shared/.env", "settings-pending", "update.yml"),
    (FAILED, "backup-failed drill-failed", "backup.yml drill.yml"),
])
def test_the_playbooks_that_remedies_name_mend_it(
    inject: str, findings: str, playbooks: str, patient: Machine, examine: Callable, tmp_path: Path
) -> None:
    done(patient, inject)
    found = examine({}, {})
    assert {one.id for one in found} >= set(findings.split())
    for name in playbooks.split():
        assert any(f"selfhost.flask.{Path(name).stem}`" in one.remedy for one in found), found
        answer = playbook.run(name, "-e", f"flask_backup_fetch={tmp_path}/made/here")
        assert answer.returncode == 0, playbook.spoken(answer)
    if "backup.yml" in playbooks:
        (fetched,) = (tmp_path / "made/here").iterdir()
        assert fetched.stat().st_mode & 0o777 == 0o600 and fetched.parent.stat().st_mode & 0o777 == 0o700
        assert not patient.shell().file(f"/var/backups/{APP}/.fetched.tar").exists
    done(patient, f"{QUIET}\n{FORGET}")
    assert examine({}, {}) == []


def test_a_host_without_a_login_is_looked_at_from_outside(patient: Machine) -> None:
    answer = playbook.run("doctor.yml", *PLAIN, "-e", "ansible_port=9")
    said = playbook.spoken(answer)
    assert answer.returncode == 2 and "CRITICAL ssh-unreachable " in said and "(outside)" in said
    assert "seen from outside alone" in said and not re.search(r"\bhealth\b", said.partition("CRITICAL")[2])
    assert "unreachable=0" in said
