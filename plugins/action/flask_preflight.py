# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuses variables that can't be meant; documented with the module of this name."""

from __future__ import annotations

from collections.abc import Iterator

from ansible.errors import AnsibleError
from ansible.module_utils.common.parameters import DEFAULT_TYPE_VALIDATORS
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars
from ansible_collections.selfhost.flask.plugins.module_utils.build.git import GitError
from ansible_collections.selfhost.flask.plugins.plugin_utils._confirmation import (
    find_reasons,
    find_unconfirmed,
    question,
)
from ansible_collections.selfhost.flask.plugins.plugin_utils._local_source import LocalSource, is_local
from ansible_collections.selfhost.flask.plugins.plugin_utils._parts import CHOICES, Parts
from ansible_collections.selfhost.flask.plugins.plugin_utils._variable_names import (
    find_unknown,
    read_defaults,
    read_offers,
    read_options,
)
from ansible_collections.selfhost.flask.plugins.plugin_utils._variable_values import find_problems, needs_look

UNKNOWN = "%s is no variable of selfhost.flask.%s"
SPEC = {name: dict(type="str", default="") for name in ("effect", "repo", "version")}
NAMESAKE = " If it is one of your own, name it in flask_ignored_variables."


class ActionModule(ActionBase):
    """Looks at the variables of a play's host, on the controller."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict | None = None) -> dict:
        result = super().run(tmp, task_vars)
        dummy, arguments = self.validate_argument_spec(argument_spec=SPEC)
        defaults = read_defaults()
        problems = [
            *self._misspelt(defaults, task_vars),
            *self._unfit(defaults, task_vars),
            *self._absent({**defaults["flask"], **task_vars}),
            *self._unconfirmed(arguments["effect"], defaults, task_vars),
        ]
        unreadable, warnings = read_source(arguments["repo"], arguments["version"])
        problems += unreadable
        if not problems:
            return dict(result, changed=False, warnings=warnings)
        message = "%s Nothing was changed on %s." % (" ".join(problems), task_vars["inventory_hostname"])
        return dict(result, failed=True, msg=message)

    def _misspelt(self, defaults: dict, task_vars: dict) -> Iterator[str]:
        ignored = self._list("flask_ignored_variables", task_vars)
        for name, near in find_unknown(set(task_vars) - {*ignored, *read_offers()}, defaults).items():
            meant = " Did you mean %s?" % near if near else ""
            yield UNKNOWN % (name, meant) + NAMESAKE

    def _unfit(self, defaults: dict, task_vars: dict) -> Iterator[str]:
        """Of the values that are not the default ones, so that a role is not even read where nothing is set."""
        for role, variables in defaults.items():
            given = [name for name, default in variables.items() if task_vars.get(name, default) != default]
            options = read_options(role) if given or role == "flask" else {}
            for name, option in options.items():
                if option.get("required") and name not in task_vars:
                    yield "%s is not set. Set it in the inventory." % name
                elif name in given and needs_look(task_vars[name], option):
                    yield from self._problems(name, task_vars[name], option)

    def _absent(self, variables: dict) -> list[str]:
        """Parts of the stack that there is no role for."""
        parts = Parts(self._loader, variables, self._templar.template)
        return [problem for kind in CHOICES for problem in parts.find_problems(kind)]

    def _problems(self, name: str, value: object, option: dict) -> list[str]:
        try:
            value = self._templar.template(value)
        except AnsibleError:  # of a fact that is read later
            return []
        return list(find_problems(name, value, option))

    def _unconfirmed(self, effect: str, defaults: dict, task_vars: dict) -> list[str]:
        reasons = find_reasons(effect, load_extra_vars(self._loader), defaults)
        hostvars = task_vars.get("hostvars", {})
        hosts = [name for name in task_vars.get("ansible_play_hosts_all", []) if "flask_app" in hostvars[name]]
        if not reasons or not find_unconfirmed(hosts, self._list("flask_confirm", task_vars)):
            return []
        return [question(hosts, reasons)]

    def _list(self, name: str, task_vars: dict) -> list[str]:
        return DEFAULT_TYPE_VALIDATORS["list"](self._templar.template(task_vars.get(name, [])))


def read_source(repo: str, version: str) -> tuple[list, list]:
    """What is wrong with a repository in a folder of this machine, and what of it is not deployed."""
    if not is_local(repo):
        return [], []
    try:
        said = LocalSource(repo, version).uncommitted()
    except GitError as error:
        return [str(error)], []
    return [], [said] if said else []
