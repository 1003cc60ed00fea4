# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles and playbooks name no part of the stack; a part says itself what the others need to know of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.selfhost.flask.plugins.plugin_utils._parts import CHOICES, ROLES

TOP = ROLES.parent
FOLDERS = ("roles", "playbooks", "plugins/action", "plugins/lookup")
NAMES = re.compile(r"mysql|mariadb|postgres|supervisor|nginx|postfix|gunicorn", re.I)
DECLARED = {path.parents[1].name: yaml.safe_load(path.read_text()) for path in ROLES.glob("*/vars/part.yml")}
ALWAYS = {name for name, declared in DECLARED.items() if declared["kind"] == "always"}  # nobody chooses them
PARTS = {name: declared for name, declared in DECLARED.items() if name not in ALWAYS}

# Which lines may name a part, and why.
EXCEPTIONS = {
    "roles/flask/defaults/main.yml": (r"^flask_(database|wsgi_server|process_manager|web_server|mail_server): \w+$", "the choices"),
    "roles/flask/meta/argument_specs.yml": (r"V\(\w+\)|default: \w+$", "the choices, described"),
    "playbooks/provision.yml": (r"tags: \[\w+, \w+\]", "the tags that there were before, for who is used to them"),
    "playbooks/update.yml": (r"tags: \[.*\]$", "likewise"),
}
# What a part can declare; each is read somewhere outside of its role.
FIELDS = {field for declared in PARTS.values() for field in declared} - {"kind", "name"}


def names(path: Path) -> list[str]:
    """The lines of a file that name a part, and have no reason to."""
    allowed = EXCEPTIONS.get(str(path.relative_to(TOP)), ("(?!)",))[0]
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if NAMES.search(line) and not re.search(allowed, line)]


def files() -> list[Path]:
    """All but the parts' own roles and what is written for people."""
    found = [path for folder in FOLDERS for path in (TOP / folder).rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return [path for path in found if path.name != "README.md" and path.relative_to(TOP).parts[1] not in PARTS]


def test_only_a_parts_own_role_names_it():
    found = {str(path.relative_to(TOP)): names(path) for path in files()}
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_each_exception_is_still_one():
    for path, (allowed, _) in EXCEPTIONS.items():
        assert [line for line in (TOP / path).read_text().splitlines() if NAMES.search(line) and re.search(allowed, line)]


@pytest.mark.parametrize("name", PARTS)
def test_a_part_is_of_a_kind_that_can_be_chosen(name):
    assert PARTS[name]["kind"] in CHOICES


def test_a_role_that_nobody_chooses_says_what_it_leaves_for_an_application():
    assert {name: set(DECLARED[name]) for name in ALWAYS} == {name: {"kind", "remains"} for name in ALWAYS}


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_what_is_declared_is_read_by_others(field):
    asked = re.compile(r"selfhost\.flask\.parts',\s+'%s'" % field)
    assert any(asked.search(path.read_text(encoding="utf-8")) for path in [*ROLES.rglob("*.yml"), *ROLES.rglob("*.j2"), *TOP.glob("playbooks/*.yml")])


def test_each_choice_has_its_default_among_the_parts():
    defaults = yaml.safe_load((ROLES / "flask/defaults/main.yml").read_text())
    for kind, variable in CHOICES.items():
        chosen = defaults[variable] if isinstance(defaults[variable], list) else [defaults[variable]]
        assert [PARTS[name]["kind"] for name in chosen] == [kind] * len(chosen)


def test_the_parts_of_a_kind_are_chosen_by_names_of_their_own():
    chosen = [(declared["kind"], declared.get("name", role)) for role, declared in PARTS.items()]
    assert len(set(chosen)) == len(chosen) and {("database", "none"), ("proxy", "none")} < set(chosen)
