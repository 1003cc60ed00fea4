# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules' unit tests share: a release, a host, and commands that are not really run."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.basic import AnsibleModule


class Commands:
    """Stands for run_command: answers one call after the other, and remembers them."""

    def __init__(self):
        self.answers = []
        self.argv = []
        self.options = []

    def expect(self, *answers):
        """Exit code, output and error of each call; a dict is what the application answers."""
        for answer in answers:
            self.answers.append((0, json.dumps(answer) + "\n", "") if isinstance(answer, dict) else answer)

    def __call__(self, module, argv, **options):
        self.argv.append(argv)
        self.options.append(options)
        return self.answers.pop(0)


@pytest.fixture
def commands(monkeypatch):
    """The commands that a module runs; nothing is really run."""
    recorded = Commands()
    monkeypatch.setattr(AnsibleModule, "run_command", lambda self, argv, **kw: recorded(self, argv, **kw))
    return recorded


@pytest.fixture
def warnings(monkeypatch):
    """What modules warn of."""
    found = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda self, text: found.append(text))
    return found


@pytest.fixture
def release(tmp_path):
    """A release's folder with the programs that a virtual environment has."""
    (tmp_path / ".venv/bin").mkdir(parents=True)
    for name in ("python", "flask"):
        (tmp_path / ".venv/bin" / name).touch()
    return tmp_path


@pytest.fixture
def without_git(monkeypatch):
    """A host that does not have it yet."""

    def missing(*dummy, **ignored):
        raise ValueError

    monkeypatch.setattr("ansible.module_utils.basic.get_bin_path", missing)


@pytest.fixture
def host(short_path, supervisor, serve, monkeypatch):
    """A host on which nothing is served yet."""
    from deployment_host import DeploymentHost  # imports the collection, which is found only now

    return DeploymentHost(short_path / "blog", supervisor, serve, monkeypatch)


@pytest.fixture
def deploy(run, host):
    """Runs flask_deployment for a release."""

    def deploy(release, **arguments):
        options = dict(host.about(), release=str(host.root / "releases" / release), version=release)
        return run("flask_deployment", **dict(options, **arguments))

    return deploy
