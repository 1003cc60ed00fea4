"""A host whose stack is one of toys, from its first deployment to its restoration; no line of the collection knows them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest
import yaml
from machine import APP, TOP, Machine, machines, scenario_state
from playbook import Visitors, run, spoken
from remains import remains_of

TOYS = TOP / "tests/parts"
STACK = {
    "flask_database": "toy_database",
    "flask_wsgi_server": "toy_server",
    "flask_process_manager": "toy_process",
    "flask_web_server": "toy_proxy",
    "flask_services": ["toy_companion"],
    "flask_mail_enabled": False,
    "flask_entrypoint": "notes:app",
    "flask_workers": [{"name": "idle", "command": "python worker.py"}],
    "flask_env": {"SECRET_KEY": "heron4711-and-the-rest-of-it"},
}
# What each version has other than the first.
VERSIONS = {"v1": ("Notes", ""), "v2": ("More notes", 'VERSION = "v2"\n'), "v3": ("Not healthy", 'VERSION, HEALTHY = "v3", False\n')}
OWN = ("mariadb-server", "nginx", "nginx-light", "supervisor", "postfix")
STOP = 'start-stop-daemon --stop --retry 10 --pidfile "/run/$1-$(basename "$(readlink "/srv/$1/run/live.sock")" .sock).pid"'


def load(path: Path) -> object:
    """A program without a suffix, as a module."""
    sys.dont_write_bytecode = True
    loader = SourceFileLoader(path.parent.name + "_" + path.name, str(path))
    module = module_from_spec(spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def build_repository(target: Path, folder: Path) -> None:
    versions = {}
    for version, (subject, about) in VERSIONS.items():
        tree = shutil.copytree(TOYS / "application", folder / version)
        (tree / "version.py").write_text((tree / "version.py").read_text() + about)
        versions[version] = (subject, [tree])
    load(TOP / "molecule/demo/build").build(target, bare=True, versions=versions)


def write_inventory(folder: Path) -> None:
    """The scenario's host; the toys' roles lie beside it."""
    hosts = yaml.safe_load(Path(os.environ["MOLECULE_INVENTORY_FILE"]).read_text())
    whole = yaml.safe_load((TOP / "molecule/shared/group_vars/all.yml").read_text())
    wanted = {name: value for name, value in whole.items() if name.startswith(("neighbours", "hardening_", "flask_app", "flask_health"))}
    variables = {**wanted, **STACK, "flask_repo": "{{ neighbours['git'] }}/notes", "flask_version": "v1"}
    (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts["all"]["hosts"], "vars": variables}}))
    (folder / "roles").symlink_to(TOYS / "roles")


@pytest.fixture(scope="session")
def play(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a playbook of the collection that has the toys' drivers."""
    folder = tmp_path_factory.mktemp("inventory")
    collection = load(TOYS / "install").install(tmp_path_factory.mktemp("collections"))
    repository = scenario_state() / "repositories/notes"
    if not repository.exists():
        build_repository(repository, tmp_path_factory.mktemp("notes"))
    write_inventory(folder)
    return lambda playbook, *words: run(playbook, *words, inventory=folder / "hosts.yml", collection=collection)


def notes(machine: Machine) -> int:
    return machine.visitor().get("/posts/count").json()["count"]


def write(machine: Machine, text: str) -> None:
    assert machine.visitor().post("/notes", data={"text": text}).status_code == 201


def test_a_bare_host_serves_the_application(machine, play):
    answer = play("site.yml")
    assert answer.returncode == 0, spoken(answer)
    assert machine.visitor().get("/healthz").json() == {"version": "v1", "echo": "v1"}
    write(machine, "first")
    write(machine, "second")


def test_nothing_of_the_usual_stack_is_installed(machine, host):
    assert [name for name in OWN if host.package(name).is_installed] == []
    assert [host.service(name).is_running for name in ("toy", "toy-proxy")] == [True, True]


def test_another_run_changes_nothing(play):
    answer = play("site.yml")
    assert answer.returncode == 0 and "changed=0 " in spoken(answer), spoken(answer)


def test_the_worker_runs(machine):
    assert machine.inside(f"pgrep --pidfile /run/{APP}.idle.pid && pgrep -u {APP} -f worker.py").returncode == 0


def test_nobody_notices_an_update(machine, play):
    with Visitors(machine) as visitors:
        answer = play("update.yml", "-e", "flask_version=v2")
    assert answer.returncode == 0, spoken(answer)
    assert visitors.problems == [] and visitors.seen("version") == ["v1", "v2"]


def test_nobody_notices_a_version_that_is_not_healthy(machine, play):
    with Visitors(machine) as visitors:
        answer = play("update.yml", "-e", "flask_version=v3", "-e", "deployment_health_deadline=10")
    assert answer.returncode != 0 and "v2" in spoken(answer), spoken(answer)
    assert visitors.problems == [] and visitors.seen("version") == ["v2"]


def test_nobody_notices_a_rollback(machine, play):
    with Visitors(machine) as visitors:
        answer = play("rollback.yml")
    assert answer.returncode == 0, spoken(answer)
    assert visitors.problems == [] and visitors.seen("version") == ["v2", "v1"]


def test_a_backup_brings_the_notes_back(machine, play):
    answer = play("backup.yml")
    assert answer.returncode == 0, spoken(answer)
    write(machine, "third")
    assert notes(machine) == 3
    answer = play("restore.yml", "-e", "flask_confirm=all")
    assert answer.returncode == 0, spoken(answer)
    assert notes(machine) == 2
    write(machine, "another third")
    assert notes(machine) == 3


def test_a_healthy_host_has_no_findings(play):
    answer = play("doctor.yml")
    assert answer.returncode == 0, spoken(answer)


def test_the_doctor_finds_a_slot_that_is_down(machine, play):
    stopped = machine.inside(STOP, APP)
    assert stopped.returncode == 0, stopped.stderr
    answer = play("doctor.yml")
    assert answer.returncode != 0 and "slot-stopped" in spoken(answer), spoken(answer)
    answer = play("update.yml")
    assert answer.returncode == 0, spoken(answer)
    assert machine.answers()


def test_nothing_is_left_of_an_application_that_is_removed(play, tmp_path):
    """The last one: pytest has those first that take `machine`."""
    answer = play("remove.yml", "-e", "flask_remove=%s" % APP, "-e", "flask_backup_fetch=%s" % tmp_path)
    assert answer.returncode == 0, spoken(answer)
    (machine,) = machines()
    assert remains_of(machine, APP) == [] and len(list(tmp_path.iterdir())) == 1
