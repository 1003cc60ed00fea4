# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an application needs to be installed, in whichever form it says so."""

from __future__ import annotations

import fnmatch
import glob
import json
import os
import re
from typing import Callable, Iterator, NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.build.locks import depends_on, local_lines, lock_pins
from ansible_collections.selfhost.flask.plugins.module_utils.build.pipenv import pipfile_groups, pipfile_lines
from ansible_collections.selfhost.flask.plugins.module_utils.build.projects import Project
from ansible_collections.selfhost.flask.plugins.module_utils.build.requirements_files import included, logical_lines
from ansible_collections.selfhost.flask.plugins.module_utils.build.tables import project_name
from ansible_collections.selfhost.flask.plugins.module_utils.common.toml import TomlError, parse_toml
from ansible_collections.selfhost.flask.plugins.module_utils.common.tree import Tree, read_inside
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import ReleaseError

LOCKS = ("uv.lock", "poetry.lock", "pdm.lock")  # each beside its pyproject.toml
# Where people keep what production needs, if there is no file of the usual name.
FOLDERS = [
    pattern % name
    for name in ("production", "prod", "deploy", "main", "requirements", "base", "common")
    for pattern in ("requirements/%s.txt", "requirements-%s.txt", "%s-requirements.txt", "requirements.%s.txt")
]
NAMES = ("requirements.txt", *LOCKS, "pylock.toml", "Pipfile.lock", "pyproject.toml", "Pipfile", *FOLDERS,
         "requirements.in", "setup.py", "setup.cfg")
NAME = re.compile(r"\s*([\w.-]+)\s*(\[[^]]*\])?")
UNREADABLE = "%s can't be read: %s. Fix it, and push the change."


class Needs(NamedTuple):
    """The file, how it is installed, and what it says."""

    path: str
    how: str  # files, project, lines, export or pylock
    texts: dict  # of all files that it consists of, by their paths
    lines: list  # of requirements, with the options among them
    pins: list = []  # the exact versions of a lock, each as a line
    extras: list = []  # those that there are to choose from
    groups: list = []
    project: Project = Project({})
    is_dynamic: bool = False
    is_package: bool = False  # whether the project is installed itself


