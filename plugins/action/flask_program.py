# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows what the application's own program prints, as it prints it; documented with the module of this name."""

from __future__ import annotations

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.selfhost.flask.plugins.plugin_utils._progress import progress_of

SPEC = dict(name=dict(type="str", required=True), command=dict(type="str", required=True), changes=dict(type="bool", default=True))
PROGRAM = "/usr/local/sbin/flask-%s %s"
FAILED = "`flask-%s %s` ended with exit code %s on %s. What it printed is above. %s"
UNKNOWN_OF_FLASK = (
    "The application has no such command. To see those that it has, run `selfhost.flask.run -e flask_command=--help`."
)
UNKNOWN = "The server does not have it yet. Run `selfhost.flask.site`, which installs it."


class ActionModule(ActionBase):
    """Runs a command of it on the host. No format of results shows lines as they are."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict | None = None) -> dict:
        result = super().run(tmp, task_vars)
        dummy, arguments = self.validate_argument_spec(argument_spec=SPEC)
        name, command, host = arguments["name"], arguments["command"], task_vars["inventory_hostname"]
        if self._task.check_mode and arguments["changes"]:
            return dict(result, skipped=True, skip_reason="In check mode, nothing is run that may change something")
        asked = dict(cmd=PROGRAM % (name, command), expand_argument_vars=False)
        self._task.check_mode, checked = False, self._task.check_mode
        with progress_of(self, task_vars):
            ran = self._execute_module("ansible.builtin.command", asked, task_vars=task_vars)
        self._task.check_mode = checked
        if "rc" not in ran or "module_stdout" in ran:  # it was not run: Ansible says why
            return dict(result, **ran)
        lines = [printable(line) for text in (ran.get("stdout", ""), ran.get("stderr", "")) for line in text.splitlines()]
        Display().display("\n".join(["", "%s (%s)" % (host, name), *("  " + line for line in lines or ["It printed nothing."])]))
        result.update(changed=arguments["changes"], rc=ran["rc"])
        if ran["rc"]:
            said = FAILED % (name, command, ran["rc"], host, advice(command, ran))
            return dict(result, failed=True, msg=said.strip())
        return dict(result, lines=lines)


def printable(line: str) -> str:
    """A line without what a terminal would obey: a visitor may have written it to a log."""
    return "".join(one if one.isprintable() or one == "\t" else "\ufffd" for one in line)


def advice(command: str, ran: dict) -> str:
    """What to do about a command that is not there; else its own words say it."""
    unknown = "No such command" in ran.get("stderr", "")
    if unknown and command.startswith("flask "):
        return UNKNOWN_OF_FLASK
    is_absent = ran["rc"] == 2 and ran.get("msg", "").startswith(("[Errno 2]", "Error executing command"))
    return UNKNOWN if unknown or is_absent else ""
