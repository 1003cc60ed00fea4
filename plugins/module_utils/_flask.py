# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The flask command of an application, in its virtual environment."""

from __future__ import annotations

import json
import os
import re
from urllib.parse import quote, quote_plus, urlsplit

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils._dotenv import parse

OPTIONS = dict(
    chdir=dict(type="path", required=True),
    app=dict(type="str", required=True),
    virtualenv=dict(type="path"),
)
LAST_LINES = 20
SECRET_KEY = re.compile("secret|key|pass|token|ur[il]|dsn|salt|credential", re.I)

# Starts the application as the flask command does. What it prints itself does not matter: the answer
# stands between the marks.
PRELUDE = r"""
import json, os, re, sys
from flask.cli import ScriptInfo, load_dotenv

def answer(**values):
    print("\n<answer>%s</answer>" % json.dumps(values), flush=True)

load_dotenv()
sys.path.insert(0, os.getcwd())
app = ScriptInfo(os.environ["FLASK_APP"]).load_app()
"""


class Result:
    """Exit code and output of a command."""

    def __init__(self, command: list, code: int, out: str, err: str) -> None:
        self.command = command
        self.code = code
        self.out = out
        self.err = err

    def answers(self) -> list:
        """What a script on top of PRELUDE answered."""
        return [json.loads(text) for text in re.findall(r"<answer>(.*?)</answer>", self.out, re.S)]

    def last_lines(self) -> str:
        return "\n".join((self.err.strip() or self.out.strip()).splitlines()[-LAST_LINES:])


class Flask:
    """An application and the ways to ask it something."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.folder = module.params["chdir"]
        self.virtualenv = module.params["virtualenv"] or os.path.join(self.folder, ".venv")
        for path in (self.folder, os.path.join(self.virtualenv, "bin", "python")):
            if not os.path.exists(path):
                module.fail_json(msg="%s does not exist. Deploy a release first." % path)
        module.no_log_values.update(secrets(os.path.join(self.folder, ".env")))

    def command(self, *arguments: str) -> Result:
        """`flask` with arguments."""
        return self._run([os.path.join(self.virtualenv, "bin", "flask")] + list(arguments))

    def script(self, code: str, *arguments: str) -> Result:
        """Python code in the application's environment; PRELUDE has made `app`."""
        return self._run([os.path.join(self.virtualenv, "bin", "python"), "-c", PRELUDE + code] + list(arguments))

    def _run(self, command: list) -> Result:
        environment = {"FLASK_APP": self.module.params["app"], "LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "utf-8"}
        prefix = os.path.join(self.virtualenv, "bin")
        code, out, err = self.module.run_command(
            command, cwd=self.folder, path_prefix=prefix, environ_update=environment
        )
        return Result(command, code, out, err)

    def fail(self, what: str, result: Result, **values: object) -> None:
        """Fails with what was tried, how it ended and what it said last."""
        self.module.fail_json(
            msg="%s It ended with exit code %d:\n%s" % (what, result.code, result.last_lines()),
            rc=result.code,
            **values,
        )


def secrets(path: str) -> set:
    """The values of a .env file that no output may show, also as they look inside a URL."""
    try:
        with open(path, encoding="utf-8") as file:
            pieces = parse(file.read())
    except OSError:
        return set()
    found = {piece.value for piece in pieces if SECRET_KEY.search(piece.key)}
    for value in list(found):
        if "://" in value:
            found.discard(value)
            found.add(_password(value))
    found |= {form(value, safe="") for value in found for form in (quote, quote_plus)}
    return {value for value in found if len(value) > 3}


def _password(url: str) -> str:
    try:
        return urlsplit(url).password or ""
    except ValueError:
        return url
