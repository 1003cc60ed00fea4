# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release that is really built: from its repository, with its environment, by commands in the sandbox."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PIP, UV

SHOP = """
import os

from flask import Flask, render_template_string
from flask_assets import Bundle, Environment

assert "TOKEN" not in os.environ and not os.path.exists(".env")
if not os.path.exists("logs"):
    os.mkdir("logs")
open("logs/started", "w").close()
app = Flask(__name__)
Environment(app).register("css", Bundle("one.css", "two.css", output="gen/all.css"))
"""
FILES = {
    "shop.py": SHOP, "requirements.txt": "Flask==3.0.3\nFlask-Assets==2.1.0\n", "static/one.css": "body {}\n", "static/two.css": "p {}\n",
}


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    identity = ["-c", "user.name=ana", "-c", "user.email=ana@example.com"]
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], [*identity, "commit", "-qm", "v1"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


@pytest.fixture
def build(run, kept, repository, tmp_path, monkeypatch):
    """Builds the release of an application."""
    monkeypatch.setattr(UV + ".TOOLS", str(kept("uv", [sys.executable, *PIP, "--target", "FOLDER", "uv"])))
    monkeypatch.setattr(UV + ".LOCK", str(tmp_path / "uv.lock"))
    root = tmp_path / "srv"
    for name in ("releases", "venvs", "slots", "shared", "cache", "deployment"):
        (root / name).mkdir(parents=True)
    (root / "shared/.env").write_text("TOKEN=never-shown\n")
    about = dict(name="root", root=str(root), log=str(tmp_path), repo=repository.as_uri(), entrypoint="shop:app", shared=["logs"],
                 cache=str(root / "cache"), python=os.path.realpath(sys.executable), session="ana-1", owner=dict(id="ana-1"))
    return lambda **options: run("flask_build", **dict(about, **options))


@pytest.mark.needs_root
def test_what_an_application_would_write_at_its_first_request_is_made_before(build, tmp_path):
    release = build(commands=["flask assets build && cat logs/started", "! cat .env"])
    assert not release.get("failed"), release["msg"]
    folder = Path(release["path"])
    assert "body {}" in (folder / ".public/static/gen/all.css").read_text()
    assert os.listdir(tmp_path / "srv/shared/logs") == []
