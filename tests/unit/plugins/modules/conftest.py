# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules' unit tests share: a release, a host, and commands that are not really run."""

from __future__ import annotations

import getpass
import grp
import json
import os
import pwd

import pytest
from ansible.module_utils.basic import AnsibleModule


ANA = dict(id="ana-1", owner="ana@laptop", machine="a1", process=1, started="now")


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


@pytest.fixture
def application(remote):
    """A repository with a version of the application."""
    (remote.folder / "requirements.txt").write_text("flask\n")
    remote.commit("README", blog="app = 1\n")
    return remote


@pytest.fixture
def here(monkeypatch):
    """The application's user is whoever runs the tests, and what is installed is made without a network."""
    from ansible_collections.selfhost.flask.plugins.module_utils.build import installation

    me, mine = pwd.getpwnam(getpass.getuser()), grp.getgrgid(os.getgid())
    monkeypatch.setattr(pwd, "getpwnam", lambda name: me)
    monkeypatch.setattr(grp, "getgrnam", lambda name: mine)

    def install(making):
        os.makedirs(making.path + "/bin")
        open(making.path + "/bin/python", "w", encoding="ascii").close()

    monkeypatch.setattr(installation.Installation, "make", install)


@pytest.fixture
def build(run, host, application, here, monkeypatch):
    """Runs flask_build for ana."""
    from ansible_collections.selfhost.flask.plugins.module_utils.deployment import session as beginning

    host.backups.mkdir()
    monkeypatch.setattr(beginning, "BACKUPS", str(host.backups))
    monkeypatch.setattr(beginning, "database_of", lambda site: host.database)
    files = [{"dest": str(host.root / "serve"), "content": "run blog\n", "mode": "0755"}]

    def build(**arguments):
        about = {name: value for name, value in host.about().items() if name in ("name", "root", "log")}
        options = dict(about, repo=application.url, entrypoint="blog:app", cache="/nowhere", owner=ANA, disk_free=0, files=files,
                       settings={"values": {"PLACE": "releases"}, "generate": ["SECRET_KEY"]},
                       serve={"config": [str(host.root / "shared/.env"), str(host.root / "serve")]})
        return run("flask_build", **dict(options, **arguments))

    return build


@pytest.fixture
def update(build, deploy, host):
    """Both modules of an update; what the first one returned."""

    def update(**arguments):
        release = build(**arguments)
        if not release["served"]:
            config = [str(host.root / "shared/.env"), str(host.root / "serve")]
            deploy(release["path"], session=release["session"], config=config)
        return release

    return update
