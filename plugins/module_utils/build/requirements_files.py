# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that name an application's requirements: which they are, what they include, and their text."""

from __future__ import annotations

import os
import re

from ansible_collections.selfhost.flask.plugins.module_utils.common.files import write_file
from ansible_collections.selfhost.flask.plugins.module_utils.common.tree import Tree, read_inside
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import ReleaseError

NAMES = ("requirements.txt", "pyproject.toml")
OTHERS = re.compile(r"Pipfile(\.lock)?|setup\.(py|cfg)|environment\.ya?ml|.*requirements.*\.(txt|in)")
COMMENT = re.compile(r"(?:^|\s+)#.*$", re.M)
CONTINUED = re.compile(r"\\\n")
INCLUDE = re.compile(r"^\s*(?:-r|-c|--requirement|--constraint)[ =]*(\S+)", re.M)
EDITABLE = re.compile(r"(?:-e|--editable)[ =]*")
EDITABLE_GIT = re.compile(r"^(\s*)(?:-e|--editable)[ =]*(?=git\+)", re.M)
PROJECT = re.compile(r"^\[project\][ \t]*(?:#[^\n]*)?$(.*?)(?=^\[[^\n]*\][ \t]*(?:#[^\n]*)?$|\Z)", re.M | re.S)
STRING = r'"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\''
DEPENDENCIES = re.compile(r"^dependencies[ \t]*=[ \t]*\[((?:[\s,]|#[^\n]*\n|%s)*)\]" % STRING, re.M)
ITEM = re.compile(r"#[^\n]*|(%s)" % STRING)
MISSING = (
    "The application has no %(wanted)s%(others)s. Add requirements.txt or pyproject.toml to the repository, or set "
    "app_requirements to the file that names what the application needs."
)


def requirements_file(tree: Tree, wanted: str) -> str | None:
    """The file that names the requirements, or None."""
    paths = (os.path.join(tree.folder, name) for name in ([wanted] if wanted else NAMES))
    return next((path for path in paths if os.path.isfile(path)), None)


def read_requirements(tree: Tree, wanted: str) -> dict:
    """The texts of the requirements' file and of those that it includes, by their paths."""
    path = requirements_file(tree, wanted)
    return included(tree, path) if path else {}


def included(tree: Tree, path: str) -> dict:
    """A requirements file and, each once, those that it includes, with their texts."""
    found, waiting = {}, [path]
    while waiting:
        path = os.path.normpath(waiting.pop())
        text = None if path in found else read_inside(tree, path)
        if text is not None:
            found[path] = text
            names = [] if path.endswith(".toml") else INCLUDE.findall(text)
            waiting.extend(os.path.join(os.path.dirname(path), name) for name in names)
    return found


def check_requirements(tree: Tree, wanted: str) -> None:
    """Raises ReleaseError where no file names the requirements, or one of them is no text."""
    texts = read_requirements(tree, wanted)
    if not texts:
        others = sorted(other_files(tree))
        said = ", but has %s" % ", ".join(others) if others else ""
        raise ReleaseError(MISSING % dict(wanted=wanted or " and no ".join(NAMES), others=said))
    for path, text in texts.items():
        if "\0" in text:
            name = os.path.relpath(path, tree.folder)
            raise ReleaseError("%s is no text, so nothing can be installed from it. Save it as UTF-8." % name)


def other_files(tree: Tree) -> set:
    """What else in a tree may say what the application needs."""
    inner = (os.path.join("requirements", name) for name in folder_names(os.path.join(tree.folder, "requirements")))
    return {name for name in [*folder_names(tree.folder), *inner] if OTHERS.fullmatch(name)}


def folder_names(path: str) -> list:
    return os.listdir(path) if os.path.isdir(path) else []


def write_plainly(tree: Tree, wanted: str) -> None:
    """Writes the files as every installer reads them: UTF-8, and nothing of git editable, which uv refuses."""
    for path, text in read_requirements(tree, wanted).items():
        content = EDITABLE_GIT.sub(r"\1", text).encode()
        with open(path, "rb") as file:
            present = file.read()
        if content != present.replace(b"\r\n", b"\n"):
            write_file(os.path.realpath(path), content, 0o644)


def logical_lines(text: str) -> list[str]:
    """The lines of a requirements file without comments; those that are continued as one."""
    return [line for line in map(str.strip, CONTINUED.sub(" ", COMMENT.sub("", text)).split("\n")) if line]


def project_dependencies(text: str) -> list[str]:
    """The dependencies of a pyproject.toml; not every host's Python has a parser for it."""
    section = PROJECT.search(text)
    array = DEPENDENCIES.search(section.group(1)) if section else None
    return [item[1:-1].replace('\\"', '"') for item in ITEM.findall(array.group(1)) if item] if array else []
