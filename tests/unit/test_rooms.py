# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rooms of plugins/module_utils: who may import whom, which is never who imports him."""

from __future__ import annotations

import ast
import graphlib
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2] / "plugins/module_utils"
PACKAGE = "ansible_collections.selfhost.flask.plugins.module_utils"
# Each imports from those before it. Those of one line know nothing of each other.
FLOORS = (
    "common",
    "site",
    "host",
    "database process proxy",
    "shared flask",
    "build",
    "plan deployment",
    "backup certificate",
    "access",
    "removal login adoption",
    "doctor",
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms.split()}
FILES = sorted(path for path in TOP.rglob("*.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(TOP).with_suffix("").parts)


def imports_of(path: Path) -> set[str]:
    """The files of module_utils that one imports, as `room.file`."""
    known, found = {name_of(one) for one in FILES}, set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
            inner = node.module[len(PACKAGE) + 1:]
            found |= {inner} if inner in known else {"%s.%s" % (inner, alias.name) for alias in node.names}
    assert found <= known
    return found


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_room_imports_only_from_floors_below(path):
    own = path.relative_to(TOP).parts[0]
    assert own in FLOOR, "%s is a room that no floor has" % own
    above = {one for one in imports_of(path) if one.partition(".")[0] != own and FLOOR[one.partition(".")[0]] >= FLOOR[own]}
    assert above == set()


def test_no_files_import_each_other():
    order = graphlib.TopologicalSorter({name_of(path): imports_of(path) for path in FILES})
    assert set(order.static_order()) == {name_of(path) for path in FILES}


def test_what_is_to_be_sent_to_a_host_has_no_room_of_the_controller():
    """The search for a login and the doctor's outside run beside Ansible."""
    for path in sorted((TOP.parent / "modules").glob("*.py")):
        assert not {one for one in imports_of(path) if one.startswith("login.")}, path.name


# Each part of the stack is named by its own files. The others speak to all of its kind.
OWN = {"mysql": "database/mysql", "mariadb": "database/mysql", "postgres": "database/postgresql", "supervisor": "process/supervisor", "nginx": "proxy/nginx"}
REASONS = {
    "database/drivers": "the registry",
    "process/managers": "the registry, and the default of hosts from before there was a choice",
    "process/foreign": "the registry of what others have set up",
    "proxy/proxies": "the same",
    "doctor/target": "the same",
    "proxy/foreign": "the registry of what others have set up",
    "database/url": "reads the URLs of databases that this host has no driver for",
    "flask/probe/facts": "the same, of what an application says",
    "flask/probe/watch": "the packages that applications reach databases with",
    "flask/sandbox": "hides the sockets of all servers, whichever of them are installed",
    "build/diagnosis": "the Debian packages that Python packages are compiled with",
    "doctor/checks/logs": "what applications log when they do not reach their database",
}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_file_names_a_part_of_the_stack_that_is_not_its_own(path):
    place = path.relative_to(TOP).with_suffix("").as_posix()
    named = {name for name in OWN if name in path.read_text(encoding="utf-8").lower()}
    assert {name for name in named if not place.startswith(OWN[name]) and place not in REASONS} == set()


def test_every_exception_is_one():
    for place in REASONS:
        text = (TOP / place).with_suffix(".py").read_text(encoding="utf-8").lower()
        assert any(name in text for name in OWN), place
