# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environments that uv really makes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.build import uv
from conftest import PIP

PROJECT = """
[project]
name = "shop"
version = "1"
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[tool.setuptools.packages.find]
where = ["src"]
"""
OLD_FLASK = "Flask==2.0.1\nWerkzeug==2.0.1\nSQLAlchemy<2\nFlask-SQLAlchemy==2.5.1\nFlask-Migrate==3.1.0\n"
MIGRATING = """
from flask import Flask
from flask_migrate import Migrate

app = Flask(__name__)
Migrate(app, object())
"""


@pytest.fixture
def venv(kept, run, tmp_path, monkeypatch):
    """Makes the environment of a release, which has these files; the release's folder."""
    tools = kept("uv", [sys.executable, *PIP, "--target", "FOLDER", "uv"])
    monkeypatch.setattr(uv, "TOOLS", str(tools))
    monkeypatch.setattr(uv, "LOCK", str(tmp_path / "uv.lock"))
    (tmp_path / "venvs").mkdir()

    def venv(name, requirements, **files):
        folder = tmp_path / "releases" / name
        for file, text in {"requirements.txt": requirements, **files}.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text or "")
            if text is None:
                (folder / file).unlink()
        about = dict(root=str(tmp_path), release=str(folder), user="root", cache=str(tmp_path / "cache"))
        result = run("flask_venv", **about, python=os.path.realpath(sys.executable))
        assert not result.get("failed"), result["msg"]
        return folder

    return venv


def code(folder):
    """What the application's code says that it is."""
    program = [str(folder / ".venv/bin/python"), "-c", "import shop; print(shop.CODE)"]
    return subprocess.run(program, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.needs_root
@pytest.mark.parametrize("requirement", ["-e .", "."])
def test_a_version_has_its_own_code_also_when_the_one_before_it_is_gone(requirement, venv):
    first, second = (
        venv(name, requirement, **{"pyproject.toml": PROJECT, "src/shop/__init__.py": "CODE = '%s'" % name})
        for name in ("v1", "v2")
    )
    assert (code(first), code(second)) == ("v1", "v2")
    shutil.rmtree(first)
    assert code(second) == "v2"


@pytest.mark.needs_root
@pytest.mark.skipif(sys.version_info >= (3, 13), reason="Flask 2.0 needs what Python 3.13 has no more")
def test_an_old_flask_finds_its_commands(venv):
    folder = venv("v1", OLD_FLASK, **{"app.py": MIGRATING})
    program = [str(folder / ".venv/bin/flask"), "db", "--help"]
    done = subprocess.run(program, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, "upgrade" in done.stdout) == (0, True), done.stderr


@pytest.mark.needs_root
@pytest.mark.parametrize("files", [
    {"pyproject.toml": PROJECT + "\n"},
    {"pyproject.toml": PROJECT, "uv.lock": "version = 1\nrequires-python = '>=3.8'\n[[package]]\nname = 'shop'\nversion = '1'\nsource = { editable = '.' }\n"},
], ids=["project", "lock"])
def test_a_project_with_its_code_in_src_is_installed(files, venv):
    files = dict(files, **{"pyproject.toml": files["pyproject.toml"].replace('version = "1"', 'version = "1"\ndependencies = []')})
    folder = venv("v1", None, **files, **{"src/shop/__init__.py": "CODE = 'mine'"})
    assert code(folder) == "mine"
