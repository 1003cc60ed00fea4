# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the user as whom a host can be administered; documented with the module of this name."""

from __future__ import annotations

import re
import shlex
import time

from ansible import constants as C
from ansible.errors import AnsibleAuthenticationFailure, AnsibleConnectionFailure
from ansible.module_utils.common.text.converters import to_text
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.plugins.connection import ConnectionBase
from ansible.plugins.loader import connection_loader

from ansible_collections.selfhost.flask.plugins.plugin_utils._names_probe import names_probe, read_names

REFUSAL = re.compile("permission denied|too many authentication failures|incorrect password", re.I)

# Prints one `name value` a line, and ends with 77 where the user can't become root.
PROBE = """
if [ "$(id -u)" != 0 ] && [ PASSWORD = no ] && ! sudo -n true 2>/dev/null; then exit 77; fi
echo login works
set -- $SSH_CONNECTION; echo client $1; echo port $4
. /etc/os-release; echo "distribution $ID"; echo "distribution_version $VERSION_ID"
for name in python3 sudo git; do command -v $name >/dev/null || echo missing $name; done
python3 -c 'import apt' 2>/dev/null || echo missing python3-apt
if command -v cloud-init >/dev/null; then cloud-init status | grep -q running && echo cloud_init running; fi
sed 's/^/key /' ~/.ssh/authorized_keys 2>/dev/null
true
"""


ALONE = "-o ControlMaster=no -o ControlPath=none "
PAUSE = 6  # so that the tries alone are no reason for the firewall's limit, which is six within 30 seconds


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
            found = dict(failed=True, msg=str(error))
        if required or not found.get("failed"):
            return found
        return dict(changed=False, user="", problem=found["msg"])

    def _run(self, tmp: str | None = None, task_vars: dict | None = None) -> dict:
        result = super().run(tmp, task_vars)
        dummy, arguments = self.validate_argument_spec(
            argument_spec=dict(
                users=dict(type="list", elements="str", required=True),
                ports=dict(type="list", elements="int", default=[]),
                fresh=dict(type="bool", default=False),
                wait=dict(type="int", default=0),
                app=dict(type="str", default=""),
                domains=dict(type="list", elements="str", default=[]),
            )
        )
        self._names = names_probe(arguments["app"], arguments["domains"]) if arguments["app"] else ""
        end = time.monotonic() + arguments["wait"]
        while True:
            found, tried, error = self._search(arguments, task_vars)
            if found:
                return dict(result, changed=False, **found)
            left = end - time.monotonic()
            if left <= 0:
                break
            time.sleep(min(PAUSE, left))
        if error and not arguments["fresh"] and not tried:
            raise error
        if error:
            tried.append(to_text(error).strip()[-300:])
        return dict(
            result,
            failed=True,
            msg="Nobody of %s can log in to %s and become root. Set ansible_user to a user who can, with "
            "an ssh key of yours. What was tried: %s"
            % (", ".join(dict.fromkeys(arguments["users"])), task_vars["inventory_hostname"], "; ".join(tried)),
        )

    def _search(self, arguments: dict, task_vars: dict) -> tuple:
        """The login that works; else what each user got, and the error of a port that did not answer."""
        tried, problem = [], None
        for port in dict.fromkeys(arguments["ports"] or [0]):
            for user in dict.fromkeys(arguments["users"]):
                try:
                    answer = self._probe(user, port, arguments["fresh"], task_vars)
                except AnsibleConnectionFailure as error:
                    problem = error
                    break  # nobody answers here
                if "login works" in answer.splitlines():
                    known = port or task_vars.get("ansible_ssh_port") or task_vars.get("ansible_port")
                    return dict(user=user, connect_port=known, **described(answer)), [], None
                tried.append("%s%s: %s" % (user, " at port %d" % port if port else "", answer.strip()[-200:]))
        return None, tried, problem

    def _probe(self, user: str, port: int, fresh: bool, task_vars: dict) -> str:
        """What the host answers to a user; the refusal where it does not let him in."""
        connection = self._connection_as(user, port, fresh, task_vars)
        known = task_vars.get("ansible_become_password") or self._play_context.become_pass
        password = "yes" if known else "no"
        command = "/bin/sh -c " + shlex.quote(PROBE.replace("PASSWORD", password) + self._names)
        try:
            code, out, err = connection.exec_command(command, in_data=None, sudoable=False)
        except (AnsibleAuthenticationFailure, AnsibleConnectionFailure) as error:
            if not REFUSAL.search(str(error)):
                raise
            return str(error)
        finally:
            connection.close()
        return "logged in, but `sudo -n true` fails" if code == 77 else to_text(out + err)

    def _connection_as(self, user: str, port: int, fresh: bool, task_vars: dict) -> ConnectionBase:
        """The task's connection as another user, and not through an open one where it is to be fresh."""
        play_context = self._play_context.copy()
        play_context.remote_user = user
        connection = connection_loader.get(self._connection.ansible_name, play_context)
        variables = dict(task_vars, **dict.fromkeys(variables_of(connection, "remote_user"), user))
        if port:
            play_context.port = port
            variables.update(dict.fromkeys(variables_of(connection, "port"), port))
        names = set(variables) & set(C.config.get_plugin_vars("connection", connection._load_name))
        options = {name: self._templar.template(variables[name]) for name in names}
        connection.set_options(task_keys={"timeout": play_context.timeout}, var_options=options)
        if fresh:  # ssh takes the first of two values, so that these come before all others
            connection.set_option("ssh_args", ALONE + (connection.get_option("ssh_args") or ""))
        return connection


def variables_of(connection: ConnectionBase, option: str) -> list:
    """All names of an option in an inventory; ansible_ssh_user, the old one, wins over ansible_user."""
    options = C.config.get_configuration_definitions("connection", connection._load_name)
    return [about["name"] for about in options.get(option, {}).get("vars", [])]


def described(answer: str) -> dict:
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
        missing=[name for name in missing if name != "git"],
        git="git" not in missing,
        cloud_init="cloud_init" in values,
        authorized_keys="\n".join(values.get("key", [])),
        **read_names(values),
    )
