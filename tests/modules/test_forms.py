# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What uv really makes of the forms in which applications say what they need."""

from __future__ import annotations

import sys

import pytest

pytestmark = pytest.mark.needs_root

IDNA = "sha256:82fee1fc78add43492d3a1898bfa6d8a904cc97d8427f683ed8e798d07761aa0"
PROJECT = """
[project]
name = "shop"
version = "1"
requires-python = ">=3.8"
dependencies = ["idna>=3"]
[project.optional-dependencies]
more = ["six"]
[dependency-groups]
prod = ["toml"]
dev = ["iniconfig"]
"""
POETRY = """
[tool.poetry]
package-mode = false
[tool.poetry.dependencies]
python = "^3.8"
idna = "^3.6"
pywin32 = { version = "*", platform = "win32" }
six = { version = "~1.15", optional = true }
[tool.poetry.extras]
more = ["six"]
[tool.poetry.group.prod.dependencies]
toml = "0.10.1"
[build-system]
requires = ["poetry-core"]
build-backend = "poetry.core.masonry.api"
"""
LOCK = """
[[package]]
name = "idna"
version = "3.7"
%s
[[package]]
name = "six"
version = "1.15.0"
[[package]]
name = "toml"
version = "0.10.1"
[[package]]
name = "iniconfig"
version = "1.1.1"
[[package]]
name = "pywin32"
version = "306"
"""
FILES = "files = [{ file = 'idna-3.7-py3-none-any.whl', hash = '%s' }]" % IDNA
UV_LOCK = """
version = 1
revision = 1
requires-python = ">=3.8"
[[package]]
name = "idna"
version = "3.7"
source = { registry = "https://index.example.com/simple" }
wheels = [{ url = "https://index.example.com/idna-3.7-py3-none-any.whl", hash = "%s" }]
[[package]]
name = "shop"
version = "1"
source = { virtual = "." }
dependencies = [{ name = "idna" }]
""" % IDNA
PIPFILE = """
[[source]]
url = "https://pypi.org/simple"
name = "pypi"
[packages]
idna = "==3.7"
pywin32 = { version = "*", sys_platform = "== 'win32'" }
[dev-packages]
iniconfig = "*"
[prod]
toml = "==0.10.1"
"""
PIPFILE_LOCK = (
    '{"_meta": {"sources": []}, "default": {"idna": {"version": "==3.7", "hashes": ["%s"], "markers": "python_version >= \'3.5\'"}},'
    ' "develop": {"iniconfig": {"version": "==1.1.1"}}, "prod": {"toml": {"version": "==0.10.1"}}}' % IDNA
)
PYLOCK = """
lock-version = "1.0"
created-by = "a test"
[[packages]]
name = "idna"
version = "3.7"
"""
PLAIN = "idna==3.7 --hash=%s\r\n-r more.txt\r\npkg-resources==0.0.0\r\n" % IDNA

# files, options, and what is installed beside what serves the application
FORMS = {
    "UTF-16": ({"requirements.txt": PLAIN.encode("utf-16"), "more.txt": "six==1.15.0\n".encode("utf-16")}, {}, "idna==3.7 six==1.15.0"),
    "a mark and a limit": ({"requirements.txt": "idna\n-c limits.txt\n".encode("utf-8-sig"), "limits.txt": b"idna==3.7\n"}, {}, "idna==3.7"),
    "a folder": ({"requirements/prod.txt": "-r base.txt\n", "requirements/base.txt": "idna==3.7\n", "requirements/dev.txt": "six\n"}, {}, "idna==3.7"),
    "uv.lock": ({"pyproject.toml": PROJECT, "uv.lock": UV_LOCK}, {}, "idna==3.7"),
    "Poetry": ({"pyproject.toml": POETRY, "poetry.lock": LOCK % FILES}, {}, "idna==3.7"),
    "Poetry's choice": (
        {"pyproject.toml": POETRY, "poetry.lock": LOCK % FILES}, dict(extras=["more"], groups=["prod"]), "idna==3.7 six==1.15.0 toml==0.10.1",
    ),
    "Poetry's lock of a project": ({"pyproject.toml": PROJECT, "poetry.lock": LOCK % FILES}, dict(extras=["more"]), "idna==3.7 six==1.15.0"),
    "PDM": ({"pyproject.toml": PROJECT, "pdm.lock": LOCK % FILES}, dict(groups=["prod"]), "idna==3.7 toml==0.10.1"),
    "Pipfile": ({"Pipfile": PIPFILE}, {}, "idna==3.7"),
    "Pipfile.lock": ({"Pipfile": "[packages]\nidna = '*'\n", "Pipfile.lock": PIPFILE_LOCK}, dict(groups=["prod"]), "idna==3.7 toml==0.10.1"),
    "a project's choice": (
        {"pyproject.toml": PROJECT.replace("idna>=3", "idna==3.7").replace('"toml"', '"toml==0.10.1"')}, dict(groups=["prod"]), "idna==3.7 toml==0.10.1",
    ),
    "setup.py": ({"setup.py": "from setuptools import setup\nsetup(name='shop', py_modules=[], install_requires=['idna==3.7'])\n"}, {}, "idna==3.7"),
}


