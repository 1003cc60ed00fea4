"""Who works on the host dies: the module that is at work, alone or with its children, or the host itself."""

from __future__ import annotations

import subprocess
import sys

import pytest
from machine import ROOT, TESTHOST
from update import Frozen, Story, Update, every, worst

BUILD, DEPLOYMENT = "flask_build", "flask_deployment"
REBUILT = f"{ROOT}/releases/rebuilt-*"
MODULES = [
    every("session", BUILD, "begun"),
    every("checkout", BUILD, "working"),
    worst("packages", BUILD, "runs:uv pip install"),
    every("settings", BUILD, f"has:{REBUILT}/.venv"),
    every("translations", BUILD, "runs:translate compile"),
    every("configuration", BUILD, f"has:{REBUILT}/demo/translations/*/LC_MESSAGES/messages.mo"),
    every("deployment", DEPLOYMENT, "begun"),
]
BEFORE_THE_SWITCH = [every("closed"), every("dumping"), worst("migrating"), every("launching")]
AFTER_THE_SWITCH = [every("switched"), every("draining")]
# The switch has two steps. What is between them is too short to be met, so its second step is undone.
FIRST_STEP_ONLY = 'ln -sfn "$1" "$2/current"'


@pytest.mark.parametrize(("module", "point"), MODULES)
def test_module_that_builds_is_killed(story: Story, module: str, point: str) -> None:
    with Frozen(story.machine, module, point) as frozen, Update("rebuilt") as update:
        frozen.until_there(update)
        story.now()
        frozen.tell("kill all")
        code, said = update.end()
    assert code == 2, said
    story.assert_old()


@pytest.mark.parametrize("order", [worst("alone", "kill"), worst("with its children", "kill all")])
@pytest.mark.parametrize("point", BEFORE_THE_SWITCH)
def test_module_that_serves_is_killed(story: Story, point: str, order: str) -> None:
    with Frozen(story.machine, DEPLOYMENT, point) as frozen, Update("slow") as update:
        frozen.until_there(update)
        story.now()
        frozen.tell(order)
        code, said = update.end()
    assert code == 2, said
    story.assert_old()


@pytest.mark.parametrize("point", AFTER_THE_SWITCH)
def test_module_is_killed_after_the_switch(story: Story, point: str) -> None:
    with Frozen(story.machine, DEPLOYMENT, point) as frozen, Update("slow") as update:
        frozen.until_there(update)
        story.now()
        frozen.tell("kill all")
        update.end()
    story.assert_new("slow")


def test_module_is_killed_in_the_midst_of_the_switch(story: Story) -> None:
    with Frozen(story.machine, DEPLOYMENT, "switched") as frozen, Update("slow") as update:
        frozen.until_there(update)
        story.machine.inside(FIRST_STEP_ONLY, story.before["links"][1], ROOT)
        story.now()
        frozen.tell("kill all")
        update.end()
    story.assert_new("slow")


def cut_the_power(story: Story, point: str) -> None:
    """What fails until the host is up again is the power's."""
    with Frozen(story.machine, DEPLOYMENT, point) as frozen, Update("slow") as update:
        frozen.until_there(update)
        with story.guests.outage():
            subprocess.run([sys.executable, TESTHOST, "kill", story.machine.name], check=True, timeout=60)
            update.kill_all()
            story.now()
            subprocess.run([sys.executable, TESTHOST, "start", story.machine.name], check=True, timeout=120)


@pytest.mark.parametrize("point", BEFORE_THE_SWITCH)
def test_power_is_lost(story: Story, point: str) -> None:
    cut_the_power(story, point)
    story.assert_old()


@pytest.mark.parametrize("point", AFTER_THE_SWITCH)
def test_power_is_lost_after_the_switch(story: Story, point: str) -> None:
    cut_the_power(story, point)
    story.assert_new("slow")
