# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.build import uv

CHECK = {"_ansible_check_mode": True}


class Host:
    """Stands for the programs that the module runs: a Python, pip, and uv as the application's user."""

    def __init__(self, tools):
        self.python = "cpython-311 linux-x86_64\n"
        self.uv = tools / "bin/uv"
        self.ran = []
        self.variables = []
        self.failing = None
        self.code = 1  # of what fails
        self.packages = []
        self.contents = {}
        self.files = []

    def run_command(self, module, argv, environ_update=None, **ignored):
        if argv[1] == "-c":
            return (0, self.python, "") if argv[0] != "/nowhere" else (2, "", "No such file\n")
        if argv[-1] == "--version":
            self.start(Path(argv[0]))
            return 0, "uv 0.9\n", ""
        command = " ".join(argv)
        self.ran.append(command)
        self.variables.append(environ_update)
        self.note_files(argv)
        if self.failing and self.failing in command:
            return self.code, "", "\n".join("line %d" % number for number in range(100))
        target = Path(argv[-2], "bin/uv") if "--target" in argv else None
        made = target or (Path(argv[-1], "bin/python") if "venv" in argv else None)
        if made:
            made.parent.mkdir(parents=True)
            made.touch(0o755)
            for name in self.packages:
                (made.parent.parent / "lib/python3.11/site-packages" / name).mkdir(parents=True)
            for name, text in self.contents.items():
                (made.parent.parent / "lib/python3.11/site-packages" / name).write_text(text)
        return 0, "", ""

    def note_files(self, argv):
        """What stands for the requirements' files, as long as it is there."""
        for path in argv:
            if "selfhost-requirements-" in path:
                self.files += [(one.name, one.read_text(encoding="utf-8")) for one in Path(path).parent.rglob("*") if one.is_file()]

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
    monkeypatch.setattr(uv, "TOOLS", str(tmp_path / "tools"))
    monkeypatch.setattr(uv, "pip_wheels", lambda: ["/wheels/pip.whl"])
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


def test_what_builds_packages_may_be_limited_and_gets_the_users_environment(venv, host):
    first = venv()["path"]
    result = venv(build_constraints=["setuptools<58"], requirements_env={"TOKEN": "s3cret-token"})
    assert result["path"] != first
    assert host.variables[-1]["TOKEN"] == "s3cret-token" and ("build.txt", "setuptools<58\n") not in host.files
    with_key = host.variables[-1]["UV_BUILD_CONSTRAINT"]
    assert with_key.endswith("/build.txt") and not os.path.exists(with_key)
    assert "s3cret-token" not in str(host.ran) + str(result)


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


def source(root, name, text="x = 1\n"):
    """A file of a release."""
    path = root / "releases" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


# what the requirements of two releases say alike, a file of theirs, and whether they share an environment nevertheless
LOCAL = {
    "a folder": ("./lib\n", "lib/mod.py", False),
    "a folder's URL": ("file:lib\n", "lib/mod.py", False),
    "a named URL": ("mod @ file:./lib ; python_version > '3'\n", "lib/mod.py", False),
    "extras": ("./lib[more]\n", "lib/mod.py", False),
    "the release": (".\n", "src/mod.py", False),
    "a packed one": ("wheels/mod-1-py3-none-any.whl\n", "wheels/mod-1-py3-none-any.whl", False),
    "a place to look": ("--find-links=wheels\nmod\n", "wheels/mod-1-py3-none-any.whl", False),
    "an included one": ("-r more.txt\n", "lib/mod.py", False),
    "editable": ("-e ./lib\n", "lib/mod.py", False),
    "code beside a folder": ("./lib\n", "app.py", True),
    "a project of that name": ("lib\n", "lib/mod.py", True),
}


