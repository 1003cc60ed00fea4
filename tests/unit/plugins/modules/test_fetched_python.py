# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An environment with a Python that the host doesn't have: which one uv is asked for, and what becomes of it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.build import pythons, uv

CHECK = {"_ansible_check_mode": True}


def listed(*names):
    """As `uv python list --output-format json` says it."""
    found = []
    for name in names:
        implementation, version, rest = name.split("-", 2)
        variant = "freethreaded" if "+freethreaded" in version else "default"
        found.append(dict(key=name, version=version.partition("+")[0], implementation=implementation, variant=variant))
    return found


LINUX = "-linux-x86_64-gnu"
OFFERED = listed(*(name + LINUX for name in (
    "cpython-3.13.0rc1", "cpython-3.12.11+freethreaded", "pypy-3.12.99", "cpython-3.12.11", "cpython-3.12.9", "cpython-3.10.18",
)))


class Host:
    """Stands for the programs: the system's Python is 3.11.2, uv fetches others, and pip has uv."""

    def __init__(self, tools, folder):
        self.tools, self.folder = tools, folder
        self.offered = OFFERED
        self.ran = []
        self.variables = []
        self.failing = ()

    def run_command(self, module, argv, environ_update=None, **ignored):
        if argv[1] == "-c":
            return 0, "cpython-311 linux-x86_64\n3.11.2\n", ""
        if argv[-1] == "--version":
            return (0, "", "") if os.path.exists(argv[0]) else (1, "", "")
        command = " ".join(argv)
        self.ran.append(command)
        self.variables.append(environ_update or {})
        if any(word in command for word in self.failing):
            return 1, "", "no route to host"
        if "list" in argv:
            wanted = argv[-1] if argv[-1] != "json" else ""
            return 0, json.dumps([one for one in self.offered if (one["version"] + ".").startswith(wanted + "." if wanted else "")]), ""
        self.make(argv)
        return 0, "", ""

    def make(self, argv):
        made = None
        if "--target" in argv:
            made = Path(argv[-2], "bin/uv")
        elif "python" in argv and "install" in argv:
            made = self.folder / ("cpython-%s%s/bin/python%s" % (argv[-1], LINUX, argv[-1].rpartition(".")[0]))
            self.folder.joinpath(".lock").touch()
        elif "venv" in argv:
            made = Path(argv[-1], "bin/python")
        if made:
            made.parent.mkdir(parents=True)
            if "venv" in argv:
                made.symlink_to(argv[-2])
            else:
                made.touch(0o755)

    def fetched(self):
        return [command.split()[-1] for command in self.ran if " python install " in command]


@pytest.fixture
def host(monkeypatch, tmp_path):
    host = Host(tmp_path / "tools", tmp_path / "python")
    monkeypatch.setattr(AnsibleModule, "run_command", lambda module, *args, **named: host.run_command(module, *args, **named))
    monkeypatch.setattr(uv, "TOOLS", str(host.tools))
    monkeypatch.setattr(uv, "LOCK", str(tmp_path / "lock"))
    monkeypatch.setattr(uv, "pip_wheels", lambda: ["/wheels/pip.whl"])
    monkeypatch.setattr(pythons, "FOLDER", str(host.folder))
    monkeypatch.setattr(os, "chown", lambda *dummy, **ignored: None)
    return host


@pytest.fixture
def venv(run, root, host):
    """Makes the environment of the release v1."""
    for name in ("venvs", "releases/v1"):
        (root / name).mkdir()
    (root / "releases/v1/requirements.txt").write_text("flask\n")
    about = dict(root=str(root), release=str(root / "releases/v1"), user="daemon", cache="/var/cache/blog")
    return lambda python="3.12", **options: run("flask_venv", **dict(about, python=python, **options))


def test_the_newest_patch_is_fetched_once_and_the_environment_made_with_it(venv, root, host):
    first = venv(**CHECK)
    assert first["changed"] and host.ran == []
    result = venv()
    assert result["changed"] and host.fetched() == ["3.12.11"]
    link = os.readlink(os.path.join(result["path"], "bin/python"))
    assert link == str(host.folder / ("cpython-3.12.11%s/bin/python3.12" % LINUX))
    assert os.readlink(host.folder / ".users" / os.listdir(host.folder / ".users")[0]) == str(root / "venvs")
    for mode in ({}, CHECK):
        assert not venv(**mode)["changed"] and venv(**mode)["path"] == result["path"]
    assert host.fetched() == ["3.12.11"]


