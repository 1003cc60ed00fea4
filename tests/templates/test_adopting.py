# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory of a new application must not say while an old one is moved to it."""

from __future__ import annotations

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from deployments import ROLES, variables_of

PLAYBOOKS = ROLES.parent / "playbooks"

AUTH = {"flask_basic_auth": {"ana": "x"}}


@pytest.mark.parametrize("given, words", [
    ({}, ""),
    ({"flask_web_server": "none"}, "flask_web_server is none"),
    (AUTH, "flask_basic_auth closes /, by which"),
    ({**AUTH, "flask_health_url": "/?a=1"}, "flask_basic_auth closes /, by which"),
    ({**AUTH, "flask_health_url": "/in/", "flask_login_urls": ["/in"]}, "flask_basic_auth closes /in/, by which"),
    ({**AUTH, "flask_health_url": "/healthz?a=1"}, ""),
    ({**AUTH, "flask_health_status": [200, 401]}, ""),
])
def test_what_keeps_this_host_from_an_answer_is_refused_before_anything_stops(given, words, evaluate):
    said = evaluate("adoption", "__adoption_obstacles", **{"__adoption": {"obstacles": ["x."]}, **given})
    assert said[0] == "x." and len(said) == (2 if words else 1) and words in said[-1]
    assert evaluate("adoption", "__adoption_obstacles", **{"__adoption": {"skipped": True}, **given}) == said[1:]


def tasks_below(value):
    if isinstance(value, list):
        for one in value:
            yield from tasks_below(one)
    elif isinstance(value, dict):
        yield value
        for key in ("block", "rescue", "always"):
            yield from tasks_below(value.get(key))


def test_files_of_any_size_are_fetched_without_the_memory_for_them():
    """With become, the action fetch reads the whole file by slurp."""
    tasks = [one for path in (ROLES / "adoption/tasks").glob("*.yml") for one in tasks_below(yaml.safe_load(path.read_text()))]
    assert [one.get("become") for one in tasks if "ansible.builtin.fetch" in one] == [False]


@pytest.mark.parametrize("moved, words", [
    (None, "x. The old installation was started again and serves as before."),
    ({"failed": True, "stage": "returned"}, "x. The old installation was started again and serves as before."),
    ({"failed": True, "stage": "begun"}, "x. Nobody serves. Put that right, and start the old installation by -e flask_adopt=back."),
])
def test_what_could_not_be_started_again_is_not_said_to_serve(moved, words):
    (*_, task) = yaml.safe_load((ROLES / "adoption/tasks/go_on.yml").read_text())
    given = {"__adoption_problem": "x."} | ({"__adoption_moved": moved} if moved else {})
    said = Templar(DataLoader(), variables_of("adoption", "usual", **given)).template(
        trust_as_template(task["ansible.builtin.fail"]["msg"])
    )
    assert " ".join(said.split()).startswith(words)


LETSENCRYPT = {"flask_tls": "letsencrypt", "flask_domain": "blog.example.com", "flask_aliases": ["www.example.com"]}


@pytest.mark.parametrize("given, here, names, held", [
    (LETSENCRYPT, True, ["blog.example.com", "www.example.com"], ["proxy", "process"]),
    (LETSENCRYPT, False, ["blog.example.com", "www.example.com"], ["certificate"]),
    ({"flask_tls": "self_signed"}, False, [], []),
])
def test_a_certificate_is_asked_for_once_the_names_can_lead_to_the_host(given, here, names, held, evaluate):
    given = {**given, "__adoption_is_here": here, "__adoption": {"managers": ["supervisor"]}}
    assert evaluate("adoption", "__adoption_names_to_certify", **given) == names
    assert evaluate("adoption", "__adoption_held_back", **given) == held


def test_the_new_ones_workers_and_jobs_begin_when_it_has_the_data():
    """Each of these plays sets up some of them: recovery.yml of the deployment, which provision.yml has, writes the timers."""
    plays = yaml.safe_load((PLAYBOOKS / "adopt.yml").read_text())
    plays = {one["import_playbook"]: one["vars"] for one in plays if "import_playbook" in one}
    none = {"flask_workers": [], "flask_jobs": []}
    set_up = {name: {key: value for key, value in about.items() if key in none} for name, about in plays.items()}
    assert set_up == {"provision.yml": none, "update.yml": none, "site.yml": {}}
    assert plays["provision.yml"]["__flask_hosts"] == plays["site.yml"]["__flask_hosts"]


def test_the_new_ones_workers_rest_before_the_old_ones_begin():
    tasks = tasks_below(yaml.safe_load((ROLES / "adoption/tasks/back.yml").read_text()))
    steps = [(one, one["selfhost.flask.flask_adoption"]) for one in tasks if "selfhost.flask.flask_adoption" in one]
    steps = [(about["state"], one.get("check_mode", False)) for one, about in steps]
    assert steps == [("returned", True), ("resting", False), ("returned", False)]
