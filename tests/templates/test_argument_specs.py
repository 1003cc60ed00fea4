# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role's argument specification is its documentation, and says the same as its defaults."""

from __future__ import annotations

import pytest
import yaml
from deployments import ROLES

NAMES = sorted(path.name for path in ROLES.iterdir() if path.is_dir())


def read(role, path):
    return yaml.safe_load((ROLES / role / path).read_text(encoding="utf-8"))


@pytest.fixture(params=NAMES)
def role(request):
    return request.param


@pytest.fixture
def entry_points(role):
    return read(role, "meta/argument_specs.yml")["argument_specs"]


def test_optional_options_are_the_defaults(role, entry_points):
    options = entry_points["main"].get("options", {})
    optional = {name: option.get("default") for name, option in options.items() if not option.get("required")}
    assert optional == (read(role, "defaults/main.yml") if (ROLES / role / "defaults").exists() else {})


def test_every_option_has_the_roles_prefix_and_a_sentence(role, entry_points):
    for name, option in entry_points["main"].get("options", {}).items():
        text = option["description"]
        assert name.startswith(role + "_")
        assert (text if isinstance(text, str) else text[-1]).rstrip().endswith(".")
        assert option["type"] in ("bool", "dict", "int", "list", "path", "raw", "str")
        assert ("elements" in option) == (option["type"] == "list")


def test_every_entry_point_is_there(role, entry_points):
    """But that of a part which declares what it is, and has nothing to set up."""
    for name in entry_points if (ROLES / role / "tasks").exists() else set(entry_points) - {"main"}:
        assert (ROLES / role / "tasks" / (name + ".yml")).exists()


def test_secrets_are_not_logged(entry_points):
    for name, option in entry_points["main"].get("options", {}).items():
        if name.endswith(("_password", "_env", "_key")):
            assert option.get("no_log") is True


PLAYBOOKS = sorted(ROLES.parent.glob("playbooks/*.yml"))
WITHOUT_A_HOST = ("site", "new")  # the one consists of others, the other is for this machine


@pytest.mark.parametrize("playbook", [path for path in PLAYBOOKS if path.stem not in WITHOUT_A_HOST], ids=lambda path: path.stem)
def test_a_playbook_first_checks_what_is_asked_for(playbook):
    play, *rest = yaml.safe_load(playbook.read_text(encoding="utf-8"))
    assert {one["tasks"][0]["name"] for one in rest if "tasks" in one} <= {play["tasks"][0]["name"]}
    role = play["tasks"][0]["ansible.builtin.import_role"]
    assert role["name"] == "selfhost.flask.flask"
    assert role.get("rolespec_validate") is False or role["tasks_from"] == "preflight"  # which is none of the entry points
    assert play["tasks"][0]["tags"] == ["always"]


def test_what_undoes_or_overwrites_asks_for_which_application():
    plays = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))[0] for path in PLAYBOOKS}
    asking = {name for name, play in plays.items() if "__flask_effect" in play.get("vars", {})}
    assert asking == {"adopt", "maintenance", "remove", "restore", "rollback"}


def test_no_task_removes_a_database():
    for path in ROLES.glob("*/tasks/*.yml"):
        text = path.read_text(encoding="utf-8")
        assert not [task for task in yaml.safe_load(text) if task.get("community.mysql.mysql_db", {}).get("state")]
        assert "DROP DATABASE" not in text.upper()