@pytest.mark.parametrize("case", LOCAL)
def test_the_content_of_local_projects_is_a_part_of_the_key(case, venv, root):
    text, name, same = LOCAL[case]
    paths = []
    for release, content in (("v1", "x = 1\n"), ("v2", "x = 2\n"), ("v3", "x = 1\n")):
        source(root, release + "/requirements.txt", text)
        source(root, release + "/more.txt", "./lib")
        source(root, release + "/lib/setup.py")
        source(root, "%s/%s" % (release, name), content)
        paths.append(venv("releases/" + release)["path"])
    assert (paths[0] == paths[1]) == same
    assert (paths[0] == paths[2]) == (case != "editable")


PROJECTS = {
    "uv's path": '[project]\nname="x"\ndependencies=["lib"]\n[tool.uv.sources]\nlib = { path = "lib" }\n',
    "Poetry's path": '[tool.poetry.dependencies]\nlib = {path = "./lib", develop = true}\n',
    "dynamic": '[project]\nname="x"\ndynamic = ["version", "dependencies"]\n',
}


@pytest.mark.parametrize("case", PROJECTS)
def test_what_a_pyproject_takes_from_other_files_is_a_part_of_the_key(case, venv, root):
    paths = []
    for release, content in (("v1", "x = 1\n"), ("v2", "x = 2\n")):
        source(root, release + "/pyproject.toml", PROJECTS[case])
        source(root, release + "/lib/setup.py", content)
        source(root, release + "/setup.py", content)
        paths.append(venv("releases/" + release, requirements="pyproject.toml")["path"])
    assert paths[0] != paths[1]


def test_an_editable_package_is_in_an_environment_of_its_releases_own(venv, root, host):
    source(root, "v1/requirements.txt", "-e .\n")
    first = venv()
    assert not venv()["changed"]
    (root / "releases/v1/.venv").unlink()  # the release was built anew, at the same place
    count = len(host.installed())
    assert venv()["path"] == first["path"] and len(host.installed()) == count + 1


def test_the_commit_of_a_branch_is_a_part_of_the_key(venv, root):
    source(root, "v1/requirements.txt", "lib @ git+https://s3cret@git.example.com/lib@main\n")
    paths = [venv(commits={"https://git.example.com/lib@main": digit * 40})["path"] for digit in "121"]
    assert paths[0] == paths[2] != paths[1]


@pytest.mark.parametrize("option", [{"index_url": "https://a/"}, {"extra_index_urls": ["https://a/"]}])
def test_the_index_is_a_part_of_the_key(option, venv):
    assert venv()["path"] != venv(**option)["path"]


def test_the_environment_of_another_release_is_never_made_again(venv, root, host):
    first = Path(venv()["path"])
    source(root, "v2/requirements.txt", "flask\n")
    (first / "bin/python").write_text("changed by hand")
    second = venv("releases/v2")
    assert second["path"] == str(first) + "-2"
    assert (first / "bin/python").read_text() == "changed by hand"
    assert not venv("releases/v2")["changed"]


def test_one_from_before_its_files_were_noted_is_used_as_it_is(venv, root, host):
    path = Path(venv()["path"])
    (path / ".complete").write_text("")
    source(root, "v2/requirements.txt", "flask\n")
    for mode in (CHECK, {}):
        assert venv("releases/v2", **mode)["path"] == str(path)
    (path / "bin/python").write_text("changed by hand")
    source(root, "v3/requirements.txt", "flask\n")
    assert venv("releases/v3")["path"] == str(path) + "-2"


@pytest.mark.parametrize("version, installed", [("2.0.1", ["setuptools<81"]), ("2.1.0", []), ("3.1.0", [])])
def test_flask_gets_what_it_finds_its_commands_by(version, installed, venv, host):
    host.packages = ["Flask-%s.dist-info" % version]
    venv()
    assert host.installed()[1:] == installed


REQUIRING = "Name: server\nRequires-Dist: setuptools (>=3.0)\n"