def test_it_is_roots_and_everybody_reads_it(venv, host):
    venv()
    assert (host.folder / ("cpython-3.12.11%s/bin/python3.12" % LINUX)).stat().st_mode & 0o777 == 0o755
    assert (host.folder / ".lock").stat().st_mode & 0o777 == 0o600
    command = next(command for command in host.ran if " python install " in command)
    assert "runuser" not in command and " --no-bin " in command


def test_a_newer_patch_is_another_environment_and_the_old_python_goes_with_its_last_one(venv, root, host):
    first = venv()["path"]
    host.offered = [*OFFERED, *listed("cpython-3.12.12" + LINUX)]
    assert venv()["path"] != first and host.fetched() == ["3.12.11", "3.12.12"]
    assert len(list(host.folder.glob("cpython-*"))) == 2
    for path in Path(first).rglob("*"):
        path.unlink() if not path.is_dir() else None
    host.offered += listed("cpython-3.12.13" + LINUX)
    venv()
    assert sorted(path.name.split("-")[1] for path in host.folder.glob("cpython-*")) == ["3.12.12", "3.12.13"]


@pytest.mark.parametrize("python,fetched", [
    ("3.12.9", ["3.12.9"]), ("3.11", []), ("", []), ("system", []), ("/opt/python/bin/python3", []), ("3.10", ["3.10.18"]),
])
def test_what_is_asked_for_is_what_is_fetched(python, fetched, venv, host):
    assert venv(python)["changed"] and host.fetched() == fetched


def test_the_repository_asks_where_nobody_else_does(venv, root, host):
    (root / "releases/v1/runtime.txt").write_text("python-3.10.4\n")
    assert venv("")["changed"] and host.fetched() == ["3.10.18"]


def test_what_can_not_be_had_is_refused_with_those_that_can(venv, root, host):
    result = venv("3.12.40")
    assert result["failed"] and os.listdir(root / "venvs") == [] and host.fetched() == []
    assert result["msg"].startswith("flask_python asks for Python 3.12.40, which uv does not have for this host. It has 3.12.11, 3.12.9.")
    assert "It has 3.12.11, 3.12.9, 3.10.18. Set flask_python to one" in venv("3.14")["msg"]
    (root / "releases/v1/.python-version").write_text("3.14\n")
    assert ".python-version asks for Python 3.14" in venv("")["msg"] and "or to system for the one" in venv("")["msg"]


def test_the_mirror_is_in_no_argument(venv, host):
    mirror, own = "https://ana:s3cret@mirror.example.com", "https://ana:s3cret@mirror.example.com/list.json"
    result = venv(python_mirror=mirror, python_downloads=own)
    fetch = next(number for number, command in enumerate(host.ran) if " python install " in command)
    assert host.variables[fetch]["UV_PYTHON_INSTALL_MIRROR"] == mirror
    assert host.variables[fetch]["UV_PYTHON_DOWNLOADS_JSON_URL"] == own
    assert "s3cret" not in str(host.ran) + str(result)


def test_a_python_that_was_fetched_serves_where_the_list_can_not_be_read(venv, host, warnings):
    first = venv()["path"]
    host.failing = [" python list "]
    result = venv()
    assert (result["path"], result["changed"]) == (first, False) and "can't be read: no route to host" in warnings[0]


def test_where_it_can_not_be_fetched_it_says_what_helps(venv, root, host):
    host.failing = [" python install "]
    message = venv()["msg"]
    assert message.startswith("Python 3.12.11 can't be fetched: no route to host") and "app_python_mirror" in message
    assert "No version is served yet." in message
    host.failing = []
    assert venv()["changed"]


def test_uv_is_renewed_once_a_month_because_it_is_what_knows_the_newest(venv, host, warnings):
    venv()
    assert len([command for command in host.ran if "--target" in command]) == 1
    os.utime(host.tools / "bin/uv", (0, 0))
    venv()
    assert len([command for command in host.ran if "--target" in command]) == 2
    os.utime(host.tools / "bin/uv", (0, 0))
    host.failing = ["--target"]
    assert not venv()["changed"] and "uv can't be renewed" in warnings[0]


def test_an_application_that_leaves_takes_along_what_no_other_needs(venv, root, host):
    venv()
    mine = host.folder / ".users" / "".join(sign if sign.isalnum() or sign == "_" else "_" for sign in str(root / "venvs"))
    assert mine.is_symlink() and list(host.folder.glob("cpython-*"))
    (host.folder / ".users/other").symlink_to(root / "venvs")
    pythons.leave_pythons(str(root / "venvs"))
    assert not mine.is_symlink() and list(host.folder.glob("cpython-*"))
    (host.folder / ".users/other").unlink()
    pythons.leave_pythons(str(root / "venvs"))
    assert not list(host.folder.glob("cpython-*"))
