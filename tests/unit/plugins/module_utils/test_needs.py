# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forms in which applications say what they need, as they are read."""

from __future__ import annotations

import os
import sys

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.build.git_access import GitAccess
from ansible_collections.selfhost.flask.plugins.module_utils.build.locks import local_lines, lock_pins
from ansible_collections.selfhost.flask.plugins.module_utils.build.needs import find_needs
from ansible_collections.selfhost.flask.plugins.module_utils.build.poetry import pep440, poetry_lines
from ansible_collections.selfhost.flask.plugins.module_utils.build.requirements_files import included, plain
from ansible_collections.selfhost.flask.plugins.module_utils.build.scm import scm_variables, version_of
from ansible_collections.selfhost.flask.plugins.module_utils.build.sources import Sources
from ansible_collections.selfhost.flask.plugins.module_utils.common import toml
from ansible_collections.selfhost.flask.plugins.module_utils.common.toml import TomlError, parse_toml

CHOICE = dict(requirements="", extras=[], groups=[])
PROJECT = '[project]\nname="shop"\ndependencies=["flask"]\n'

# the files of a repository, and which one is meant
FOUND = {
    "requirements.txt first": ("requirements.txt uv.lock pyproject.toml Pipfile", "requirements.txt"),
    "a lock before its project": ("pyproject.toml poetry.lock requirements__prod.txt", "poetry.lock"),
    "a lock without its project": ("uv.lock Pipfile", "Pipfile"),
    "a lock before what it locks": ("Pipfile Pipfile.lock", "Pipfile.lock"),
    "pylock.toml": ("pylock.toml pyproject.toml", "pylock.toml"),
    "a project before a folder": ("pyproject.toml requirements__prod.txt", "pyproject.toml"),
    "production before the base": ("requirements__base.txt requirements__dev.txt requirements__production.txt", "requirements/production.txt"),
    "beside": ("requirements-prod.txt", "requirements-prod.txt"),
    "just one": ("requirements__web.txt", "requirements/web.txt"),
    "none of several": ("requirements__a.txt requirements__b.txt", None),
    "nothing": ("README", None),
}


@pytest.mark.parametrize("case", FOUND)
def test_the_file_that_is_meant_is_found(case, tree, fill):
    names, found = FOUND[case]
    fill(**{name: {"pyproject.toml": PROJECT, "Pipfile.lock": "{}"}.get(name, "") for name in names.split()})
    needs = find_needs(tree, CHOICE)
    assert (needs and os.path.relpath(needs.path, tree.folder)) == found


def test_the_settings_of_tools_are_no_requirements(tree, fill):
    fill(**{"pyproject.toml": "[tool.black]\nline-length = 120\n", "requirements__prod.txt": "flask"})
    assert find_needs(tree, CHOICE).path.endswith("requirements/prod.txt")


@pytest.mark.parametrize("package, installed", [("src/shop", True), ("src/org/shop", True), ("shop", False)])
def test_a_project_with_its_code_in_src_is_a_package_also_within_a_namespace(package, installed, tree, fill):
    fill(**{"pyproject.toml": PROJECT + '[build-system]\nrequires=["setuptools"]\n'})
    os.makedirs(os.path.join(tree.folder, package))
    open(os.path.join(tree.folder, package, "__init__.py"), "w", encoding="ascii").close()
    assert find_needs(tree, CHOICE).is_package == installed


PLUGIN = '[[package]]\nname = "shop-plugin"\nversion = "1"\n'