def find_needs(tree: Tree, params: dict) -> Needs | None:
    """What a tree says of it; None where no file does."""
    path = requirements_file(tree, params["requirements"])
    if path is None:
        return None
    try:
        needs = reader_of(path)(tree, path, list(params["extras"]), list(params["groups"]))
    except (TomlError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ReleaseError(UNREADABLE % (os.path.relpath(path, tree.folder), error)) from error
    return needs._replace(is_package=needs.is_package or (needs.how != "files" and has_its_code_in_src(tree, needs)))


def has_its_code_in_src(tree: Tree, needs: Needs) -> bool:
    """Whether Python finds the project's code by an installation alone; what is beside is found without."""
    source = os.path.join(glob.escape(tree.folder), "src", "*")  # or within a namespace, which is no package itself
    packages = glob.glob(os.path.join(source, "__init__.py")) or glob.glob(os.path.join(source, "*", "__init__.py"))
    return bool(packages) and ("build-system" in needs.project.about or os.path.basename(needs.path).startswith("setup."))


def requirements_file(tree: Tree, wanted: str) -> str | None:
    """The file that names the requirements, or None."""
    names = [wanted] if wanted else filter(lambda name: is_meant(tree, name), [*NAMES, *only_one(tree)])
    paths = [os.path.join(tree.folder, name) for name in names]
    return next((path for path in paths if os.path.isfile(path)), None)


def is_meant(tree: Tree, name: str) -> bool:
    """Whether a file of that name says anything of requirements."""
    if name == "setup.cfg":
        return "install_requires" in (read_inside(tree, os.path.join(tree.folder, name)) or "")
    path = os.path.join(tree.folder, "pyproject.toml")
    if name not in (*LOCKS, "pyproject.toml"):
        return True
    return os.path.isfile(path) and (name in LOCKS or read_project(tree, path).asks or not others(tree))


def only_one(tree: Tree) -> list:
    """The one file of a folder `requirements`, whatever it is called."""
    names = fnmatch.filter(folder_names(os.path.join(tree.folder, "requirements")), "*.txt")
    return [os.path.join("requirements", name) for name in names] if len(names) == 1 else []


def others(tree: Tree) -> list:
    """What else in a tree may say what the application needs."""
    inner = (os.path.join("requirements", name) for name in folder_names(os.path.join(tree.folder, "requirements")))
    pattern = re.compile(r"Pipfile(\.lock)?|setup\.(py|cfg)|environment\.ya?ml|.*requirements.*\.(txt|in)")
    return sorted(name for name in [*folder_names(tree.folder), *inner] if pattern.fullmatch(name))


def folder_names(path: str) -> list:
    return sorted(os.listdir(path)) if os.path.isdir(path) else []


def read_project(tree: Tree, path: str) -> Project:
    """A pyproject.toml; ReleaseError where it is none."""
    try:
        return Project(parse_toml(read_inside(tree, path) or ""))
    except TomlError as error:
        raise ReleaseError(UNREADABLE % (os.path.relpath(path, tree.folder), error)) from error


def reader_of(path: str) -> Callable:
    """The function that reads a file of this name."""
    readers = {
        "uv.lock": read_uv, "poetry.lock": read_lock, "pdm.lock": read_lock, "pyproject.toml": read_pyproject,
        "Pipfile": read_pipfile, "Pipfile.lock": read_pipfile, "setup.py": read_setup, "setup.cfg": read_setup,
    }
    name = os.path.basename(path)
    return read_pylock if re.fullmatch(r"pylock(\.[^.]+)?\.toml", name) else readers.get(name, read_files)


def read_files(tree: Tree, path: str, extras: list, groups: list) -> Needs:
    texts = included(tree, path)
    return Needs(path, "files", texts, [line for text in texts.values() for line in logical_lines(text)])


def read_setup(tree: Tree, path: str, extras: list, groups: list) -> Needs:
    return Needs(path, "project", {path: read_inside(tree, path) or ""}, [], extras=extras, is_dynamic=True)


def read_pyproject(tree: Tree, path: str, extras: list, groups: list) -> Needs:
    project = read_project(tree, path)
    how = "lines" if project.is_poetry else "project"
    lines = project.lines(extras, groups)
    texts = {path: read_inside(tree, path) or ""}
    return Needs(path, how, texts, lines, [], project.extras(), project.groups(), project, project.is_dynamic)


def read_uv(tree: Tree, path: str, extras: list, groups: list) -> Needs:
    lock, beside = parse_toml(read_inside(tree, path) or ""), beside_lock(tree, path, extras, groups)
    texts = dict(beside.texts, **{path: read_inside(tree, path) or ""})
    needs = beside._replace(path=path, how="export", texts=texts, lines=local_lines(lock), pins=lock_pins(lock), is_dynamic=False)
    return needs._replace(is_package=depends_on(lock, beside.project.name))


def read_lock(tree: Tree, path: str, extras: list, groups: list) -> Needs:
    """Of Poetry and PDM: what the project asks for, in the versions of the lock."""
    lock, beside = parse_toml(read_inside(tree, path) or ""), beside_lock(tree, path, extras, groups)
    pins = lock_pins(lock)
    texts = dict(beside.texts, **{path: read_inside(tree, path) or ""})
    lines = list(without_places(beside.lines, pins))
    needs = beside._replace(path=path, how="lines", texts=texts, lines=lines, pins=pins)
    return needs._replace(is_package=depends_on(lock, beside.project.name))


def beside_lock(tree: Tree, path: str, extras: list, groups: list) -> Needs:
    project = os.path.join(os.path.dirname(path), "pyproject.toml")
    if not os.path.isfile(project):
        raise ReleaseError("%s has no pyproject.toml beside it. Add that to the repository." % os.path.basename(path))
    return read_pyproject(tree, project, extras, groups)


def without_places(lines: list, pins: list) -> Iterator[str]:
    """Lines without where a package comes from, if the lock says that at a commit."""
    placed = {name_of(line) for line in pins if " @ " in line}
    for line in lines:
        if " @ " in line and name_of(line) in placed:
            marker = line.partition(" ; ")[2]
            yield "".join(part or "" for part in NAME.match(line).groups()) + (" ; " + marker if marker else "")
        else:
            yield line


def name_of(line: str) -> str:
    found = NAME.match(line)
    return project_name(found.group(1)) if found and not line.startswith("-") else ""


def read_pipfile(tree: Tree, path: str, extras: list, groups: list) -> Needs:
    text = read_inside(tree, path) or ""
    about = json.loads(text) if path.endswith(".lock") else parse_toml(text)
    sources = about.get("source") or about.get("_meta", {}).get("sources") or []
    lines = pipfile_lines(about, groups, sources)
    return Needs(path, "lines", {path: text}, lines, groups=pipfile_groups(about))


def read_pylock(tree: Tree, path: str, extras: list, groups: list) -> Needs:
    text = read_inside(tree, path) or ""
    lock = parse_toml(text)
    return Needs(path, "pylock", {path: text}, [], lock_pins(lock), lock.get("extras", []), lock.get("dependency-groups", []))


def packages_of(needs: Needs) -> set:
    """The names of what is required, in lower case."""
    names = {name_of(line) for line in [*needs.lines, *needs.pins]}
    return {name.lower() for name in names if name} | {name_of(line).lower() for line in project_lines(needs)}


def project_lines(needs: Needs) -> list:
    """Those of a pyproject.toml that uv reads itself."""
    about = getattr(needs.project, "about", None) or {}
    return [line for line in about.get("project", {}).get("dependencies", []) if isinstance(line, str)]
