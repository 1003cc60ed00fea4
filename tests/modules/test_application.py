# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""flask_info and flask_command; and a module as Ansible itself sends and logs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import ansible_collections.selfhost.flask
import pytest

COLLECTIONS = Path(ansible_collections.selfhost.flask.__path__[0]).parents[2]


def test_info_says_what_the_application_is(run, release):
    result = run("flask_info", **release.arguments())
    assert result["changed"] is False and result["import_name"] == "shop" and result["migrations"] is True
    assert {"db", "fail", "routes", "run", "shell", "translate"} <= set(result["commands"])
    assert {"rule": "/hello/<name>", "methods": ["GET", "POST"], "endpoint": "hello"} in result["routes"]
    assert "SECRET_KEY" in result["config_keys"] and "never-shown" not in str(result)
    assert {"babel", "migrate", "sqlalchemy"} <= set(result["extensions"])
    assert result["static_folder"] == str(release.path / "shop/static")
    assert result["python_version"] == "%d.%d.%d" % sys.version_info[:3]


def test_info_of_an_application_without_anything(run, release):
    result = run("flask_info", **release.arguments("plain:app"))
    assert (result["migrations"], result["extensions"], result["static_url_path"]) == (False, [], "/static")


def test_command_creates_something_once(run, release):
    arguments = release.arguments(argv=["db", "init", "-d", "more"], creates="more/env.py")
    results = [run("flask_command", _ansible_check_mode=check, **arguments)
               for check in (True, False, False, True)]
    assert [result["changed"] for result in results] == [True, True, False, False]


def test_command_hides_a_secret_in_its_failure(run, release):
    result = run("flask_command", **release.arguments(argv=["fail"]))
    assert "`flask fail` ended with exit code 1" in result["msg"] and "the key is ****" in result["msg"]


SECRET = "never-shown-p%4$#'\"@/ :\\w"
SENT = {
    "flask_db": ({"chdir": "%s", "app": "shop:create_app()"}, "apply b2 posts"),
    "dotenv": ({"path": "%s/.env", "values": {"PASSWORD": SECRET}, "generate": ["MADE"]}, "+PASSWORD=<hidden>"),
}


@pytest.mark.parametrize("module", SENT)
def test_nothing_secret_leaves_the_host(module, release, tmp_path):
    """The module as Ansible sends it, with everything logged that can be."""
    arguments, shown = SENT[module]
    arguments = {key: value % release.path if isinstance(value, str) and "%s" in value else value
                 for key, value in arguments.items()}
    (tmp_path / "ansible.cfg").touch()
    environment = dict(os.environ, ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS), ANSIBLE_HOME=str(tmp_path / "home"),
                       ANSIBLE_CONFIG=str(tmp_path / "ansible.cfg"), ANSIBLE_STDOUT_CALLBACK="minimal")
    argv = [os.path.join(os.path.dirname(sys.executable), "ansible"), "localhost", "-i", "localhost,", "-c", "local",
            "-e", "ansible_python_interpreter=" + sys.executable, "-vvv", "--diff",
            "-m", "selfhost.flask." + module, "-a", json.dumps(arguments)]
    result = subprocess.run(argv, env=environment, capture_output=True, text=True)
    output = result.stdout + result.stderr
    assert result.returncode == 0 and '"changed": true' in output and shown in output, output
    made = [line.partition("=")[2] for line in (release.path / ".env").read_text().splitlines()][2:]
    assert [secret for secret in ["never-shown"] + made if secret in output] == []