@pytest.mark.parametrize("lock, plugin", [
    ("uv.lock", 'dependencies = [{ name = "shop" }]'),
    ("poetry.lock", '[package.dependencies]\nShop = ">=1"'),
    ("pdm.lock", 'dependencies = ["flask", "shop>=1"]'),
])
def test_a_project_that_its_own_plugins_depend_on_is_a_package(lock, plugin, tree, fill):
    """An index may have it in another version, or not at all."""
    own = '[[package]]\nname = "shop"\nversion = "1"\n' + plugin.replace("hop", "hop-plugin") + "\n"
    fill(**{"pyproject.toml": PROJECT, lock: own + PLUGIN + plugin})
    assert find_needs(tree, CHOICE).is_package
    fill(**{lock: own + PLUGIN + plugin.replace("hop", "hop-plugin")})
    assert not find_needs(tree, CHOICE).is_package


@pytest.mark.parametrize("written, read", [
    ("^1.2.3", ">=1.2.3,<2"), ("^0.2.3", ">=0.2.3,<0.3"), ("^0.0.3", ">=0.0.3,<0.0.4"), ("^0", ">=0,<1"), ("^1", ">=1,<2"),
    ("~1.2.3", ">=1.2.3,<1.3"), ("~1.2", ">=1.2,<1.3"), ("~1", ">=1,<2"), ("~=1.2", "~=1.2"), ("*", ""), ("1.2.3", "==1.2.3"),
    ("1.*", "==1.*"), (">=1, <3", ">=1,<3"), (">=1 <3", ">=1,<3"), ("^1 || ^2.1", ">=2.1,<3"), ("!=1.5", "!=1.5"),
])
def test_poetrys_versions_are_read(written, read):
    assert pep440(written) == read


POETRY = {
    "python": "^3.9", "Flask": {"version": "^3.0", "extras": ["async"]}, "lib": {"git": "git@h.example:a/lib.git", "branch": "main"},
    "sub": {"git": "https://h/x", "tag": "v1", "subdirectory": "y"}, "here": {"path": "./lib", "develop": True},
    "old": [{"version": "1.0", "python": "<3.10"}, {"version": "2.0", "python": ">=3.10,<4.0"}], "win": {"version": "*", "platform": "win32"},
    "pg": {"version": "^2", "optional": True},
}
LINES = [
    "Flask[async]>=3.0,<4", "lib @ git+ssh://git@h.example/a/lib.git@main", "sub @ git+https://h/x@v1#subdirectory=y", "-e ./lib",
    "old==1.0 ; python_version < '3.10'", "old==2.0 ; python_version >= '3.10' and python_version < '4.0'", "win ; sys_platform == 'win32'",
]


def test_poetrys_tables_are_lines():
    poetry = {"dependencies": POETRY, "extras": {"db": ["pg"]}, "group": {"prod": {"dependencies": {"x": "1"}}}, "dev-dependencies": {"y": "*"}}
    assert poetry_lines(poetry, [], []) == LINES
    assert poetry_lines(poetry, ["db"], ["prod", "dev"]) == [*LINES, "pg>=2,<3", "x==1", "y"]


# what a lock says of a package, and the line for it
PINS = {
    "poetry": ('name="a"\nversion="1"\nfiles=[{file="f", hash="sha256:0"}]\n', ["a==1 --hash=sha256:0"]),
    "poetry's git": ('name="a"\nversion="1"\n[package.source]\ntype="git"\nurl="git@h:x/a"\nreference="main"\nresolved_reference="c0"\n', ["a @ git+ssh://git@h/x/a@c0"]),
    "poetry's folder": ('name="a"\nversion="1"\n[package.source]\ntype="directory"\nurl="lib"\n', []),
    "pdm's git": ('name="a"\nversion="1"\ngit="https://h/a"\nrevision="c0"\nref="main"\n', ["a @ git+https://h/a@c0"]),
    "pdm's extras": ('name="a"\nversion="1"\n[[package]]\nname="a"\nversion="1"\nextras=["x"]\n', ["a==1"]),
    "uv's git": ('name="a"\nversion="1"\nsource={git="https://h/a?branch=main#c0"}\n', ["a @ git+https://h/a@c0"]),
    "uv's own": ('name="a"\nversion="1"\nsource={virtual="."}\n', []),
    "two of one": ('name="a"\nversion="1"\nmarkers="x"\n[[package]]\nname="a"\nversion="2"\nmarkers={main="y", dev="z"}\n', ["a==1 ; x", "a==2 ; y"]),
}


