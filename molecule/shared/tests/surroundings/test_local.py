"""The playbooks run on the server itself, by root and by an administrator; a firewall of others is in their way at first."""

from __future__ import annotations

import io
import json
import shlex
import subprocess
import tarfile
from pathlib import Path

import ansible
import pytest
import yaml
from machine import ADMIN, APP, KEY, SETTINGS, TOP, Application, Machine, scenario_state
from playbook import Visitors

PLAYBOOK = "/opt/ansible/bin/ansible-playbook"
INSTALL = """
export DEBIAN_FRONTEND=noninteractive
for try in 1 2 3; do apt-get install -qy --no-install-recommends python3-venv firewalld >/dev/null && break; done
python3 -m venv /opt/ansible
/opt/ansible/bin/pip install -q 'ansible-core>=2.19'
"""
UNPACK = "mkdir -p /usr/share/ansible/collections; tar -C /usr/share/ansible/collections -xzf -"
NEEDED = ("ansible/posix", "community/general", "community/mysql")  # as requirements.yml names them
# What a run would have left behind.
TRACES = "ls -d /var/lib/selfhost /srv/guestbook /etc/ssh/sshd_config.d/00-selfhost.conf /usr/sbin/ufw 2>/dev/null || true"


def done(machine: Machine, script: str, *words: str, stdin: str = "") -> str:
    """What a script on the host says; it has to work."""
    answer = machine.inside(script, *words, stdin=stdin)
    assert answer.returncode == 0, f"{script}\n{answer.stdout}{answer.stderr}"
    return answer.stdout


def play(machine: Machine, user: str, playbook: str, *arguments: str) -> tuple[int, str]:
    """The exit code of a playbook that a user of the host runs there, and what it said, without its line breaks."""
    command = shlex.join([PLAYBOOK, f"selfhost.flask.{playbook}", "-i", "/etc/blog/inventory.yml", *arguments])
    answer = machine.inside('exec runuser -l "$1" -c "$2"', user, f"NO_COLOR=1 {command}")
    return answer.returncode, " ".join((answer.stdout + answer.stderr).split())


def played(machine: Machine, user: str, playbook: str, *arguments: str) -> str:
    """What it said; it has to work."""
    code, said = play(machine, user, playbook, *arguments)
    assert code == 0, said
    return said


def pack_collections() -> bytes:
    """What a user installs, as an archive: this collection, and those that the package `ansible` brings along."""
    listed = ["git", "ls-files", "galaxy.yml", "meta", "plugins", "roles", "playbooks"]
    files = subprocess.run(listed, cwd=TOP, capture_output=True, text=True, check=True).stdout.split()
    bundled = Path(ansible.__file__).parents[1] / "ansible_collections"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for name in files:
            archive.add(TOP / name, arcname=f"ansible_collections/selfhost/flask/{name}")
        for name in NEEDED:
            archive.add(bundled / name, arcname=f"ansible_collections/{name}")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def controller(local: Machine) -> Application:
    """The host with Ansible, the collection and an inventory for itself, and with firewalld, which came first."""
    done(local, INSTALL)
    argv = ["python3", TOP / "script/testhost", "exec", local.name, "--", "sh", "-euc", UNPACK]
    subprocess.run(argv, input=pack_collections(), check=True, timeout=120)
    neighbours = json.loads((scenario_state() / "answer.json").read_text())
    settings = {name: value for name, value in SETTINGS.items() if name.startswith(("flask_", "fail2ban_")) and "database" not in name}
    settings.update(flask_repo=f"{neighbours['git']}/demo", flask_database="sqlite", hardening_ssh_limit=False)
    hosts = {local.name: {"ansible_connection": "local"}}
    inventory = yaml.safe_dump({"all": {"hosts": hosts, "vars": settings}})
    done(local, "mkdir -p /etc/blog; cat >/etc/blog/inventory.yml", stdin=inventory)
    return Application(local.name, local.address, APP, local.name)


def test_a_firewall_of_others_is_refused_before_anything_is_touched(controller: Application) -> None:
    code, said = play(controller, "root", "site")
    assert code != 0 and f"{controller.name} is in use." in said, said
    assert "remove from the kernel what comes before the rules of this collection: table inet firewalld." in said
    assert done(controller, TRACES) == ""
    assert done(controller, "firewall-cmd --state 2>&1").strip() == "running"


def test_root_sets_the_host_up_and_is_told_that_nobody_has_proven_a_login(controller: Application) -> None:
    said = played(controller, "root", "site", "-e", "flask_take_over=true")
    assert f"The playbook runs on {controller.name} itself, so that no login over ssh has proven" in said
    assert f"open another one as {ADMIN}" in said
    assert controller.ssh(ADMIN, f"IdentityFile={KEY}", "BatchMode=yes").stdout.strip() == ADMIN
    assert controller.ssh("root", f"IdentityFile={KEY}", "BatchMode=yes").returncode != 0
    assert controller.visitor().get("/healthz").json()["version"] == "v1"


def test_its_firewall_took_the_others_place_and_fail2ban_goes_on(controller: Application) -> None:
    """systemd stops with firewalld what is a part of it."""
    states = done(controller, "systemctl is-active firewalld fail2ban || true; systemctl is-enabled firewalld || true").split()
    assert states == ["inactive", "active", "disabled"]
    assert "Status: active" in done(controller, "ufw status") and "firewalld" not in done(controller, "nft list tables")


def test_an_administrator_runs_it_with_sudo_and_nothing_is_left_to_do(controller: Application) -> None:
    assert "changed=0 " in played(controller, ADMIN, "site")


def test_nobody_notices_an_update_by_an_administrator(controller: Application) -> None:
    with Visitors(controller) as visitors:
        said = played(controller, ADMIN, "update", "-e", "flask_version=v2")
    assert f"https://{controller.name}/ serves v2" in said
    assert visitors.problems == [] and visitors.seen("version") == ["v1", "v2"]


def test_a_backup_is_fetched_to_the_administrators_folder(controller: Application) -> None:
    played(controller, ADMIN, "backup", "-e", f"flask_backup_fetch=/home/{ADMIN}/backups")
    lines = done(controller, f"find /home/{ADMIN}/backups -type f -printf '%u %s\\n'").splitlines()
    assert lines and all(line.startswith(f"{ADMIN} ") and not line.endswith(" 0") for line in lines), lines


def test_the_doctor_does_not_take_the_host_for_a_stranger(controller: Application) -> None:
    """The firewall lets the host itself come to each of its ports."""
    done(controller, "journalctl --rotate --quiet; journalctl --vacuum-time=1s --quiet")
    done(controller, "systemd-run --quiet --unit=listener python3 -m http.server 8000")
    report = f"/home/{ADMIN}/report.json"
    ignored = json.dumps({"doctor_ignored": ["updates-pending"], "doctor_json": report})
    said = played(controller, ADMIN, "doctor", "-e", ignored)
    (found,) = json.loads(done(controller, 'cat "$1"', report))
    assert [(one["id"], one["subject"]) for one in found["findings"]] == [("port-listening", "8000")]
    assert "It was looked at from the host itself" in said
    done(controller, "systemctl stop listener")
    assert f"{controller.name} ({APP}) is healthy" in played(controller, ADMIN, "doctor", "-e", ignored)
