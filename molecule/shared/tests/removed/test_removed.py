"""The application leaves the host: what its last backup has, and what the host still has of it. No test comes after these."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from machine import APP, Machine
from playbook import run, spoken
from remains import remains_of
from testinfra.host import Host


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def test_it_is_only_said_what_there_is_without_its_name(machine: Machine, host: Host) -> None:
    answer = run("remove.yml")
    assert answer.returncode == 0 and "changed=0 " in spoken(answer), spoken(answer)
    assert f"folder /srv/{APP}" in spoken(answer) and f"user {APP}" in spoken(answer)
    assert machine.answers()


def test_nothing_of_it_is_left_but_a_backup_at_home(machine: Machine, home: Path) -> None:
    answer = run("remove.yml", "-e", f"flask_remove={APP}", "-e", f"flask_backup_fetch={home}")
    assert answer.returncode == 0, spoken(answer)
    assert remains_of(machine, APP) == []
    (backup,) = home.iterdir()
    with tarfile.open(backup) as packed:
        assert {"manifest.json", "database.gz", "shared.tar.gz"} < {Path(name).name for name in packed.getnames()}


def test_the_host_goes_on(host: Host) -> None:
    assert host.run("nginx -t").rc == 0
    failed = host.check_output("systemctl list-units --state failed --plain --no-legend --no-pager")
    assert failed == ""


def test_another_run_finds_nothing(home: Path) -> None:
    answer = run("remove.yml", "-e", f"flask_remove={APP}", "-e", f"flask_backup_fetch={home}")
    assert answer.returncode == 0 and "changed=0 " in spoken(answer), spoken(answer)
    assert f"There is nothing of {APP}" in spoken(answer)