@pytest.mark.parametrize("case", PINS)
def test_a_lock_is_lines(case):
    text, lines = PINS[case]
    assert lock_pins(parse_toml("[[package]]\n" + text)) == lines


def test_folders_in_uvs_lock_are_the_releases():
    sources = ['{editable="."}', '{editable="packages/a"}', '{directory="lib"}', '{registry="https://index.example.com/simple"}']
    lock = "".join('[[package]]\nname="p%d"\nversion="1"\nsource=%s\n' % pair for pair in enumerate(sources))
    assert local_lines(parse_toml(lock)) == ["-e ./packages/a", "./lib"]


def test_the_folder_of_a_lock_is_a_part_of_the_key_and_git_in_it_is_pinned(tree, fill):
    lock = ('[[package]]\nname="lib"\nversion="1"\nsource={editable="lib"}\n'
            '[[package]]\nname="g"\nversion="1"\nsource={git="https://h/g?branch=main#%s"}\n' % ("1" * 40))
    fill(**{"pyproject.toml": PROJECT, "uv.lock": lock, "lib__pyproject.toml": ""})
    sources = Sources(tree, find_needs(tree, CHOICE))
    assert (sources.local, sources.editable, sources.git[0].version) == ({"lib"}, True, "1" * 40)


def test_a_project_is_made_of_its_extras_and_groups(tree, fill):
    more = ('[project.optional-dependencies]\nall=["shop[pg]", "six"]\npg=["psycopg"]\n'
            '[dependency-groups]\nprod=["uvloop", {include-group="base"}]\nbase=["rich"]\n[tool.pdm.dev-dependencies]\ntest=["pytest"]\n')
    fill(**{"pyproject.toml": PROJECT + more})
    needs = find_needs(tree, dict(CHOICE, extras=["all"], groups=["prod", "test"]))
    assert needs.lines == ["flask", "psycopg", "six", "uvloop", "rich", "pytest"]
    assert (needs.extras, needs.groups) == (["all", "pg"], ["prod", "base", "test"])


# a line as somebody wrote it, and as uv reads it
PLAIN = {
    "-e git+https://h/x#egg=x": "git+https://h/x#egg=x", "--editable=x @ git+https://h/x": "x @ git+https://h/x",
    "git+https://me:secret@h/x@main": "git+https://h/x@main", "git+https://${TOKEN}@h/x": "git+https://h/x",
    "git+ssh://git@h:org/x.git": "git+ssh://git@h/org/x.git", "git+git@h:org/x.git@v1": "git+ssh://git@h/org/x.git@v1",
    "git+git://github.com/a/b": "git+https://github.com/a/b", "git+ssh://git@h:2222/x": "git+ssh://git@h:2222/x",
    "pkg-resources==0.0.0": "", "pkg_resources == 0.0.0  # Debian": "", "pkg-resources==1": "pkg-resources==1",
    'x --install-option="--y"': "x", "-i https://me:secret@h/simple": "-i https://me:secret@h/simple", "-e ./lib": "-e ./lib",
    "x==1 \\\n    --hash=sha256:0": "x==1 \\\n    --hash=sha256:0",
}


@pytest.mark.parametrize("written", PLAIN)
def test_a_line_is_as_uv_reads_it(written, tree):
    assert plain(written, tree.folder + "/requirements.txt", tree) == PLAIN[written]


def test_packages_are_looked_for_where_pip_does(tree, fill):
    fill(**{"requirements__prod.txt": "", "wheels__x": "", "requirements__other__x": ""})
    path = os.path.join(tree.folder, "requirements/prod.txt")
    assert plain("-f wheels", path, tree) == "-f %s/wheels" % tree.folder
    assert plain("--find-links=other", path, tree) == "--find-links=%s/requirements/other" % tree.folder
    assert plain("-f https://h/x", path, tree) == "-f https://h/x"


