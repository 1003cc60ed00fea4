# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests/pages/run types: each command of the pages names a playbook and variables that there are."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import yaml

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/pages"))

from commands import PAGES, Command, commands  # noqa: E402

TYPED = [command for page in PAGES for command in commands(page) if not command.reason()]


def options() -> set:
    """The public variables of all roles."""
    specs = [yaml.safe_load(path.read_text()) for path in TOP.glob("roles/*/meta/argument_specs.yml")]
    return {name for spec in specs for part in spec["argument_specs"].values() for name in part.get("options", {})}


@pytest.mark.parametrize("command", TYPED, ids=lambda command: command.text)
def test_a_command_names_what_there_is(command):
    argv = command.argv()
    if argv[0] == "ansible-playbook":
        assert (TOP / "playbooks" / (argv[1].removeprefix("selfhost.flask.") + ".yml")).is_file()
        said = [re.match(r"\w+", word)[0] for flag, word in zip(argv, argv[1:]) if flag == "-e"]
        assert set(said) <= options() | {"doctor_html"}
    else:
        assert argv[0] == "ssh"


def test_the_pages_have_commands():
    assert {command.page for command in TYPED} == set(PAGES)


@pytest.mark.parametrize("text, argv", [
    ("selfhost.flask.update -e flask_version=v0.18", ["ansible-playbook", "selfhost.flask.update", "-e", "flask_version=v2"]),
    ("selfhost.flask.run -e \"flask_command='users list'\"", ["ansible-playbook", "selfhost.flask.run", "-e", "flask_command='users list'"]),
    ("sudo flask-microblog logs", ["ssh", "-t", "deploy@blog.example.com", "sudo flask-guestbook logs"]),
])
def test_a_command_is_typed_to_the_demo_application(text, argv):
    assert Command("README.md", text).argv() == argv
