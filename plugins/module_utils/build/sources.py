# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What requirements take from a release's own files and from git repositories, whose content changes."""

from __future__ import annotations

import os
import re
from typing import Iterator, NamedTuple
from urllib.parse import urlsplit

from ansible_collections.selfhost.flask.plugins.module_utils.build.needs import Needs
from ansible_collections.selfhost.flask.plugins.module_utils.build.requirements_files import EDITABLE
from ansible_collections.selfhost.flask.plugins.module_utils.build.tables import git_url
from ansible_collections.selfhost.flask.plugins.module_utils.common.manifest import content, file_digest
from ansible_collections.selfhost.flask.plugins.module_utils.common.tree import Tree

FULL_COMMIT = re.compile(r"[0-9a-f]{40}")
FOUND_IN = re.compile(r"(?:-f|--find-links)[ =]*")
AT_URL = re.compile(r"[A-Za-z0-9._-]+\s*(?:\[[^]]*\])?\s*@\s*(?=\S+:)")
ENDING = re.compile(r"\s*(?:\[[^]]*\])?\s*(?:\s;.*|\s--[a-z].*)?$")
PACKED = (".whl", ".tar.gz", ".zip", ".tar.bz2")
HERE = re.compile(r"\$\{(?:PROJECT_ROOT|PWD)\}/?")
SETUP = re.compile(r"setup\.(py|cfg)|.*\.(txt|in)|requirements.*")
NOT_SOURCE = (".venv", ".env", ".public")  # what a release has beside its source


class Git(NamedTuple):
    """A git repository among the requirements, and what of it is wanted."""

    url: str
    version: str


class Sources:
    """What the requirements of a tree take from elsewhere than a package index."""

    def __init__(self, tree: Tree, needs: Needs | None) -> None:
        self.tree = tree
        self.local, self.editable, self.git = set(), False, []
        self.is_dynamic = bool(needs and needs.is_dynamic)
        if needs:
            self._read_lines([*needs.lines, *needs.pins])
            self._read_lines(["-e ."] if needs.is_package else [])
            self._read_tables(needs.project.sources() if needs.how == "project" else [])

    def _read_tables(self, tables: list) -> None:
        """What uv has in tables of its own in pyproject.toml."""
        for table in tables:
            if table.get("git"):
                version = next((table[name] for name in ("rev", "tag", "branch") if table.get(name)), "HEAD")
                self.git.append(Git(git_url(table["git"]), version))
            elif table.get("path") or table.get("workspace"):
                self._add_local(table.get("path") or ".", bool(table.get("editable") or table.get("workspace")))

    def _read_lines(self, lines: list) -> None:
        for line in lines:
            editable, found_in = EDITABLE.match(line), FOUND_IN.match(line)
            line = line[(editable or found_in).end():] if editable or found_in else line
            what = ENDING.sub("", AT_URL.sub("", line).strip("\"'"))
            if what.startswith("git+"):
                self.git.append(git_source(what))
            elif editable or found_in or is_path(what):
                self._add_local(what, bool(editable))

    def _add_local(self, name: str, editable: bool) -> None:
        """A path in the tree; one elsewhere on the host is not the release's."""
        path = re.sub(r"^file:(//(?=[/.]))?", "", HERE.sub("./", re.sub(r"[#?].*", "", name)))
        real, top = os.path.realpath(os.path.join(self.tree.folder, path)), os.path.realpath(self.tree.top)
        if (real + os.sep).startswith(top + os.sep) and os.path.exists(real):
            self.local.add(os.path.relpath(real, top))
            self.editable = self.editable or editable

    def digests(self) -> dict:
        """What stands for the content of the local ones, by their paths."""
        found = {name: self._digest(os.path.normpath(os.path.join(self.tree.top, name))) for name in sorted(self.local)}
        if self.is_dynamic:
            found["setup"] = [digest_of(path) for path in self._setup_files()]
        return found

    def _digest(self, path: str) -> str:
        inner = os.path.relpath(self.tree.folder, path)
        left_out = [os.path.normpath(os.path.join(inner, name)) for name in NOT_SOURCE]
        return digest_of(path, *left_out)

    def _setup_files(self) -> Iterator[str]:
        """What the dynamic dependencies of a project are read from."""
        for name in sorted(os.listdir(self.tree.folder)):
            path = os.path.join(self.tree.folder, name)
            if SETUP.fullmatch(name) and not os.path.islink(path):
                yield path


def digest_of(path: str, *left_out: str) -> str:
    return content(path, *left_out) if os.path.isdir(path) else file_digest(path).hex()


def is_path(what: str) -> bool:
    """Whether a requirement is a path rather than a project's name or a URL."""
    if what.startswith("file:"):
        return True
    return "://" not in what and (what.startswith(".") or "/" in what or what.endswith(PACKED))


def git_source(what: str) -> Git:
    """The repository of a `git+URL@version` and its version."""
    url = urlsplit(git_url(what[len("git+"):]))
    path, dummy, version = url.path.rpartition("@") if "@" in url.path else (url.path, "", "HEAD")
    return Git(url._replace(path=path, query="", fragment="").geturl(), version)
