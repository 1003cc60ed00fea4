"""What an update needs from others is not there: room, a repository, packages, a database, a setting."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from machine import APP, ROOT, Machine
from playbook import run, spoken
from update import BY_MODULE, BY_UNIT, REFUSED, Frozen, Story, Update, every, worst

START, STOP = (f"systemctl {verb} $(command -v psql >/dev/null && echo postgresql@15-main || echo mariadb)" for verb in ("start", "stop"))
FULL = "No space left on device"
NOWHERE = "127.0.0.1:9"  # a port that is closed

# A folder gets a file system of its own, with what is in it, and with so many bytes left.
TIGHT = """
mkdir -p /run/tight
mount -t tmpfs -o size=$(($(du --summarize --block-size=1 "$1" | cut -f1) * 2 + (1 << 26))) tight /run/tight
mkdir /run/tight/content
cp -a "$1/." /run/tight/content
mount --bind /run/tight/content "$1"
fallocate --length $(($(df --output=avail --block-size=1 /run/tight | tail -n 1) - $2)) /run/tight/filler
"""
ROOMY = 'umount --lazy "$1"; umount --lazy /run/tight'
# Each by the folder, the bytes that are free there, what is said, and how it ends.
TIGHT_FOLDERS = [
    every("before the copy", "/var/backups", 1 << 25, "The disk of /var/backups has", REFUSED),
    worst("at the copy", f"/var/backups/{APP}", 4096, FULL, BY_MODULE),
    worst("at the checkout", f"{ROOT}/releases", 8192, FULL, REFUSED),
    every("while it fetches", f"{ROOT}/releases", 1 << 17, FULL, REFUSED),
    every("at the packages", f"{ROOT}/venvs", 1 << 20, FULL, REFUSED),
    every("at the launch", f"{ROOT}/slots", 0, FULL, BY_MODULE),
]


@pytest.fixture
def tight(machine: Machine) -> Iterator[Callable[[str, int], None]]:
    """A function that leaves a folder so many bytes."""
    folders = []

    def leave(folder: str, free: int) -> None:
        folders.append(folder)
        done = machine.inside(TIGHT, folder, str(free))
        assert done.returncode == 0, done.stderr

    yield leave
    for folder in folders:
        machine.inside(ROOMY, folder)


@pytest.mark.parametrize(("folder", "free", "problem", "outcome"), TIGHT_FOLDERS)
def test_disk_is_full(
    story: Story, tight: Callable[[str, int], None], folder: str, free: int, problem: str, outcome: str
) -> None:
    tight(folder, free)
    answer = run("update.yml", "-e", "flask_version=more" if outcome == REFUSED else "flask_version=v6")
    assert answer.returncode == 2, spoken(answer)
    assert problem in spoken(answer)
    story.assert_old()
    assert story.outcome == outcome


MISSING = [
    worst("repository", "v6", {"flask_repo": f"git://{NOWHERE}/demo"}, f"git://{NOWHERE}/demo can't be read"),
    worst("package index", "more", {"app_index_url": f"http://{NOWHERE}/simple"}, "can't be installed"),
    worst("required setting", "v6", {"flask_env_required": ["API_TOKEN"]}, "API_TOKEN"),
]


@pytest.mark.parametrize(("version", "variables", "problem"), MISSING)
def test_is_missing(story: Story, version: str, variables: dict, problem: str) -> None:
    answer = run("update.yml", "-e", f"flask_version={version}", "-e", json.dumps(variables))
    assert answer.returncode == 2, spoken(answer)
    assert problem in spoken(answer)
    story.assert_old()
    assert story.outcome == REFUSED


@pytest.fixture
def database(machine: Machine) -> Iterator[None]:
    """It runs again in the end."""
    yield
    machine.inside(START)


def test_database_is_stopped_before_the_update(story: Story, database: None) -> None:
    with story.guests.outage():
        story.machine.inside(STOP)
        answer = run("update.yml", "-e", "flask_version=v6")
        story.machine.inside(START)
    assert answer.returncode == 2
    assert f"The database {APP} does not answer. Start it" in spoken(answer)
    story.assert_old()
    assert story.outcome == REFUSED


def test_database_is_stopped_during_the_migration(story: Story, database: None) -> None:
    with Frozen(story.machine, "flask_deployment", "migrating") as frozen, Update("slow") as update:
        frozen.until_there(update)
        with story.guests.outage():
            story.machine.inside(STOP)
            frozen.tell("go on")
            code, said = update.end()
            story.now()
            story.machine.inside(START)
    assert code == 2
    assert f"flask-{APP}-recover.service tries again" in said
    story.assert_old()
    assert story.outcome == BY_UNIT
