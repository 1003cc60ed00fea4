"""Administrators come and go, and a key is lost; docs/settings.md says how, and docs/server-life.md."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import ADMIN, KEY, STATE, TOP, Machine, wait_for
from project import FIRST, Project, done

PERMISSION = "Permission denied (publickey)."


def public(key: Path) -> str:
    return key.with_suffix(".pub").read_text().strip()


def options(machine: Machine, key: Path) -> list[str]:
    """Those of somebody who has this key and no other."""
    pairs = (f"UserKnownHostsFile={STATE / 'hosts' / machine.name / 'known_hosts'}", f"IdentityFile={key}")
    pairs += ("IdentitiesOnly=yes", "IdentityAgent=none", "BatchMode=yes")
    return ["ssh", "-F", "none", *(word for pair in pairs for word in ("-o", pair))]


def become_root(machine: Machine, user: str, key: Path) -> str:
    """Who a new login is after sudo; or what ssh or sudo say."""
    argv = [*options(machine, key), f"{user}@{machine.address}", "sudo -n id -un"]
    answer = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    return (answer.stdout or answer.stderr).strip().splitlines()[-1]


class Connection:
    """A login that stays open, over which further commands run without another one."""

    def __init__(self, machine: Machine, user: str, key: Path) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="ssh-")  # a socket's path has to be short
        self.argv = [*options(machine, key), "-o", f"ControlPath={self.folder.name}/socket"]
        self.to = f"{user}@{machine.address}"
        subprocess.run([*self.argv, "-o", "ControlMaster=yes", "-o", "ControlPersist=yes", self.to, "true"], check=True, timeout=60)

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """A command over it; there is no other way in."""
        only = ["-o", "ControlMaster=no", "-o", "ProxyCommand=false"]
        return subprocess.run([*self.argv, *only, self.to, command], capture_output=True, text=True, timeout=60, check=False)

    def is_open(self) -> bool:
        return subprocess.run([*self.argv, "-O", "check", self.to], capture_output=True, timeout=60, check=False).returncode == 0

    def close(self) -> None:
        subprocess.run([*self.argv, "-O", "exit", self.to], capture_output=True, timeout=60, check=False)
        self.folder.cleanup()


@pytest.fixture(scope="module")
def opened(machine: Machine, keys: dict[str, Path]) -> Iterator[dict[str, Connection]]:
    """Logins from before a key left, by whose key it was."""
    connections = {"bob": Connection(machine, "bob", keys["bob"]), "lost": Connection(machine, ADMIN, KEY)}
    yield connections
    for connection in connections.values():
        connection.close()


def name_admins(project: Project, **keys: list[Path]) -> None:
    admins = [{"name": name, "ssh_keys": [public(key) for key in their]} for name, their in keys.items()]
    project.variables["flask_admins"] = admins


def test_whoever_is_named_gets_in_and_becomes_root(project: Project, machine: Machine, keys: dict[str, Path]) -> None:
    project.hosts = {FIRST: {}}
    name_admins(project, deploy=[KEY], alice=[keys["alice"]], bob=[keys["bob"]])
    project.site()
    people = ((ADMIN, KEY), ("alice", keys["alice"]), ("bob", keys["bob"]))
    assert [become_root(machine, user, key) for user, key in people] == ["root"] * 3
    assert become_root(machine, "alice", keys["bob"]).endswith(PERMISSION)


def test_a_key_that_left_opens_nothing_more(
    project: Project, machine: Machine, keys: dict[str, Path], opened: dict[str, Connection]
) -> None:
    """Alice replaces the key that was lost, by her own, and Bob leaves."""
    assert opened["bob"].run("sudo -n id -un").stdout == "root\n"
    name_admins(project, deploy=[keys["replacement"]], alice=[keys["alice"]])
    project.variables["ansible_ssh_private_key_file"] = str(keys["alice"])
    said = project.site()
    assert "bob is no longer an administrator" in said
    assert become_root(machine, ADMIN, KEY).endswith(PERMISSION)
    assert become_root(machine, "bob", keys["bob"]).endswith(PERMISSION)
    assert become_root(machine, ADMIN, keys["replacement"]) == become_root(machine, "alice", keys["alice"]) == "root"


def test_a_login_that_was_open_has_no_sudo_any_more(opened: dict[str, Connection]) -> None:
    answer = opened["bob"].run("sudo -n id -un")
    assert (answer.returncode, answer.stdout) == (1, ""), answer.stdout + answer.stderr


def test_a_login_by_the_lost_key_is_ended_by_the_command_of_the_page(
    machine: Machine, keys: dict[str, Path], opened: dict[str, Connection]
) -> None:
    command = f"sudo loginctl terminate-user {ADMIN}"
    assert f"`{command}`" in (TOP / "docs/server-life.md").read_text() and opened["lost"].is_open()
    argv = [*options(machine, keys["alice"]), f"alice@{machine.address}", command]
    subprocess.run(argv, check=True, capture_output=True, timeout=60)
    wait_for(lambda: not opened["lost"].is_open(), "the end of the login by the lost key")
    assert become_root(machine, ADMIN, KEY).endswith(PERMISSION)


def test_the_last_one_can_not_be_taken_out(project: Project, machine: Machine, keys: dict[str, Path]) -> None:
    before = project.variables["flask_admins"]
    project.variables["flask_admins"] = []
    answer = project.type("ansible-playbook selfhost.flask.site")
    project.variables["flask_admins"] = before
    said = " ".join((answer.stdout + answer.stderr).split())
    assert answer.returncode == 2 and "flask_admins is empty, so nobody could log in afterwards" in said, said
    assert become_root(machine, "alice", keys["alice"]) == "root"


def test_when_nobody_gets_in_the_providers_console_does(project: Project, machine: Machine, keys: dict[str, Path]) -> None:
    """The page's file gets a new key; site.yml then gives everybody theirs back."""
    done(machine, "rm /home/*/.ssh/authorized_keys; loginctl terminate-user alice")
    assert become_root(machine, "alice", keys["alice"]).endswith(PERMISSION)
    answer = project.type("ansible-playbook selfhost.flask.site")
    said = " ".join((answer.stdout + answer.stderr).split())
    assert answer.returncode != 0 and "ssh" in said, said
    done(machine, 'echo "$1" >/home/deploy/.ssh/authorized_keys', public(keys["console"]))
    name_admins(project, deploy=[keys["console"]], alice=[keys["alice"]])
    project.variables["ansible_ssh_private_key_file"] = str(keys["console"])
    project.site()
    assert become_root(machine, ADMIN, keys["console"]) == become_root(machine, "alice", keys["alice"]) == "root"
    assert become_root(machine, ADMIN, keys["replacement"]).endswith(PERMISSION)
