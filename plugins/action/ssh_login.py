# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the user as whom a host can be administered; documented with the module of this name."""

from __future__ import annotations

import hashlib
import os
import shlex
import time
from typing import TYPE_CHECKING

from ansible import constants as C
from ansible.errors import AnsibleAuthenticationFailure, AnsibleConnectionFailure
from ansible.module_utils.common.text.converters import to_text
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.plugins.connection import ConnectionBase
from ansible.plugins.loader import connection_loader
from ansible.utils.display import Display
from ansible.utils.path import makedirs_safe, unfrackpath
from ansible_collections.selfhost.flask.plugins.module_utils.login import problem as ssh_problem
from ansible_collections.selfhost.flask.plugins.module_utils.login.configured import configured_user, second
from ansible_collections.selfhost.flask.plugins.module_utils.login.memory import Login, Memory
from ansible_collections.selfhost.flask.plugins.module_utils.login.search import WINDOW, Attempt, Search, shown
from ansible_collections.selfhost.flask.plugins.plugin_utils._host_probe import host_probe, read_host, warn_of
from ansible_collections.selfhost.flask.plugins.plugin_utils._names_probe import names_probe, read_names

if TYPE_CHECKING:
    from collections.abc import Iterable

# Prints one `name value` a line, and ends with 77 where the user can't become root.
PROBE = """
if [ "$(id -u)" != 0 ] && [ PASSWORD = no ] && ! sudo -n true 2>/dev/null; then exit 77; fi
echo login works
set -- $SSH_CONNECTION; echo client $1; echo port $4
. /etc/os-release; echo "distribution $ID"; echo "distribution_version $VERSION_ID"
while read -r name value unit; do [ "$name" != MemTotal: ] || echo "memory_mb $((value / 1024))"; done </proc/meminfo
for name in python3 sudo git; do command -v $name >/dev/null || echo missing $name; done
python3 -c 'import apt' 2>/dev/null || echo missing python3-apt
if command -v cloud-init >/dev/null; then cloud-init status | grep -q running && echo cloud_init running; fi
sed 's/^/key /' ~/.ssh/authorized_keys 2>/dev/null
true
"""

NAMES = ("app", "domains", "taken_paths", "taken_scripts", "site_scripts")  # of which the probe is made
ALONE = "-o ControlMaster=no -o ControlPath=none "
SHARED = "-o ControlMaster=auto -o ControlPersist=60s -o ControlPath=%s "
UNPROVEN = (
    "The playbook runs on %s itself, so that no login over ssh has proven that somebody still gets in. Before you leave this "
    "session, open another one as %s."
)
BECOME_PASSWORDS = ("ansible_become_password", "ansible_become_pass", "ansible_sudo_pass")  # as Ansible's sudo knows it
PAUSE = 6  # so that the tries alone are no reason for the firewall's limit, which is six within 30 seconds


class Unreachable(AnsibleConnectionFailure):
    """No sshd has looked at a login."""

    def __init__(self, message: str, about: dict) -> None:
        super().__init__(message)
        self.about = about


