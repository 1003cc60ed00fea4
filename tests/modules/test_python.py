# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Python that uv really fetches, from a mirror: a small archive that starts the one of the tests."""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import sys
import tarfile
from pathlib import Path

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.build import pythons

VERSION = "%d.%d" % sys.version_info[:2]
SYSCONFIG = "# system configuration generated and used by the sysconfig module\nbuild_time_vars = {}\n"
PATCH = 77  # none that there is
KEY = "cpython-%s.%d-linux-%s-gnu" % (VERSION, PATCH, platform.machine())


@pytest.fixture
def mirror(tmp_path):
    """A list of Pythons, with one in it; as a function of what its archive's checksum is said to be."""
    archive = tmp_path / "mirror/python.tar.gz"
    archive.parent.mkdir()
    files = {
        "bin/python" + VERSION: '#!/bin/sh\nexec %s "$@"\n' % os.path.realpath(sys.executable),
        "lib/python%s/_sysconfigdata__linux_%s-linux-gnu.py" % (VERSION, platform.machine()): SYSCONFIG,
    }
    with tarfile.open(archive, "w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo("python/" + name)
            member.size, member.mode = len(text), 0o777
            tar.addfile(member, io.BytesIO(text.encode()))
    return write_list(tmp_path / "mirror/list.json", archive)


def write_list(path: Path, archive: Path) -> Path:
    about = dict(
        name="cpython", arch=dict(family=platform.machine(), variant=None), os="linux", libc="gnu", major=3,
        minor=sys.version_info[1], patch=PATCH, prerelease="", variant=None, build="20260101", url=archive.as_uri(),
        sha256=hashlib.sha256(archive.read_bytes()).hexdigest(),
    )
    path.write_text(json.dumps({KEY: about}))
    return path


@pytest.mark.needs_root
def test_a_python_is_fetched_from_a_mirror_and_the_environment_made_with_it(furnish, mirror, tmp_path, monkeypatch, packages):
    monkeypatch.setattr(pythons, "FOLDER", str(tmp_path / "python"))
    monkeypatch.setattr(pythons, "SYSTEM_PYTHON", os.path.realpath(sys.executable))
    files = {"requirements.txt": "idna==3.7\n"}
    message = furnish(files, python="3.8.99", python_downloads=str(mirror))["msg"]
    assert "asks for Python 3.8.99, which uv does not have for this host. It has %s.%d." % (VERSION, PATCH) in message
    result = furnish(files, python="%s.%d" % (VERSION, PATCH), python_downloads=str(mirror))
    assert not result.get("failed"), result["msg"]
    assert packages(result["path"]) == "idna==3.7"
    modes = {path.stat().st_mode & 0o022 for path in (tmp_path / "python").rglob("*")}
    assert (tmp_path / "python" / KEY / "bin").is_dir() and modes == {0}
    mirror.write_text(mirror.read_text().replace('"sha256": "', '"sha256": "00'))
    (tmp_path / "python" / KEY / "bin" / ("python" + VERSION)).unlink()
    (tmp_path / "releases/v1/requirements.txt").write_text("idna==3.6\n")
    assert "can't be fetched" in furnish({}, python="%s.%d" % (VERSION, PATCH), python_downloads=str(mirror))["msg"]
