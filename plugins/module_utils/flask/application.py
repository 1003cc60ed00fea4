# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Flask application in its folder and virtual environment: its commands, and questions to it."""

from __future__ import annotations

import json
import os
import pwd
import re
from collections.abc import Iterator
from typing import NamedTuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.common import process
from ansible_collections.selfhost.flask.plugins.module_utils.common.secrets import pattern_of, secrets_of
from ansible_collections.selfhost.flask.plugins.module_utils.common.user_program import program_of
from ansible_collections.selfhost.flask.plugins.module_utils.flask.probe import (
    catalogues,
    commands,
    facts,
    history,
    inspection,
    loader,
    questions,
    watch,
)
from ansible_collections.selfhost.flask.plugins.module_utils.flask.sandbox import Sandbox
from ansible_collections.selfhost.flask.plugins.module_utils.site.settings import read_settings

OPTIONS = dict(
    chdir=dict(type="path", required=True),
    virtualenv=dict(type="path"),
    app=dict(type="str", required=True),
)
LAST_LINES = 20
FOREIGN = re.compile("LD_|PYTHON|FLASK_APP$")  # what root's own programs would read, or the task says
PROBE = (loader, watch, facts, history, inspection, commands, catalogues, questions)  # those that are imported first
SAID = ("problem", "why")  # what of an answer may have secrets in it


class Result(NamedTuple):
    """How a command ended, and what it printed, without secrets."""

    argv: list
    code: int
    out: str
    err: str


class ApplicationError(Exception):
    """What is wrong with an application, and what to do about it."""


def without_packages(lines: list) -> Iterator[str]:
    """What was said, without the lines of a traceback that lead through installed packages: they hide what came before."""
    inside = False
    for line in lines:
        if line.startswith('  File "'):
            inside = "/site-packages/" in line
        elif not line.startswith("    "):
            inside = False
        if not inside:
            yield line


class FlaskApp:
    """The application that a task is about."""

    def __init__(
        self, module: AnsibleModule, folder: str = "", user: str = "", sandbox: Sandbox | None = None,
        settings: dict | None = None,
    ) -> None:
        """The one in the task's folder, run by its user; or one in another folder, run by another user.

        Settings that are not in its .env yet win over those that are.
        """
        self.module = module
        self.name = module.params["app"]
        self.folder = folder or module.params["chdir"]
        self.venv = module.params.get("virtualenv") or os.path.join(self.folder, ".venv")
        # by its path: the environment's programs come first when it runs, and root must not run those
        self.prefix = [module.get_bin_path("runuser", required=True), "-u", user, "--"] if user else []
        if sandbox:
            user, self.prefix = sandbox.user, sandbox.prefix()
        self.environment = {"FLASK_APP": self.name, "LC_ALL": "C.UTF-8"}
        if user:
            self.environment["HOME"] = pwd.getpwnam(user).pw_dir
        self._check_paths()
        self.environment.update(usable(settings or {}))
        self.settings = dict(self._read_env(), **(settings or {}))
        if user and self.settings.get("HOME"):  # that of its programs
            self.environment["HOME"] = self.settings["HOME"]
        self.secrets = secrets_of(self.settings, (self.folder, self.venv, self.name, self.environment.get("HOME", "")))
        self.pattern = pattern_of(self.secrets)

    def _check_paths(self) -> None:
        if not os.path.isdir(self.folder):
            self.module.fail_json(msg="%s is no folder. Set chdir to the application's." % self.folder)
        for name in ("python", "flask"):
            if not os.path.exists(self.program(name)):
                self.module.fail_json(
                    msg="%s is missing. Install Flask in that virtual environment, or set virtualenv to the "
                    "one that has it." % self.program(name)
                )

    def _read_env(self) -> dict:
        path = os.path.join(self.folder, ".env")
        try:
            return read_settings(path)
        except OSError as error:
            self.module.fail_json(
                msg="%s can't be read (%s). Run the task as the application's user." % (path, error.strerror)
            )

    def program(self, name: str) -> str:
        return os.path.join(self.venv, "bin", name)

    def run(self, *argv: str) -> Result:
        """Runs a program of the virtual environment in the application's folder."""
        result = self._run(list(argv))
        return result._replace(out=self.mask(result.out), err=self.mask(result.err))

    def run_line(self, line: str) -> Result:
        """Runs a line for the shell there, with the settings of .env in its environment."""
        result = self._execute(["/bin/sh", "-c", line], dict(usable(self.settings), **self.environment))
        return Result([line], result.code, self.mask(result.out), self.mask(result.err))

    def _run(self, argv: list, data: str | None = None) -> Result:
        return self._execute([self.program(argv[0])] + argv[1:], self.environment, data)._replace(argv=argv)

    def _execute(self, argv: list, environment: dict, data: str | None = None) -> Result:
        code, out, err = self.module.run_command(
            self.prefix + argv,
            cwd=self.folder,
            data=data,
            pass_fds=process.held,
            path_prefix=os.path.join(self.venv, "bin"),
            environ_update=environment,
            expand_user_and_vars=False,  # $PATH in the sandbox's script is not root's
        )
        return Result(argv, code, out, err)

    def ask(self, question: str, **arguments: object) -> dict:
        """The answer to one of the probe's questions; the module fails where there is none."""
        answer = self.answer(question, **arguments)
        if "problem" in answer:
            self.module.fail_json(msg=answer["problem"])
        return answer

    def answer(self, question: str, **arguments: object) -> dict:
        """The same from the application's own interpreter, or the problem with it."""
        result = self._run(["python", "-", question, json.dumps(arguments, sort_keys=True)], data=program_of(*PROBE))
        if result.code != 0:
            advice = "The application %s does not start. Fix that first." % self.name
            return {"problem": self.report(result, advice)}
        answer = json.loads(result.out.splitlines()[-1])
        return {key: self.mask(value) if key in SAID else value for key, value in answer.items()}

    def load(self, question: str = "load", **arguments: object) -> dict:
        """The same from within a change that has been begun: ApplicationError where there is a problem."""
        answer = self.answer(question, **arguments)
        if "problem" in answer:
            raise ApplicationError(answer["problem"])
        return answer

    def fail(self, result: Result, advice: str, **returned: object) -> None:
        """Ends the module with a report of a command that failed."""
        self.module.fail_json(msg=self.report(result, advice), rc=result.code, **returned)

    def report(self, result: Result, advice: str) -> str:
        """What a command said last, and what to do about it."""
        lines = list(without_packages(self.mask(result.out + "\n" + result.err).strip().splitlines()))[-LAST_LINES:]
        head = "`%s` ended with exit code %d. %s" % (" ".join(result.argv), result.code, advice)
        return "\n".join([head] + lines)

    def mask(self, text: str) -> str:
        """A text without the secrets of .env."""
        return self.pattern.sub("********", text)


def usable(settings: dict) -> dict:
    """Those that may be in the environment of the program that changes the user, and that .env would have set, too."""
    return {key: value for key, value in settings.items() if key not in os.environ and not FOREIGN.match(key)}