class ActionModule(ActionBase):
    """Tries the users, each on a connection of its own."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict | None = None) -> dict:
        """With required=false, a problem is a result."""
        required = boolean(self._task.args.pop("required", True))
        try:
            found = self._run(tmp, task_vars)
        except AnsibleConnectionFailure as error:
            if required:
                raise
            found = dict(getattr(error, "about", {}), failed=True, msg=str(error))
        if required or not found.get("failed"):
            return found
        remedy = found.get("remedy", "")
        return dict(changed=False, user="", problem=found["msg"].replace(remedy, "").strip(), remedy=remedy)

    def _run(self, tmp: str | None = None, task_vars: dict | None = None) -> dict:
        result = super().run(tmp, task_vars)
        dummy, arguments = self.validate_argument_spec(
            argument_spec=dict(
                users=dict(type="list", elements="str", required=True),
                ports=dict(type="list", elements="int", default=[]),
                fresh=dict(type="bool", default=False),
                since=dict(type="float", default=0),
                wait=dict(type="int", default=0),
                app=dict(type="str", default=""),
                domains=dict(type="list", elements="str", default=[]),
                taken_paths=dict(type="list", elements="str", default=[]),
                taken_scripts=dict(type="list", elements="str", default=[]),
                site_scripts=dict(type="list", elements="str", default=[]),
                used_scripts=dict(type="list", elements="str", default=[]),
                open_ports=dict(type="list", elements="int", default=[]),
                web_ports=dict(type="list", elements="int", default=[80, 443]),
            )
        )
        self._look = look_for(arguments) if arguments["app"] else ""
        if arguments["app"]:
            arguments["users"] = second(arguments["users"], self._configured(task_vars))
        end = time.monotonic() + arguments["wait"]
        while True:
            search = self._search(arguments, task_vars)
            found = search.run(arguments["ports"], arguments["users"])
            if found:
                return dict(result, changed=False, **self._described(found, arguments, task_vars))
            left = end - time.monotonic()
            if left <= 0:
                break
            time.sleep(min(PAUSE, left))
        return dict(result, failed=True, **self._explained(search.failed, arguments, task_vars))

    def _search(self, arguments: dict, task_vars: dict) -> Search:
        """The proof of a change has its own way to wait."""
        host = self._value(task_vars, "ansible_host") or task_vars["inventory_hostname"]
        port = self._value(task_vars, "ansible_ssh_port", "ansible_port") or ""
        return Search(
            lambda login, port: self._probe(login, port, arguments, task_vars),
            Memory(os.path.join(C.ANSIBLE_HOME, "selfhost.flask"), host, port),
            0 if arguments["fresh"] else WINDOW,
            Display().warning,
        )

    def _is_local(self) -> bool:
        """Whether the playbook runs on the host itself, where any user would do."""
        return self._connection.ansible_name.rpartition(".")[2] == "local"

    def _configured(self, task_vars: dict) -> str:
        """Who is in this computer's own configuration of ssh, which an inventory's user wins over."""
        if self._is_local() or self._value(task_vars, "ansible_ssh_user", "ansible_user"):
            return ""
        host = self._value(task_vars, "ansible_ssh_host", "ansible_host") or task_vars["inventory_hostname"]
        return configured_user(host, self._value(task_vars, "ansible_ssh_common_args") or "")

    def _value(self, task_vars: dict, *names: str) -> object:
        """The first of some variables that the inventory has."""
        return next((self._templar.template(task_vars[name]) for name in names if task_vars.get(name)), None)

    def _described(self, found: Attempt, arguments: dict, task_vars: dict) -> dict:
        """The login as a result."""
        known = found.port or self._value(task_vars, "ansible_ssh_port", "ansible_port")
        extra = self._value(task_vars, "ansible_ssh_extra_args") or ""
        if found.login.ssh_args not in extra:
            extra = (extra + " " + found.login.ssh_args).strip()
        answer = described(found.answer, [*arguments["web_ports"], *arguments["open_ports"]], arguments["web_ports"])
        name = task_vars["inventory_hostname"]
        answer["warnings"] = warn_of(answer, name) if arguments["app"] else []
        if arguments["fresh"] and self._is_local():
            answer["warnings"].append(UNPROVEN % (name, found.login.user))
        facts = distribution_facts(answer["distribution"], answer["distribution_version"])
        return dict(user=found.login.user, connect_port=known, ssh_extra_args=extra, ansible_facts=facts, **answer)

    def _explained(self, failed: list, arguments: dict, task_vars: dict) -> dict:
        """Why nobody can log in; an exception where the host can't be reached at all."""
        problem = ssh_problem.telling([attempt.problem for attempt in failed])
        about = dict(reason=problem.kind, remedy=problem.remedy)
        tried = "; ".join(dict.fromkeys(shown(attempt) for attempt in failed))
        heard = [attempt for attempt in failed if attempt.problem.kind in ssh_problem.HEARD]
        if not heard and not arguments["fresh"]:
            raise Unreachable("%s. %s" % (tried, problem.remedy), about)
        users = ", ".join(dict.fromkeys(arguments["users"]))
        said = (users, task_vars["inventory_hostname"], tried, problem.remedy)
        return dict(about, msg="Nobody of %s can log in to %s and become root. What was tried: %s. %s" % said)

    def _probe(self, login: Login, port: int, arguments: dict, task_vars: dict) -> tuple:
        """The exit code, what the probe printed and what ssh said."""
        connection = self._connection_as(login, port, arguments, task_vars)
        known = self._value(task_vars, *BECOME_PASSWORDS) or self._play_context.become_pass
        command = "/bin/sh -c " + shlex.quote(PROBE.replace("PASSWORD", "yes" if known else "no") + self._look)
        try:
            code, out, err = connection.exec_command(command, in_data=None, sudoable=False)
        except (AnsibleAuthenticationFailure, AnsibleConnectionFailure) as error:
            return 255, "", str(error)
        finally:
            connection.close()
        return code, to_text(out), to_text(err)

    def _connection_as(self, login: Login, port: int, arguments: dict, task_vars: dict) -> ConnectionBase:
        """The task's connection as another user, and not through an open one where it is to be fresh."""
        play_context = self._play_context.copy()
        play_context.remote_user = login.user
        connection = connection_loader.get(self._connection.ansible_name, play_context)
        variables = dict(task_vars, **dict.fromkeys(variables_of(connection, "remote_user"), login.user))
        if port:
            play_context.port = port
            variables.update(dict.fromkeys(variables_of(connection, "port"), port))
        names = set(variables) & set(C.config.get_plugin_vars("connection", connection._load_name))
        options = {name: self._templar.template(variables[name]) for name in names}
        connection.set_options(task_keys={"timeout": play_context.timeout}, var_options=options)
        if variables_of(connection, "ssh_args"):
            self._set_arguments(connection, login, arguments)
        return connection

    def _set_arguments(self, connection: ConnectionBase, login: Login, arguments: dict) -> None:
        """What ssh is to do otherwise; it takes the first of two values, so that these come before all others."""
        own = ""
        if arguments["fresh"]:
            own = SHARED % shlex.quote(shared_path(connection, arguments["since"])) if arguments["since"] else ALONE
        connection.set_option("ssh_args", "-v " + own + (connection.get_option("ssh_args") or ""))
        extra = connection.get_option("ssh_extra_args") or ""
        if login.ssh_args not in extra:
            connection.set_option("ssh_extra_args", (extra + " " + login.ssh_args).strip())
        connection.set_option("reconnection_retries", 0)  # each would count as another failure


