"""The playbook itself: what it shows, when it fails, and that a host nobody can log in to is looked at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import playbook
import pytest
from conftest import QUIET, done
from faults import FORGET
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
    assert answer.returncode == 0 and f"\n{patient.name} ({APP}) is well: " in answer.stdout, playbook.spoken(answer)
    (report,) = json.loads((tmp_path / "report.json").read_text())
    assert report["findings"] == [] and report["reached"] and report["facts"]["slot"] in ("blue", "green")


def test_the_run_fails_for_what_is_critical_and_writes_a_page(patient: Machine, closed: None, tmp_path: Path) -> None:
    answer = playbook.run("doctor.yml", *PLAIN, "-e", f"doctor_html={tmp_path}/report.html")
    assert answer.returncode == 2 and "\n  CRITICAL  env-exposed " in answer.stdout, playbook.spoken(answer)
    page = (tmp_path / "report.html").read_text()
    assert f"<code>sudo supervisorctl start {APP}.ticker</code>" in page and "env-exposed" in page
    assert "http://" not in page and "https://" not in page  # it loads nothing
    assert playbook.run("doctor.yml", *PLAIN, "-e", "doctor_fail_on=never").returncode == 0


def test_a_host_without_a_login_is_looked_at_from_outside(patient: Machine) -> None:
    answer = playbook.run("doctor.yml", *PLAIN, "-e", "ansible_port=9")
    said = playbook.spoken(answer)
    assert answer.returncode == 2 and "CRITICAL ssh-unreachable " in said and "(outside)" in said
    assert "seen from outside alone" in said and "health" not in said.partition("CRITICAL")[2]
    assert "unreachable=0" in said