@pytest.mark.parametrize("case", FORMS)
def test_an_application_gets_what_it_says(case, furnish, packages):
    files, options, found = FORMS[case]
    result = furnish(files, **options)
    assert not result.get("failed"), result["msg"]
    assert packages(result["path"]) == found


def test_a_lock_of_pypa_is_obeyed_beside_what_serves(furnish, kept, packages):
    wheel = kept("idna 3.7", [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", "FOLDER", "idna==3.7"])
    place = (wheel / "idna-3.7-py3-none-any.whl").as_uri()
    wheels = 'wheels = [{ url = "%s", hashes = { sha256 = "%s" } }]\n' % (place, IDNA[7:])
    result = furnish({"pylock.toml": PYLOCK + wheels}, extra=["six==1.15.0"])
    assert not result.get("failed"), result["msg"]
    assert packages(result["path"]) == "idna==3.7 six==1.15.0"


@pytest.mark.parametrize("form", ["requirements.txt", "poetry.lock"])
def test_a_hash_that_differs_is_refused(form, furnish):
    other = IDNA.replace("82fee", "00000")
    files = {"requirements.txt": {"requirements.txt": PLAIN.replace(IDNA, other), "more.txt": ""},
             "poetry.lock": {"pyproject.toml": POETRY, "poetry.lock": LOCK % FILES.replace(IDNA, other)}}
    assert "Hash mismatch" in furnish(files[form])["msg"]


def test_old_packages_are_built_with_tools_of_their_time(furnish, packages):
    files = {"requirements.txt": "anyjson==0.3.3\n"}
    message = furnish(files)["msg"]
    assert "anyjson 0.3.3 can't be built with present tools. Set app_build_constraints to ['setuptools<58']" in message
    result = furnish(files, build_constraints=["setuptools<58"])
    assert not result.get("failed"), result["msg"]
    assert packages(result["path"]) == "anyjson==0.3.3"


def test_where_another_python_is_what_helps_it_says_so(furnish):
    message = furnish({"requirements.txt": "--only-binary :all:\ngreenlet==0.4.16\n"})["msg"]
    assert "greenlet 0.4.16 has no ready-made package for Python %d.%d; " % sys.version_info[:2] in message
    assert 'it has one for Python 3.8. In the inventory, set flask_python: "3.8", or ask for a newer version' in message


def test_a_package_that_an_extra_index_has_in_another_version_comes_from_the_other(furnish, tmp_path, packages):
    (tmp_path / "simple/idna").mkdir(parents=True)
    (tmp_path / "simple/idna/index.html").write_text('<a href="idna-2.0-py3-none-any.whl">idna-2.0-py3-none-any.whl</a>')
    result = furnish({"requirements.txt": "idna==3.7\n"}, extra_index_urls=["file://%s/simple" % tmp_path])
    assert not result.get("failed"), result["msg"]
    assert packages(result["path"]) == "idna==3.7"


@pytest.mark.parametrize("tags", ["cp27-cp27m-linux_armv7l", "py3-none-linux_armv6l"])
def test_an_index_that_has_it_for_another_host_alone_does_not_hide_pypi(tags, furnish, tmp_path, packages):
    """As piwheels does, which has a package for the Pythons that it was built for."""
    name = "idna-3.7-%s.whl" % tags
    (tmp_path / "simple/idna").mkdir(parents=True)
    (tmp_path / "simple/idna/index.html").write_text('<a href="%s">%s</a>' % (name, name))
    files, index = {"requirements.txt": "idna==3.7\n"}, {"extra_index_urls": ["file://%s/simple" % tmp_path]}
    assert "Set app_index_strategy to unsafe-best-match" in furnish(files, **index)["msg"]
    result = furnish(files, index_strategy="unsafe-best-match", **index)
    assert not result.get("failed"), result["msg"]
    assert packages(result["path"]) == "idna==3.7"
