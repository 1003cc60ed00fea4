# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles' templates as their tasks render them, without a host."""

from __future__ import annotations

from collections.abc import Iterator

import jinja2
import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from deployments import ROLES, variables_of

LOOKUP = "{{ lookup('selfhost.flask.template', '%s') }}"


@pytest.fixture(scope="session", autouse=True)
def compile_once() -> Iterator[None]:
    """Ansible compiles a text each time that it evaluates it; here each is compiled once."""
    compile_anew, known = jinja2.Environment.compile, {}

    def compile_source(self: jinja2.Environment, source: str, *options: object, **more: object) -> object:
        key = (type(self), source, options, *more.items())
        if key not in known:
            known[key] = compile_anew(self, source, *options, **more)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jinja2.Environment, "compile", compile_source)
        yield


@pytest.fixture
def render():
    """Renders a role's template with the role's defaults."""

    def render(role: str, template: str, deployment: str = "usual", **given: object) -> str:
        folder = ROLES / role / "templates"
        variables = variables_of(role, deployment, ansible_search_path=[str(folder.parent)], **given)
        return Templar(DataLoader(), variables).template(trust_as_template(LOOKUP % (folder / template)))

    return render


@pytest.fixture
def evaluate():
    """The value of a role's variable."""

    def evaluate(role: str, name: str, deployment: str = "usual", **given: object) -> object:
        variables = variables_of(role, deployment, **given)
        return Templar(DataLoader(), variables).template(trust_as_template("{{ %s }}" % name))

    return evaluate


@pytest.fixture
def refusals(evaluate):
    """The messages that a role's preflight would end with."""

    def refusals(role: str, deployment: str = "usual", **given: object) -> list[str]:
        checks = evaluate(role, "__%s_checks" % role, deployment, **{"inventory_dir": None, **given})
        return [check["message"] for check in checks if not check["valid"]]

    return refusals
