# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pyproject.toml asks for: its dependencies, and those of the extras and groups that are chosen."""

from __future__ import annotations

import re
from typing import Iterator

from ansible_collections.selfhost.flask.plugins.module_utils.build.poetry import poetry_groups, poetry_lines
from ansible_collections.selfhost.flask.plugins.module_utils.build.tables import project_name

REFERENCE = re.compile(r"\s*([\w.-]+)\s*\[([^]]*)\]\s*(?:;.*)?$")


class Project:
    """A pyproject.toml that was read."""

    def __init__(self, about: dict) -> None:
        self.about = about
        self.project = about.get("project", {})
        self.tool = about.get("tool", {})
        self.poetry = self.tool.get("poetry", {})

    @property
    def name(self) -> str:
        """As package indexes compare it; empty where it has none."""
        return project_name(self.project.get("name") or self.poetry.get("name") or "")

    @property
    def is_dynamic(self) -> bool:
        """Whether its build tool alone knows what it depends on."""
        return "dependencies" in self.project.get("dynamic", []) and not self.is_poetry

    @property
    def is_poetry(self) -> bool:
        """Whether the dependencies are in Poetry's own tables."""
        return "dependencies" in self.poetry and "dependencies" not in self.project

    @property
    def asks(self) -> bool:
        """Whether it says anything of dependencies; many have just the settings of tools."""
        return "dependencies" in self.project or self.is_dynamic or self.is_poetry

    def extras(self) -> list:
        return [*self.project.get("optional-dependencies", {}), *self.poetry.get("extras", {})]

    def groups(self) -> list:
        return [*self.about.get("dependency-groups", {}), *poetry_groups(self.poetry), *self._pdm()]

    def _pdm(self) -> dict:
        return self.tool.get("pdm", {}).get("dev-dependencies", {})

    def lines(self, extras: list, groups: list) -> list:
        """The requirements, each as a line."""
        found = [*self._indexes(), *self.project.get("dependencies", [])]
        found += [line for name in extras for line in self._extra(name, set())]
        found += [line for name in groups for line in [*self._group(name), *self._pdm().get(name, [])]]
        return found + (poetry_lines(self.poetry, extras, groups) if self.poetry else []) if self.is_poetry else found

    def _indexes(self) -> list:
        sources = self.tool.get("pdm", {}).get("source", [])
        return ["--extra-index-url " + one["url"] for one in sources if one.get("url") and one.get("name") != "pypi"]

    def _extra(self, name: str, seen: set) -> Iterator[str]:
        """An extra may be made of others of the same project."""
        for line in [] if name in seen else self.project.get("optional-dependencies", {}).get(name, []):
            own = REFERENCE.match(line)
            if own and project_name(own.group(1)) == project_name(self.project.get("name", "")):
                for other in re.split(r"\s*,\s*", own.group(2).strip()):
                    yield from self._extra(other, seen | {name})
            else:
                yield line

    def _group(self, name: str) -> Iterator[str]:
        for item in self.about.get("dependency-groups", {}).get(name, []):
            if isinstance(item, str):
                yield item
            elif item.get("include-group") != name:
                yield from self._group(item.get("include-group", ""))

    def sources(self) -> list:
        """What uv takes from git or from a folder instead of from an index, by tables."""
        tables = self.tool.get("uv", {}).get("sources", {}).values()
        return [one for table in tables for one in (table if isinstance(table, list) else [table])]
