# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A slot that runs: gunicorn of any version, with the role's own configuration."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from deployments import ROLES
from live_site import wait_for


def environment_with(version: str, kept: Callable) -> Path:
    """A virtual environment with this version of gunicorn, which is kept for the next run."""
    packages = ["gunicorn==" + version, "python-dotenv==1.2.1", "setuptools<81"]
    install = ["FOLDER/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
    return kept(" ".join(packages), [sys.executable, "-m", "venv", "FOLDER"], install)


def listens(path: Path) -> bool:
    """Whether a server accepts connections to a socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(path)) == 0


@contextlib.contextmanager
def live_slot(folder: Path, venv: Path, application: str, settings: str) -> Iterator[subprocess.Popen]:
    """The process, which listens to the socket blue.sock and writes to the file log in the folder."""
    (folder / "gate").mkdir()
    shutil.copy(ROLES / "deployment/files/gate.py", folder / "gate")
    (folder / "wsgi.py").write_text(application)
    (folder / "gunicorn.conf.py").write_text(settings)
    argv = [venv / "bin/gunicorn", "--config", folder / "gunicorn.conf.py", "--bind", "unix:%s" % (folder / "blue.sock"), "wsgi:app"]
    environment = {**os.environ, "FLASK_SLOT": "blue", "FLASK_RELEASE": "v1"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(argv, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        wait_for(lambda: listens(folder / "blue.sock"), "socket")
        yield process
    finally:
        process.kill()
        process.wait()
