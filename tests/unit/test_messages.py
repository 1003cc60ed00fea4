# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The messages that script/messages.py finds in the code are those that people see, and each that ends a run says what to do."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path

import pytest
import yaml

TOP = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("messages", TOP / "script/messages.py")
script = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(script)
FOUND = [message for section in script.messages().values() for message in section]
PAGE = (TOP / "docs/troubleshooting.md").read_text(encoding="utf-8")


def read(code: str) -> list[tuple[str, bool]]:
    """The messages of some code, and whether a run ends by each."""
    tree = ast.parse(code)
    reader = script.Reader(script.constants(tree, {}))
    reader.visit(tree)
    return reader.found


@pytest.mark.parametrize("code, found", [
    ('raise Oops("%s has %d rows of it" % (name, 3))', [("… has … rows of it", True)]),
    ('raise Oops("The disk %s" + " is full: " + name)', [("The disk … is full: …", True)]),
    ('module.warn("nobody %s is there" % name)', [("nobody … is there", False)]),
    ('module.fail_json(msg=f"The {name} is gone.")', [("The … is gone.", True)]),
    ('MORE = "Run it."\nraise Oops("%s is not there. %s" % (name, MORE))', [("… is not there. Run it.", True)]),
    ('SAID = "Nobody has {0} of them."\nmodule.fail_json(msg=SAID.format(1))', [("Nobody has … of them.", False), ("Nobody has … of them.", True)]),
    ('"""It is a docstring of a module."""\nDOCUMENTATION = "It is some documentation."', []),
    ('x = "no sentence of a person"', []),
    ('module.exit_json(msg="not run in check mode")', []),
    ('x = {r"No such (?:name|host)": "Set the host right, please."}', [("Set the host right, please.", False)]),
    (
        'x = [(r"no such host|other", Problem("name", "Set the host right, please."))]',
        [("`no such host`\nSet the host right, please.", False)],
    ),
])
def test_what_is_said_is_found(code, found):
    assert read(code) == found


@pytest.mark.parametrize("tasks, found", [
    ("- ansible.builtin.fail: {msg: '{{ name }} is wrong. Set it.'}", [("{{ name }} is wrong. Set it.", script.ENDS)]),
    ("checks: [{valid: true, message: flask_x is empty}]", [("flask_x is empty", script.ENDS)]),
    ("- ansible.builtin.debug: {msg: All of it is well now.}", []),
    ("- name: Do something with a long name.", []),
])
def test_what_a_role_says_is_found(tasks, found):
    assert [(text, said and script.ENDS) for text, said in script.spoken(yaml.safe_load(tasks))] == found


@pytest.mark.parametrize("text, what, to_do", [
    ("It is gone. Set x to y. Nothing was changed.", "It is gone.", "Set x to y. Nothing was changed."),
    ("git says no: …\nCheck the URL.", "git says no: …", "Check the URL."),
    ("It is old. If you can, take a newer one.", "It is old.", "If you can, take a newer one."),
    ("It ended by itself.", "It ended by itself.", ""),
    ("ufw is not there: run `x` again. Nothing was changed.", "ufw is not there.", "Run `x` again. Nothing was changed."),
    ("sudo could not read it: …", "sudo could not read it: …", ""),
])
def test_what_to_do_begins_with_the_first_advice(text, what, to_do):
    assert script.split(text) == (what, to_do)


def test_advice_by_itself_is_joined_with_the_message_that_ends_with_it():
    said = ("The command … ended.\n… …", "Set it right.", "It is gone. Set x to y.", "it is late")
    texts = [message.text for message in script.with_advice([script.Message(text, "plugins/x.py", True) for text in said])]
    assert texts == ["The command … ended.\n…\nSet it right.", "It is gone. Set x to y.", "it is late"]


def test_each_row_says_what_happened_and_what_to_do():
    rows = re.findall(r"^\| (.*?) \| (.*?) \| \[[\w/]+\]\(\.\./\S+\) \|$", PAGE, re.M)
    assert len(rows) > 300
    assert [row for row in rows if not re.search(r"\w", row[0]) or not row[1]] == []


def is_answered(text: str) -> bool:
    """Whether a section of the page is about it."""
    return any(words in text.replace("`", "") for words in re.findall("^### `(.+)`$", PAGE, re.M))


@pytest.mark.parametrize("message", [one for one in FOUND if one.ends], ids=lambda one: one.text[:60])
def test_a_message_that_ends_a_run_says_what_to_do(message):
    """Those without a full stop are reasons in another message, or go on with what is not in the code."""
    assert script.split(message.text)[1] or not message.text.endswith(".") or is_answered(message.text)


def test_all_kinds_of_files_have_messages_in_the_table():
    sources = {message.source for message in FOUND}
    for source in ("plugins/action/ssh_login.py", "plugins/module_utils/build/git.py", "roles/flask/vars/main.yml", "roles/backup/tasks/make.yml"):
        assert source in sources
    assert len(FOUND) > 400
