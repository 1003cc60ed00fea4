# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup for templates: what Ansible's own renders, without a copy of all that a host's variables hold."""

from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

TEXT = """\
{# a comment -#}
{{ ansible_managed | comment }}
{% for user in users %}
{{ user['name'] }} of {{ place }}
{% endfor %}
"""


class Uncopied(dict):
    """Facts of a host."""

    def __deepcopy__(self, memo):
        raise AssertionError("the variables were copied with all that is in them")


def render(lookup, path, variables, arguments=""):
    text = "{{ lookup('%s', '%s'%s) }}" % (lookup, path, arguments)
    return Templar(DataLoader(), variables).template(trust_as_template(text))


@pytest.fixture
def template(tmp_path):
    (tmp_path / "x.j2").write_text(TEXT)
    return tmp_path / "x.j2"


def test_it_renders_what_ansible_s_own_does(template):
    variables = {"users": [{"name": "ana"}, {"name": "bob"}], "place": trust_as_template("{{ town }}"), "town": "Rome"}
    texts = [render(name, template, variables) for name in ("selfhost.flask.template", "ansible.builtin.template")]
    assert texts[0] == texts[1]
    assert texts[0].endswith("ana of Rome\nbob of Rome\n")


def test_more_variables_win_for_this_template_alone(template):
    variables = {"users": [{"name": "ana"}], "place": "Rome"}
    assert "ana of Bonn" in render("selfhost.flask.template", template, variables, ", template_vars={'place': 'Bonn'}")
    assert variables["place"] == "Rome"


def test_it_copies_no_values(template):
    variables = {"users": [{"name": "ana"}], "place": "Rome", "hostvars": Uncopied(a=1)}
    assert "ana of Rome" in render("selfhost.flask.template", template, variables)


def test_a_template_that_is_not_there_is_said(template):
    with pytest.raises(Exception, match="could not be found"):
        render("selfhost.flask.template", template.parent / "y.j2", {})
