# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requirements from git that uv really reads, also private ones, and versions that come from git."""

from __future__ import annotations

import base64
import http.server
import os
import subprocess
import tempfile
import threading

import pytest
from test_forms import IDNA

pytestmark = pytest.mark.needs_root

TOKEN = "never-shown-4f1c9d"
LIBRARY = """
[project]
name = "library"
version = "1"
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
BACKEND = """
import zipfile


def build_wheel(folder, *ignored):
    name = "library-1-py3-none-any.whl"
    with zipfile.ZipFile(folder + "/" + name, "w") as file:
        file.write("library.py")
        file.writestr("library-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: library\\nVersion: 1\\n")
        file.writestr("library-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        file.writestr("library-1.dist-info/RECORD", "library.py,,\\n")
    return name
"""
SCM = """
[project]
name = "my.shop"
dynamic = ["version"]
[build-system]
requires = ["setuptools", "setuptools-scm"]
build-backend = "setuptools.build_meta"
[tool.setuptools]
py-modules = []
[tool.setuptools_scm]
"""


@pytest.fixture
def library(tmp_path):
    """A git repository with a package, and the folder that it is in."""
    folder = tmp_path / "git/library"
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(LIBRARY)
    (folder / "library.py").write_text("CODE = 1\n")
    (folder / "backend.py").write_text(BACKEND)
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], [*who, "commit", "-q", "-m", "1"], ["update-server-info"]):
        subprocess.run(["git", "-C", folder, *command], check=True)
    return folder


@pytest.fixture
def private(library):
    """A web server with the repository, for those who know the token; its address."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(library.parent))

        def do_GET(self):
            said = base64.b64decode(self.headers.get("Authorization", "Basic ").split(" ")[1]).decode()
            if TOKEN in said:
                super().do_GET()
            else:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.end_headers()

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield "127.0.0.1:%d/library/.git" % server.server_port
    server.shutdown()


def test_what_is_editable_and_in_git_is_installed_beside_hashes(furnish, library, packages):
    result = furnish({"requirements.txt": "-e git+file://%s@main#egg=library\nidna==3.7 --hash=%s\n" % (library, IDNA)})
    assert not result.get("failed"), result["msg"]
    assert packages(result["path"]) == "idna==3.7 library==1"


@pytest.mark.parametrize("way", ["a variable", "the line", "the application's own"])
def test_a_private_repository_is_read_and_no_log_has_the_token(way, furnish, private, packages):
    user = {"a variable": "${TOKEN}@", "the line": "me:%s@" % TOKEN}.get(way, "")
    options = {"a variable": dict(requirements_env={"TOKEN": TOKEN})}.get(way, {})
    files = {"requirements.txt": "library @ git+http://%s%s\n" % (user, private)}
    if way == "the application's own":
        options["repo"] = "http://me:%s@%s" % (TOKEN, private.replace("library", "shop"))
    result = furnish(files, **options)
    assert not result.get("failed"), result["msg"]
    assert packages(result["path"]) == "library==1"
    assert TOKEN not in str({name: value for name, value in result.items() if name != "invocation"})
    for folder, dummy, names in os.walk(result["path"]):
        assert not any(TOKEN.encode() in open(os.path.join(folder, name), "rb").read() for name in names if name != "python")


SSH = """#!/bin/sh
while [ "${1#git@}" = "$1" ]; do [ "$1" != -i ] || cat "$2" >%(seen)s; shift; done
shift
eval "$@"
"""


def test_the_deploy_key_opens_what_is_read_by_ssh(furnish, library, tmp_path, monkeypatch):
    program, seen = tmp_path / "bin/ssh", tmp_path / "seen"
    program.parent.mkdir()
    program.write_text(SSH % dict(seen=seen))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    result = furnish({"requirements.txt": "git+ssh://git@git.example.com%s@main#egg=library\n" % library}, key="the key " + TOKEN)
    assert not result.get("failed"), result["msg"]
    assert seen.read_text() == "the key %s\n" % TOKEN
    assert not list(tmp_path.glob("selfhost-*"))


def test_a_private_repository_without_a_token_says_what_to_set(furnish, private):
    message = furnish({"requirements.txt": "library @ git+http://%s\n" % private})["msg"]
    assert "A git repository among the requirements is private. By ssh, flask_deploy_key has to be" in message


def test_a_version_that_comes_from_git_is_the_releases(furnish, packages):
    result = furnish({"requirements.txt": ".\n", "pyproject.toml": SCM}, scm_version="1.4")
    assert not result.get("failed"), result["msg"]
    assert "my.shop==1.4" in packages(result["path"]).replace("-", ".").replace("_", ".")
