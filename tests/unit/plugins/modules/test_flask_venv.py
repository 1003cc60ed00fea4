# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfhost.flask.plugins.modules import flask_venv

CHECK = {"_ansible_check_mode": True}


class Host:
    """Stands for the programs that the module runs: a Python, pip, and uv as the application's user."""

    def __init__(self, tools):
        self.python = "cpython-311 linux-x86_64\n"
        self.uv = tools / "bin/uv"
        self.ran = []
        self.variables = []
        self.failing = None

    def run_command(self, module, argv, environ_update=None, **ignored):
        if argv[1] == "-c":
            return (0, self.python, "") if argv[0] != "/nowhere" else (2, "", "No such file\n")
        if argv[-1] == "--version":
            self.start(Path(argv[0]))
            return 0, "uv 0.9\n", ""
        command = " ".join(argv)
        self.ran.append(command)
        self.variables.append(environ_update)
        if self.failing and self.failing in command:
            return 1, "", "\n".join("line %d" % number for number in range(100))
        target = Path(argv[-2], "bin/uv") if "--target" in argv else None
        made = target or (Path(argv[-1], "bin/python") if "venv" in argv else None)
        if made:
            made.parent.mkdir(parents=True)
            made.touch(0o755)
        return 0, "", ""

    def start(self, program):
        """As the kernel: a program that is cut off is none."""
        if program.read_bytes() == b"half":
            raise OSError(8, "Exec format error")

    def installed(self):
        """What uv was asked to install, each time."""
        return [command.partition(" --compile-bytecode ")[2] for command in self.ran if "--compile-bytecode" in command]


@pytest.fixture
def host(monkeypatch, tmp_path):
    host = Host(tmp_path / "tools")
    monkeypatch.setattr(AnsibleModule, "run_command", lambda module, *args, **named: host.run_command(module, *args, **named))
    monkeypatch.setattr(flask_venv, "TOOLS", str(tmp_path / "tools"))
    monkeypatch.setattr(flask_venv.glob, "glob", lambda pattern: ["/wheels/pip.whl"])
    monkeypatch.setattr(os, "chown", lambda *dummy, **ignored: None)
    return host


@pytest.fixture
def root(tmp_path):
    for name in ("venvs", "releases/v1"):
        (tmp_path / "srv" / name).mkdir(parents=True)
    (tmp_path / "srv/releases/v1/requirements.txt").write_text("flask\n")
    return tmp_path / "srv"


@pytest.fixture
def venv(run, root, host):
    """Runs the module for the release v1."""

    def venv(release="releases/v1", **arguments):
        options = dict(root=str(root), release=str(root / release), user="daemon", cache="/var/cache/blog")
        return run("flask_venv", **dict(options, **arguments))

    return venv


def test_check_then_run_then_run_again(venv, root, host):
    first = venv(**CHECK)
    assert first["changed"] and host.ran == [] and os.listdir(root / "venvs") == []
    result = venv()
    path = root / "venvs" / os.path.basename(result["path"])
    assert result["changed"] and result["path"] == first["path"] == str(path)
    assert (path / ".complete").exists()
    assert os.path.realpath(root / "releases/v1/.venv") == str(path)
    assert result["requirements"] == str(root / "releases/v1/requirements.txt")
    assert result["diff"] == {"before": "venv: \n", "after": "venv: ../../venvs/%s\n" % path.name}
    del host.ran[:]
    for mode in ({}, CHECK):
        assert (venv(**mode)["changed"], host.ran) == (False, [])


def test_the_user_installs_and_root_does_not(venv, root, host):
    venv(extra=["gunicorn", "pymysql"])
    assert ["runuser -u daemon -- %s " % host.uv in command for command in host.ran] == [False, True, True]
    assert host.installed() == ["-r %s/releases/v1/requirements.txt gunicorn pymysql" % root]


def test_what_builds_packages_has_no_way_to_data(venv, root, host):
    venv()
    for command in host.ran[1:]:
        assert "unshare --mount -- " in command and " hide %s/shared " % root in command and " hide /run/mysqld " in command


def test_uv_comes_from_the_index_once(venv, root, host):
    venv(index_url="https://ana:s3cret@index.example.com/simple")
    assert host.ran[0].startswith("/usr/bin/python3 /wheels/pip.whl/pip install") and host.ran[0].endswith(" uv")
    assert host.variables[0] == {"PIP_INDEX_URL": "https://ana:s3cret@index.example.com/simple"}
    (root / "releases/v1/requirements.txt").write_text("flask<4\n")
    venv()
    assert len([command for command in host.ran if "--target" in command]) == 1


@pytest.mark.parametrize("folder", ["tools", "tools.new"])
def test_uv_that_is_not_whole_is_installed_again(folder, venv, host, tmp_path):
    half = tmp_path / folder / "bin/uv"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"half")
    half.chmod(0o755)
    assert venv()["changed"]
    assert host.uv.read_bytes() == b""
    assert not (tmp_path / "tools.new").exists()


def test_the_indexes_are_in_no_argument(venv, host):
    result = venv(index_url="https://ana:s3cret@a.example.com/simple", extra_index_urls=["https://b/", "https://c/"])
    assert host.variables[-1]["UV_DEFAULT_INDEX"] == "https://ana:s3cret@a.example.com/simple"
    assert host.variables[-1]["UV_INDEX"] == "https://b/ https://c/"
    assert "s3cret" not in str(host.ran) + str(result)


