# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that ends an interrupted change, run as its unit runs it."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.deployment import program
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.gate import Gate
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.journal import Journal
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import step
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

PYTHON = "/usr/bin/python3"
ROOMS = Path(__file__).resolve().parents[4] / "plugins/module_utils"


@pytest.fixture
def site(tmp_path):
    """A site whose program is installed."""
    for name in ("blog/releases", "blog/run", "blog/slots", "blog/venvs", "blog/gate", "log"):
        (tmp_path / name).mkdir(parents=True)
    found = Site("blog", str(tmp_path / "blog"), str(tmp_path / "log"))
    program.install(found)
    return found


def command(site):
    return [PYTHON, "-I", site.path("deployment/recover.pyz"), site.root]


def parsed_imports(source):
    """As Python itself reads them; a room's name and a module's of it are told apart by the caller."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(program.PACKAGE + "."):
            is_room = hasattr(importlib.import_module(node.module), "__path__")
            yield from ("%s.%s" % (node.module, alias.name) for alias in node.names) if is_room else [node.module]


@pytest.mark.parametrize("path", sorted(ROOMS.rglob("*.py")), ids=lambda path: path.stem)
def test_the_imports_of_a_module_are_found_without_parsing_it(path):
    source = path.read_text(encoding="utf-8")
    assert program.imports_of(source) == set(parsed_imports(source))


def run(site):
    return subprocess.run(command(site), cwd="/", env={}, capture_output=True, text=True, timeout=60, check=False)


def test_without_a_journal_there_is_nothing_to_do(site):
    done = run(site)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_is_complete_in_itself_and_always_the_same(site):
    assert program.packed() == program.packed()
    imported = "import sys; sys.path.insert(0, %r); import %s as module; print(module.__file__)"
    source = imported % (site.path("deployment/recover.pyz"), program.PACKAGE + ".deployment.program")
    done = subprocess.run([PYTHON, "-I", "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(site.path("deployment/recover.pyz/"))


def test_is_root_s_alone_and_written_anew_only_where_it_differs(site):
    path = site.path("deployment/recover.pyz")
    assert oct(os.stat(path).st_mode)[-3:] == "600" and oct(os.stat(os.path.dirname(path)).st_mode)[-3:] == "700"
    before = os.stat(path).st_ino
    program.install(site)
    assert os.stat(path).st_ino == before
    with open(path, "ab") as file:
        file.write(b"older")
    program.install(site)
    assert os.stat(path).st_ino != before and run(site).returncode == 0


def leave_journal(site):
    """What is left of a first deployment that died before it had started anything."""
    entry = {"release": "v1", "from": "", "seconds": {}, "by": "ana@laptop"}
    journal = {"site": site._asdict(), "live": "", "idle": "blue", "entry": entry, "keep": 5, "dump": "",
               "database": None, "workers": False, "committed": None}
    Journal(site).write(journal)


def test_a_journal_that_cannot_be_ended_yet_stays_and_is_tried_again(site):
    """There is no supervisor where the tests run: so it is to be tried again, which the unit does."""
    if os.path.exists("/run/supervisor.sock"):
        pytest.skip("a supervisor runs here")
    leave_journal(site)
    assert run(site).returncode != 0
    assert Journal(site).read()["entry"]["release"] == "v1"
    assert not os.path.exists(site.path("releases.json"))


def test_waits_for_the_process_that_makes_the_change(site):
    with step(site.root):
        leave_journal(site)
        Gate(site).refuse("blue", 5)
        waiting = subprocess.Popen(command(site), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(0.5)
        Journal(site).remove()  # it has ended its change itself
    assert waiting.communicate(timeout=60) == (b"", b"") and waiting.returncode == 0
    assert Gate(site).refused("blue")
