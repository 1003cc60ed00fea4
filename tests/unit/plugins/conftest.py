# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plugins' tests share: git repositories, servers, and that a module runs on a host."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from servers import Application, Supervisor

IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Ana"), ("EMAIL", "ana@example.com"), ("DATE", "2024-01-01T12:00:00Z"))
}


@pytest.fixture
def root(tmp_path):
    """An application's folder as its role makes it."""
    root = tmp_path / "srv/blog"
    for name in ("releases", "shared"):
        (root / name).mkdir(parents=True)
    return root


class Remote:
    """A real repository, with the few things that a developer does in one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = str(folder)
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", self.url, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, *files: str, **content: str) -> str:
        """Commits files: empty ones, and modules by their name and source; the commit."""
        for name, text in [(name, "") for name in files] + [(name + ".py", content[name]) for name in content]:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)
        return self.commit_all()

    def commit_all(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "Change")
        return self.git("rev-parse", "HEAD")


@pytest.fixture(autouse=True)
def on_a_host(monkeypatch):
    """A module's warnings are in its result, which they aren't where ansible itself was imported; and no other's are."""
    monkeypatch.setattr("ansible.module_utils._internal.is_controller", False)
    monkeypatch.setattr("ansible.module_utils.common.warnings._global_warnings", {})


@pytest.fixture(autouse=True)
def git_settings(monkeypatch):
    """Nothing of the developer's own settings; submodules may be folders."""
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_ALLOW_PROTOCOL": "file"}
    for name, value in {**IDENTITY, **settings}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def remote(tmp_path):
    """An empty repository."""
    return Remote(tmp_path / "remote")


@pytest.fixture
def another_remote(tmp_path):
    """One more, such as for a submodule."""
    return Remote(tmp_path / "another")


@pytest.fixture
def short_path():
    """A folder whose path is short enough for a socket in it."""
    with tempfile.TemporaryDirectory(prefix="test-") as folder:
        yield Path(folder)


@pytest.fixture
def serve(short_path):
    """Starts an application on a socket; it is stopped after the test."""
    running = []

    def serve(path=short_path / "app.sock", **answer):
        running.append(Application(str(path), **answer))
        return running[-1]

    yield serve
    for server in running:
        if os.path.exists(server.server_address):
            server.close()


@pytest.fixture
def supervisor(short_path):
    """A supervisor that runs nothing yet."""
    server = Supervisor(str(short_path / "supervisor.sock"))
    yield server
    server.close()


@pytest.fixture
def strict_umask():
    """The umask of a hardened image."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.fixture
def runuser(tmp_path, monkeypatch):
    """Runs a command as the one who runs the tests; the users that were asked for."""
    program, asked = tmp_path / "bin/runuser", tmp_path / "bin/users"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$2" >>%s\nshift 3\nexec "$@"\n' % asked)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    return lambda: set(asked.read_text().split())


@pytest.fixture
def blog(short_path, supervisor, runuser, monkeypatch):
    """An application with data, of which backups are made."""
    from backup_host import BackupHost, pretend  # imports the collection, which is found only now

    pretend(supervisor, monkeypatch)
    return BackupHost(short_path)


@pytest.fixture
def restic(blog, monkeypatch):
    """A program that answers as restic does, and the arguments that it got."""
    from backup_host import install_restic

    return install_restic(blog, monkeypatch)