def shared_path(connection: ConnectionBase, since: float) -> str:
    """The socket of a connection that was opened after a moment, for all inventory names of a host."""
    folder = unfrackpath(connection.get_option("control_path_dir"))
    makedirs_safe(folder, 0o700)
    about = " ".join(str(connection.get_option(name)) for name in ("host", "port", "remote_user"))
    # No longer than Ansible's own names: the path of a socket has to be short.
    path = os.path.join(folder, "p" + hashlib.sha256(about.encode()).hexdigest()[:9])
    if os.path.exists(path) and os.stat(path).st_mtime < since:
        os.unlink(path)
    return path


def variables_of(connection: ConnectionBase, option: str) -> list:
    """All names of an option in an inventory; ansible_ssh_user, the old one, wins over ansible_user."""
    options = C.config.get_configuration_definitions("connection", connection._load_name)
    return [about["name"] for about in options.get(option, {}).get("vars", [])]


def distribution_facts(name: str, version: str) -> dict:
    """The facts on the distribution as Ansible has them, which takes Raspberry Pi OS for Debian."""
    return dict(
        ansible_distribution={"raspbian": "Debian"}.get(name, name.capitalize()),
        ansible_distribution_version=version,
        ansible_distribution_major_version=version.partition(".")[0],
    )


def look_for(arguments: dict) -> str:
    """The rest of the probe, where somebody asks for an application."""
    return names_probe(**{name: arguments[name] for name in NAMES}) + host_probe(arguments["used_scripts"], arguments["web_ports"])


def described(answer: str, open_ports: list, web_ports: Iterable[int] = (80, 443)) -> dict:
    """The probe's lines as results."""
    lines = [line.partition(" ")[::2] for line in answer.splitlines()]
    values = {}
    for name, value in lines:
        values.setdefault(name, []).append(value)
    missing = values.get("missing", [])
    return dict(
        client=values.get("client", [""])[0],
        port=values.get("port", [""])[0],
        distribution=values.get("distribution", [""])[0],
        distribution_version=values.get("distribution_version", [""])[0],
        memory_mb=int(values.get("memory_mb", ["0"])[0]),
        missing=[name for name in missing if name != "git"],
        git="git" not in missing,
        cloud_init="cloud_init" in values,
        authorized_keys="\n".join(values.get("key", [])),
        **read_names(values),
        **read_host(values, open_ports, web_ports),
    )