def test_releases_with_the_same_needs_share_one(venv, root, host):
    first = venv()
    (root / "releases/v2").mkdir()
    (root / "releases/v2/requirements.txt").write_text("flask\n")
    count = len(host.ran)
    second = venv("releases/v2")
    assert second["changed"] and second["path"] == first["path"] and len(host.ran) == count
    assert os.path.realpath(root / "releases/v2/.venv") == first["path"]


def requirements(text):
    return lambda root, host: (root / "releases/v1/requirements.txt").write_text(text)


def included_file(root, host):
    (root / "releases/v1/base.txt").write_text("flask\nbabel\n")


# what of them is other the second time
NEEDS = {
    "a requirement": (requirements("flask\nrequests\n"), {}),
    "an included file": (included_file, {}),
    "an extra package": (requirements("flask\n-r base.txt\n"), {"extra": ["gunicorn"]}),
    "the version of Python": (lambda root, host: setattr(host, "python", "cpython-313 linux-x86_64\n"), {}),
}


@pytest.mark.parametrize("case", NEEDS)
def test_other_needs_get_another_one(case, venv, root, host):
    change, options = NEEDS[case]
    requirements("flask\n-r base.txt\n")(root, host)
    (root / "releases/v1/base.txt").write_text("flask\n")
    first = venv()["path"]
    change(root, host)
    assert venv(**options)["path"] != first
    assert len(os.listdir(root / "venvs")) == 2


@pytest.mark.parametrize("text, names", [
    ("flask", []),
    ("-r base.txt\n--requirement=more/dev.txt", ["base.txt", "more/dev.txt", "more/common.txt"]),
    ("-c constraints.txt\n-rbase.txt", ["constraints.txt", "base.txt"]),
    ("-r requirements.txt\n-r nothing.txt", []),
])
def test_included_files_are_read_each_once(text, names, tmp_path):
    (tmp_path / "more").mkdir()
    files = {"requirements.txt": text, "more/dev.txt": "-r common.txt", "base.txt": "-r requirements.txt"}
    for name in ["constraints.txt", "more/common.txt", *files]:
        (tmp_path / name).write_text(files.get(name, ""))
    found = flask_venv.included(str(tmp_path / "requirements.txt"))
    assert sorted(found) == sorted(str(tmp_path / name) for name in ["requirements.txt", *names])


@pytest.mark.parametrize("files, wanted, found", [
    (["requirements.txt", "pyproject.toml"], "", "requirements.txt"),
    (["pyproject.toml"], "", "pyproject.toml"),
    (["requirements.txt", "requirements/prod.txt"], "requirements/prod.txt", "requirements/prod.txt"),
])
def test_the_requirements_are_found(files, wanted, found, venv, root, host):
    (root / "releases/v1/requirements.txt").unlink()
    for name in files:
        (root / "releases/v1" / name).parent.mkdir(exist_ok=True)
        (root / "releases/v1" / name).touch()
    assert venv(requirements=wanted)["requirements"] == str(root / "releases/v1" / found)
    assert host.installed() == ["-r %s" % (root / "releases/v1" / found)]


@pytest.mark.parametrize("hashed", ["requirements.txt", "base.txt"])
def test_packages_with_hashes_are_installed_before_those_without(hashed, venv, root, host):
    requirements("-r base.txt\n")(root, host)
    (root / "releases/v1/base.txt").write_text("flask\n")
    with open(root / "releases/v1" / hashed, "a", encoding="ascii") as file:
        file.write("flask==3.1 --hash=sha256:0000\n")
    venv(extra=["gunicorn"])
    assert host.installed() == ["-r %s/releases/v1/requirements.txt" % root, "gunicorn"]


@pytest.mark.parametrize("missing", [".complete", "bin/python"])
def test_one_that_is_not_complete_is_made_again(missing, venv, root, host):
    path = Path(venv()["path"])
    (path / missing).unlink()
    (path / "left over").touch()
    assert venv()["changed"]
    assert (path / missing).exists() and not (path / "left over").exists()


def test_a_failure_shows_its_last_lines_and_is_not_taken_for_complete(venv, root, host):
    host.failing = "pip install --quiet --compile-bytecode"
    result = venv()
    assert result["failed"] and "requirements.txt can't be installed (exit code 1)" in result["msg"]
    assert "line 99" in result["msg"] and "line 80" in result["msg"] and "line 79" not in result["msg"]
    assert not (root / "releases/v1/.venv").exists()
    host.failing = None
    assert venv()["changed"]


FAILURES = {
    "no requirements": ({"requirements": "other.txt"}, "Add one to the repository, or set app_requirements"),
    "no Python": ({"python": "/nowhere"}, "/nowhere does not run: No such file"),
}


@pytest.mark.parametrize("mode", [{}, CHECK], ids=["run", "check"])
@pytest.mark.parametrize("case", FAILURES)
def test_says_what_to_set(case, mode, venv, host):
    arguments, text = FAILURES[case]
    result = venv(**arguments, **mode)
    assert result["failed"] and text in result["msg"]
    assert host.ran == []


def test_a_host_without_pip_is_told_the_package(venv, host, monkeypatch):
    monkeypatch.setattr(flask_venv.glob, "glob", lambda pattern: [])
    assert venv()["msg"].startswith("Debian's pip is missing. Install the package ")


def test_an_index_that_cannot_be_reached_is_said_so(venv, host):
    host.failing = "--target"
    assert "uv can't be installed from the package index: " in venv()["msg"]


def test_check_mode_knows_nothing_of_a_release_that_is_yet_to_come(venv, host):
    result = venv("releases/v2", **CHECK)
    assert (result["changed"], result["path"]) == (True, "")
