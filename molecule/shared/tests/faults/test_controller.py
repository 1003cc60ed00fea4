"""The controller dies, or there are two of them."""

from __future__ import annotations

import getpass
import os
import platform

import pytest
from machine import APP
from playbook import run, spoken
from update import COMPLETED, OLD, Frozen, Story, Update, every, tasks_of

SERVING = "selfhost.flask.deployment : Migrate the database, launch the release and move the traffic to it"
TASKS = tasks_of("update.yml") if os.environ.get("FAULTS") == "all" else [SERVING]
AT = TASKS.index(SERVING)


@pytest.mark.every
@pytest.mark.parametrize("task", [every(name) for name in TASKS[:AT]])
def test_playbook_is_killed_before_it_serves(story: Story, task: str) -> None:
    with Update("rebuilt") as update:
        update.until_task(task)
        story.now()
        update.kill()
    story.assert_old()


@pytest.mark.every
def test_playbook_is_killed_when_it_is_about_to_serve(story: Story) -> None:
    with Update("v6") as update:
        update.until_task(SERVING)
        story.now()
        update.kill()
    story.assert_either("v6")


def test_playbook_is_killed_while_the_host_migrates(story: Story) -> None:
    """The module that is at work on the host completes the change, as nobody has told it not to."""
    with Frozen(story.machine, "flask_deployment", "migrating") as frozen, Update("slow") as update:
        frozen.until_there(update)
        story.now()
        update.process.kill()
        update.process.wait(timeout=30)
        frozen.tell("go on")
    story.assert_new("slow")
    assert story.outcome == COMPLETED


@pytest.mark.every
def test_terminal_is_closed_while_the_host_migrates(story: Story) -> None:
    """ansible-playbook and its ssh are gone: the module may be told so, by the end of its output."""
    with Frozen(story.machine, "flask_deployment", "migrating") as frozen, Update("slow") as update:
        frozen.until_there(update)
        story.now()
        update.kill_all()
        frozen.tell("go on")
    story.assert_either("slow")


@pytest.mark.every
@pytest.mark.parametrize("task", [every(name) for name in TASKS[AT + 1 :]])
def test_playbook_is_killed_after_it_has_served(story: Story, task: str) -> None:
    with Update("v6") as update:
        update.until_task(task)
        story.now()
        update.kill()
    story.assert_new("v6")


@pytest.mark.every
def test_playbook_is_killed_while_it_notes_a_failure(story: Story) -> None:
    with Update("v4", "-e", "deployment_health_deadline=5") as update:
        update.until_task("selfhost.flask.deployment : Note the failure and release the lock")
        story.now()
        update.kill()
    story.assert_old()


def test_second_update_ends_at_once(story: Story) -> None:
    with Frozen(story.machine, "flask_deployment", "migrating") as frozen, Update("slow") as update:
        frozen.until_there(update)
        second = run("update.yml", "-e", "flask_version=v6")
        assert second.returncode == 2
        owner = f"{getpass.getuser()}@{platform.node()}"
        assert f"{owner} is at work on {APP}: the deployment of slow" in spoken(second)
        assert story.look()["revision"] == [OLD]
        story.now()
        frozen.tell("go on")
        code, said = update.end()
    assert code == 0, said
    story.assert_new("slow")
