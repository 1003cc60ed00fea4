"""A key that leaves an administrator's list stops working, and nobody is locked out by that."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from machine import ADMIN, KEY, Machine, machines
from playbook import spoken
from ways import IMPATIENT, converge, converged, everywhere, inside

BY_HAND = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBwhatsomebodyaddedbyhand0000000000000000 hand"
OURS = KEY.with_suffix(".pub").read_text().strip()


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key of somebody else's."""
    path = tmp_path_factory.mktemp("keys") / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "other", "-f", path], check=True)
    return path


def gets_in(user: str, key: Path) -> list[bool]:
    """Whether a user can log in with a key, on each host."""

    def log_in(machine: Machine) -> bool:
        only = ("IdentitiesOnly=yes", f"IdentityFile={key}", "BatchMode=yes")
        return machine.ssh(user, *only, SSH_AUTH_SOCK="").stdout.strip() == user

    return everywhere(log_in)


def admins(**keys: list[str]) -> dict[str, object]:
    """The inventory's list of them."""
    return {"flask_admins": [{"name": name, "ssh_keys": lines} for name, lines in keys.items()]}


def test_keys_that_leave_the_list_stop_working_and_those_taken_away_by_hand_come_back(other: Path) -> None:
    theirs = other.with_suffix(".pub").read_text().strip()
    inside(f"echo '{BY_HAND}' >>~deploy/.ssh/authorized_keys")
    converged(**admins(deploy=[OURS, theirs], ana=[theirs], bob=[theirs]))
    assert all(gets_in(ADMIN, other) + gets_in("ana", other))
    inside(": >~bob/.ssh/authorized_keys")  # the last one
    said = spoken(converge(**admins(deploy=[OURS], bob=[theirs])))
    assert "ana is no longer an administrator" in said and "by hand" in said
    assert not any(gets_in(ADMIN, other) + gets_in("ana", other))
    assert all(gets_in(ADMIN, KEY) + gets_in("bob", other))
    assert [text.strip() for text in inside("id -nG ana; sudo -l -U ana | tail -1")] == [
        f"ana\nUser ana is not allowed to run sudo on {machine.name}." for machine in machines()
    ]
    inside("sed -i '/ hand$/d' ~deploy/.ssh/authorized_keys; for name in ana bob; do userdel --force --remove $name 2>/dev/null; done")


@pytest.mark.usefixtures("unchanged")
def test_keys_of_which_this_computer_has_none_are_given_up(other: Path) -> None:
    theirs = other.with_suffix(".pub").read_text().strip()
    answer = converge(**admins(deploy=[theirs]), **IMPATIENT)
    assert answer.returncode == 2
    assert "and the keys of before" in spoken(answer)
    assert "Is the key of this computer among the administrators' ssh_keys?" in spoken(answer)