def test_a_file_that_is_included_by_a_url_is_the_installers_matter(tree, fill):
    fill(**{"requirements.txt": "-c https://h/limits.txt\n# -r old.txt\n"})
    assert len(included(tree, os.path.join(tree.folder, "requirements.txt"))) == 1


def test_tokens_are_for_their_own_repository():
    access = GitAccess(dict(requirements_env={"TOKEN": "abc%20defgh"}, key=None, repo="https://me:password@a.example/shop"))
    texts = ["x @ git+https://${TOKEN}@b.example/x@main"]
    found = access.variables(texts)
    names = {found["GIT_CONFIG_KEY_0"], found["GIT_CONFIG_KEY_1"]}
    assert names == {"credential.https://a.example.helper", "credential.https://b.example/x.helper"}
    assert {found["SELFHOST_GIT_USER_0"], found["SELFHOST_GIT_USER_1"]} == {"me", "abc defgh"}
    assert access.secrets(texts) == {"password", "abc%20defgh", "abc defgh"}
    assert access.url_of("https://a.example/lib") == "https://me:password@a.example/lib"
    assert access.url_of("https://c.example/lib") == "https://c.example/lib"


@pytest.mark.parametrize("name, version", [
    ("v1.2", "1.2"), ("1.2.0rc1", "1.2.0rc1"), ("release-2.0", "2.0"), ("shop/v3", "3"), ("main", "0.1.dev0+g12345678"),
    ("1234567", "0.1.dev0+g12345678"),
])
def test_a_tag_is_a_version(name, version):
    assert version_of(name, "12345678" + "0" * 32) == version


# a project, and what says its version
SCM = {
    '[project]\nname="my.shop"\n[build-system]\nrequires=["setuptools-scm"]': {"SETUPTOOLS_SCM_PRETEND_VERSION_FOR_MY_SHOP": "1.2"},
    '[project]\nname="x"\n[build-system]\nrequires=["pdm-backend"]': {"SETUPTOOLS_SCM_PRETEND_VERSION_FOR_X": "1.2", "PDM_BUILD_SCM_VERSION": "1.2"},
    '[project]\nname="x"\n[build-system]\nrequires=["hatchling"]': {},
    '[project]\nname="x"\nversion="1"\n[build-system]\nrequires=["pdm-backend"]': {},
}


@pytest.mark.parametrize("text", SCM)
def test_a_project_that_asks_git_is_told_its_version(text, tree, fill):
    fill(**{"pyproject.toml": text})
    assert scm_variables(tree, "1.2") == SCM[text]


def test_a_setup_py_that_asks_git_is_told_its_version(tree, fill):
    fill(**{"setup.py": "setup(name='shop', use_scm_version=True)"})
    assert scm_variables(tree, "1.2") == {"SETUPTOOLS_SCM_PRETEND_VERSION_FOR_SHOP": "1.2"}


def test_toml_is_read_by_what_pip_brings_where_python_has_nothing(tmp_path, monkeypatch):
    inner = tmp_path / "pip/_vendor"
    inner.mkdir(parents=True)
    for path, text in ((inner.parent, ""), (inner, "")):
        (path / "__init__.py").write_text(text)
    (inner / "tomli.py").write_text("def loads(text):\n    return {'read': text}\n")
    for name in [name for name in sys.modules if name.split(".")[0] == "pip"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(toml, "WHEELS", str(tmp_path))
    monkeypatch.setattr(toml, "READERS", ("no_such_reader", "pip._vendor.tomli"))
    assert parse_toml("x") == {"read": "x"}
    for name in [name for name in sys.modules if name.split(".")[0] == "pip"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(toml, "READERS", ("no_such_reader",))
    with pytest.raises(TomlError, match="python3-pip-whl"):
        parse_toml("x")