@pytest.mark.parametrize("about, code, installed", [
    (REQUIRING, "import os\nimport pkg_resources\n", ["setuptools<81"]),
    (REQUIRING, "try:\n    from pkg_resources import parse_version\nexcept ImportError:\n    pass\n", ["setuptools<81"]),
    (REQUIRING, "import setuptools  # not pkg_resources\n", []),
    ("Requires-Dist: setuptools ; extra == 'test'\n", "import pkg_resources\n", []),
    ("Name: server\n", "import pkg_resources\n", []),  # guesses what there may be
], ids=["imports", "tries", "setuptools", "extra", "unsaid"])
def test_a_package_that_imports_pkg_resources_gets_it(about, code, installed, venv, host):
    host.packages = ["server", "server-1.dist-info"]
    host.contents = {
        "server/util.py": code, "server-1.dist-info/METADATA": about, "server-1.dist-info/RECORD": "server/util.py,sha256=x,1\n",
    }
    venv()
    assert host.installed()[1:] == installed


@pytest.mark.parametrize("files, wanted, found", [
    (["requirements.txt", "pyproject.toml"], "", "requirements.txt"),
    (["pyproject.toml"], "", "pyproject.toml"),
    (["requirements.txt", "requirements/prod.txt"], "requirements/prod.txt", "requirements/prod.txt"),
    (["requirements/dev.txt", "requirements/prod.txt"], "", "requirements/prod.txt"),
    (["requirements/web.txt"], "", "requirements/web.txt"),
    (["pyproject.toml", "setup.py"], "", "setup.py"),
])
def test_the_requirements_are_found(files, wanted, found, venv, root, host):
    (root / "releases/v1/requirements.txt").unlink()
    for name in files:
        (root / "releases/v1" / name).parent.mkdir(exist_ok=True)
        (root / "releases/v1" / name).touch()
    assert venv(requirements=wanted)["requirements"] == str(root / "releases/v1" / found)
    assert host.installed() == ["-r %s" % (root / "releases/v1" / found)]


@pytest.mark.parametrize("options, warned", [({}, 1), ({"requirements": "requirements.txt"}, 0)])
def test_a_lock_that_is_not_what_is_installed_is_said(options, warned, venv, root, warnings):
    (root / "releases/v1/uv.lock").touch()
    venv(**options)
    assert len([text for text in warnings if "the repository has uv.lock, too. Set app_requirements" in text]) == warned


ENCODINGS = ("utf-16", "utf-8-sig", "latin-1")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_requirements_are_read_however_they_are_encoded(encoding, venv, root, host):
    text = "# f\u00fcr Flask\r\nflask\r\n-r more.txt\r\n"
    for name in ("requirements.txt", "more.txt"):
        (root / "releases/v1" / name).write_bytes(text.encode(encoding))
    venv()
    assert [content for name, content in host.files if name == "more.txt"][-1] == text.replace("\r", "")
    assert (root / "releases/v1/more.txt").read_bytes() == text.encode(encoding)  # as git has it


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
    assert "No version is served yet. Fix what it says" in result["msg"]
    assert "line 99" in result["msg"] and "line 80" in result["msg"] and "line 79" not in result["msg"]
    assert not (root / "releases/v1/.venv").exists()
    host.failing = None
    assert venv()["changed"]


@pytest.mark.parametrize("code", [137, -9])
def test_an_installation_that_the_kernel_ended_is_short_of_memory(code, venv, host):
    host.failing, host.code = "pip install --quiet --compile-bytecode", code
    assert "too little memory, which `journalctl -k` then says. Set base_swap_mb" in venv()["msg"]


FAILURES = {
    "no requirements": ({"requirements": "other.txt"}, "or set app_requirements to the file"),
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
    monkeypatch.setattr(uv, "pip_wheels", lambda: [])
    assert venv()["msg"].startswith("Debian's pip is missing. Install the package ")


def test_an_index_that_cannot_be_reached_is_said_so(venv, host):
    host.failing = "--target"
    assert "uv can't be installed from the package index: " in venv()["msg"]


def test_check_mode_knows_nothing_of_a_release_that_is_yet_to_come(venv, host):
    result = venv("releases/v2", **CHECK)
    assert (result["changed"], result["path"]) == (True, "")
