# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python an application asks for: by flask_python, or else by a file in its repository."""

from __future__ import annotations

import os
import re
from typing import Callable, NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.build.poetry import pep440
from ansible_collections.selfhost.flask.plugins.module_utils.build.specifiers import nearest, satisfies
from ansible_collections.selfhost.flask.plugins.module_utils.common.toml import TomlError, parse_toml
from ansible_collections.selfhost.flask.plugins.module_utils.common.tree import Tree, printable, read_inside
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import ReleaseError

SYSTEM = "system"
VARIABLE = "flask_python"
VERSION = re.compile(r"(?:c?python)?[-@ ]?(\d+\.\d+)(?:\.\d+)?\s*$", re.I)
TOO_OLD = (
    "%s asks for Python %s, which is not available: 3.8 is the oldest. Set flask_python to a version that the "
    "application runs with, such as \"3.8\", or to system for the one of the distribution."
)


class Wish(NamedTuple):
    """The versions that are fine, and who says so."""

    specifier: str
    where: str

    def is_met(self, version: tuple) -> bool:
        return satisfies(version, self.specifier)

    def version(self, present: tuple) -> str:
        """The version to fetch, where the system has `present`."""
        exact = self.where == VARIABLE
        return self.specifier.lstrip("=") if exact else nearest(self.specifier, present)


def find_wish(tree: Tree, given: str) -> Wish | None:
    """None where the system's or another interpreter of the host is the one."""
    if given == SYSTEM or os.path.isabs(given):
        return None
    return Wish("==" + given, VARIABLE) if given else wish_of(tree)


def wish_of(tree: Tree) -> Wish | None:
    """What the repository asks for; the first file that says something counts."""
    for name, read in READERS.items():
        for folder in dict.fromkeys([tree.folder, tree.top]):
            specifier = read(read_inside(tree, os.path.join(folder, name)) or "")
            if specifier:
                return Wish(specifier, name)
    return None


def version_file(text: str) -> str:
    """Of pyenv and uv, or Heroku's: one version, whose patch is the newest here."""
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    found = next(filter(None, lines), "")
    version = VERSION.match(found)
    return "==%s.*" % version.group(1) if version else found if re.match(r"[<>=~!]", found) else ""


def from_table(find: Callable) -> Callable:
    """A reader of what such a function finds in TOML."""

    def read(text: str) -> str:
        try:
            return str(find(parse_toml(text)) or "").strip()
        except (TomlError, AttributeError):  # the requirements' own look says it
            return ""

    return read


def project_python(about: dict) -> str:
    poetry = about.get("tool", {}).get("poetry", {}).get("dependencies", {}).get("python", "")
    return about.get("project", {}).get("requires-python") or "||".join(map(pep440, str(poetry).split("||")))


def pipfile_python(about: dict) -> str:
    asks = about.get("requires", {})
    version = VERSION.match(str(asks.get("python_version") or asks.get("python_full_version") or ""))
    return "==%s.*" % version.group(1) if version else ""


READERS = {
    ".python-version": version_file, "runtime.txt": version_file,
    "pyproject.toml": from_table(project_python), "Pipfile": from_table(pipfile_python),
}


def check_wish(tree: Tree, given: str) -> None:
    """ReleaseError where there is no such Python for any host."""
    wish = find_wish(tree, given)
    if wish and not nearest(wish.specifier, (3, 12, 0)):
        raise ReleaseError(TOO_OLD % (wish.where, printable(wish.specifier).replace("==", "").replace(".*", "")))
