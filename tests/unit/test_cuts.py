# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenario `faults` cuts short what site.yml really does: its tasks, in their order, and their modules."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

TOP = Path(__file__).parents[2]
FAULTS = TOP / "molecule/shared/tests/faults"


def load(path: Path) -> list:
    return yaml.safe_load(path.read_text())


def one(entry: dict, *actions: str) -> object:
    """What the first of these actions of an entry is given."""
    return next((entry[f"ansible.builtin.{name}"] for name in actions if f"ansible.builtin.{name}" in entry), None)


def flat(entries: list) -> Iterator[dict]:
    """Tasks, those in blocks, too."""
    for entry in entries:
        yield from flat(entry["block"]) if "block" in entry else [entry]


def chosen(loop: str) -> list[str]:
    """The roles that the playbooks include by default, for parts of some kinds."""
    templar = Templar(DataLoader(), load(TOP / "roles/flask/defaults/main.yml"))
    return [role.rpartition(".")[2] for role in templar.template(trust_as_template(loop))]


def walk(entries: list, role: str = "", rescue: frozenset = frozenset()) -> Iterator[tuple[str, frozenset]]:
    """Each task as it is shown when it begins; its module, and those that come to its block's rescue."""
    for entry in entries:
        if "block" in entry:
            saved = list(walk(entry.get("rescue", []), role))
            yield from walk(entry["block"], role, rescue.union(*(modules for _, modules in saved)))
            yield from saved
        elif imported := one(entry, "import_role"):
            name = imported["name"].rpartition(".")[2]
            yield from walk(load(TOP / f"roles/{name}/tasks/{imported.get('tasks_from', 'main')}.yml"), name, rescue)
        elif "include_role" in str(entry):
            for name in chosen(entry["loop"]):
                yield from walk(load(TOP / f"roles/{name}/tasks/main.yml"), name, rescue)
        elif "{{" not in (path := one(entry, "import_tasks", "include_tasks") or "{{"):
            yield from walk(load(TOP / "roles" / role / "tasks" / path), role, rescue)
        else:
            modules = {key.rpartition(".")[2] for key in entry if "." in key}
            yield f"selfhost.flask.{role} : {entry['name']}", rescue | modules


@pytest.fixture(scope="module")
def tasks() -> list[tuple[str, frozenset]]:
    """Those of site.yml, in their order."""
    plays = [load(TOP / "playbooks" / play["import_playbook"]) for play in load(TOP / "playbooks/site.yml")]
    return [task for (play,) in plays for task in walk(play["tasks"])]


@pytest.fixture
def scenario(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The scenario's module that has the table."""
    for folder in (FAULTS.parent, FAULTS):
        monkeypatch.syspath_prepend(folder)
    return importlib.import_module("cuts")


@pytest.fixture
def cuts(scenario: ModuleType) -> list[tuple]:
    """The table."""
    return scenario.CUTS


def test_cuts_are_in_what_the_tasks_do(tasks: list, cuts: list[tuple]) -> None:
    """In a task that there is not, no module would ever come to the point where it is to be stopped."""
    for task, _, step, happens, *words in cuts:
        modules = [of for name, of in tasks if name == task]
        assert modules, f"{step}: site.yml has no task '{task}'"
        if happens.__name__ != "cut_off":
            assert any(words[0] in of for of in modules), f"{step}: '{task}' has no {words[0]}"


def test_cuts_come_in_the_order_of_the_tasks(tasks: list, cuts: list[tuple]) -> None:
    """Each costs only what comes before it."""
    names = [name for name, _ in tasks]
    places = [names.index(task) for task, *_ in cuts]
    assert places == sorted(places)


def test_cuts_know_which_tasks_ansible_does_not_list(tasks: list, cuts: list[tuple], scenario: ModuleType) -> None:
    """With FAULTS=all, the playbook's own list of tasks is made whole with those of the parts."""
    included = [entry for play in load(TOP / "playbooks/provision.yml") for entry in play["tasks"]]
    names = {entry["name"]: chosen(entry["loop"]) for entry in flat(included) if one(entry, "include_role")}
    assert scenario.PARTS.keys() == names.keys()
    of_parts = {role for roles in names.values() for role in roles}
    unlisted = [task for task, *_ in cuts if task.split(" : ")[0].rpartition(".")[2] in of_parts]
    assert list(dict.fromkeys(unlisted)) == [task for parts in scenario.PARTS.values() for task in parts]
