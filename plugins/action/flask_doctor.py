# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at a site from outside while the module of this name looks from inside; documented with it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.selfhost.flask.plugins.action.flask_session import has_ended
from ansible_collections.selfhost.flask.plugins.module_utils.doctor import findings as doctor
from ansible_collections.selfhost.flask.plugins.module_utils.doctor import report
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks.dns import resolved
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks.serving import lock_finding
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.inside import Settings
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.outside import Outside, together
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.target import Target
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.viewpoint import is_itself, outer_address
from ansible_collections.selfhost.flask.plugins.module_utils.login.configured import configured_way
from ansible_collections.selfhost.flask.plugins.module_utils.login.problem import CONSOLE

if TYPE_CHECKING:
    from ansible.plugins.connection import ConnectionBase

TARGET = (
    "address", "aliases", "tls", "profile", "headers", "seconds", "ssh_port", "ssh_user", "ssh_args",
    "health_url", "health_text", "health_status", "basic_auth", "ports", "proxy", "http_port",
)


class ActionModule(ActionBase):
    """A host that nobody can log in to is looked at from outside all the same."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict | None = None) -> dict:
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        ignored, problem = arguments.pop("ignored", []) or [], arguments.pop("login_problem", "")
        remedy = arguments.pop("login_remedy", "")
        target = target_of(arguments, ssh_arguments(self._connection, arguments))
        findings, checks, inside = together(Outside(target), lambda: self._inside(arguments, (problem, remedy), task_vars))
        if "problem" in inside:
            return dict(result, failed=True, msg=inside["problem"])
        found = [doctor.restored(one) for one in inside["findings"]] + findings
        settled = doctor.settle(found + held(inside["facts"]), ignored)
        checks = inside["checks"] + checks
        title = "%s (%s)" % (task_vars["inventory_hostname"], arguments.get("name"))
        display = Display()
        display.display("\n" + "\n".join(report.lines(title, settled, checks, display.columns, target.is_itself)))
        return dict(
            result, changed=False, title=title, checks=checks, facts=shown(inside["facts"]),
            findings=[one.described() for one in settled], counts=report.counted(settled),
            reached=not problem and bool(inside["reached"]),
            msg=report.sentence(title, settled) if settled else title + " is healthy.",
            time=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        )

    def _inside(self, arguments: dict, problem: tuple, task_vars: dict) -> dict:
        """What the module has found; that nobody can log in where that is so."""
        if problem[0]:
            return unreachable(*problem)
        wanted = {name: value for name, value in arguments.items() if name in Settings._fields}
        wanted["host"] = arguments.get("domain")
        try:
            answer = self._execute_module(module_args=wanted, task_vars=task_vars)
        except AnsibleConnectionFailure as error:
            return unreachable(str(error))
        if answer.get("unreachable"):
            return unreachable(answer.get("msg", ""))
        if answer.get("failed"):
            said = answer.get("module_stderr") or answer.get("msg", "")
            return dict(unreachable(said), problem=said) if "findings" not in answer else answer
        return dict(answer, reached=True)


def ssh_arguments(connection: ConnectionBase, arguments: dict) -> str:
    """The inventory's, and those that Ansible's own configuration has beside them; none where it is no ssh."""
    if getattr(connection, "_load_name", "").rpartition(".")[2] != "ssh":
        return arguments.get("ssh_args") or ""
    given = [connection.get_option(name) or "" for name in ("ssh_args", "ssh_common_args", "ssh_extra_args")]
    return " ".join(given)


def target_of(arguments: dict, ssh_args: str = "") -> Target:
    """Texts of templates become what the outside looks for."""
    given = {name: arguments[name] for name in TARGET if arguments.get(name) is not None}
    given.update({name: tuple(given[name]) for name in ("aliases", "headers", "ports", "health_status") if name in given})
    given["basic_auth"] = next(iter((given.get("basic_auth") or {}).items()), ())
    given.update(seconds=float(given.get("seconds", 2)), http_port=int(given.get("http_port", 0)), app=arguments.get("name", ""))
    way = configured_way(arguments.get("ssh_host") or given["address"], int(given.get("ssh_port", 0)), ssh_args)
    known = [one for one in (given["address"], arguments["domain"], way.host) if resolved(one)]
    given["address"] = (known or [given["address"]])[0]  # what is written may be known to ssh's configuration alone
    port = given["http_port"] if given.get("tls") == "none" else 443
    if way.through and port:
        outer = outer_address(given["address"], arguments["domain"], port)
        given.update(address=outer or given["address"], is_unseen=not outer)
    given.update(
        is_itself=is_itself(given["address"]), ssh_args=ssh_args, ssh_port=way.port, ssh_jumps=bool(way.through),
        ssh_host=arguments.get("ssh_host") or given["address"] if way.through else way.host,
    )
    return Target(domain=arguments["domain"], **given)


def unreachable(problem: str, remedy: str = "") -> dict:
    finding = doctor.Finding(
        "ssh-unreachable", "Nobody can log in, so nothing was looked at from inside: " + doctor.clipped(problem),
        remedy or CONSOLE, doctor.OUTSIDE,
    )
    return dict(findings=[finding.described()], checks=[], facts={}, reached=False)


def held(facts: dict) -> list:
    """The lock's finding: whether its owner has ended is known only here."""
    holder = facts.get("lock")
    return [lock_finding(holder, has_ended(holder), facts["lock_path"])] if holder else []


def shown(facts: dict) -> dict:
    return {name: facts[name] for name in ("release", "slot", "addresses") if name in facts}
