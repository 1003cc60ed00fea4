# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pyproject.toml asks for in Poetry's own tables, with its versions as everybody reads them."""

from __future__ import annotations

import re

from ansible_collections.selfhost.flask.plugins.module_utils.build.tables import project_name, requirement_lines


def poetry_lines(poetry: dict, extras: list, groups: list) -> list:
    """The requirements of the project itself, and of the extras and groups that are chosen."""
    chosen = {project_name(name) for extra in extras for name in poetry.get("extras", {}).get(extra, [])}
    tables = [poetry.get("dependencies", {}), *(group_table(poetry, group) for group in groups)]
    found = [line for table in tables for name, spec in table.items() if is_wanted(name, spec, chosen)
             for line in requirement_lines(name, spec, pep440)]
    return [*("--extra-index-url " + one["url"] for one in poetry.get("source", []) if is_private(one)), *found]


def is_private(source: dict) -> bool:
    return bool(source.get("url")) and source.get("priority") != "explicit"


def is_wanted(name: str, spec: object, chosen: set) -> bool:
    """Whether it is a package, and no optional one that no extra asks for."""
    optional = isinstance(spec, dict) and spec.get("optional")
    return name.lower() != "python" and (not optional or project_name(name) in chosen)


def group_table(poetry: dict, name: str) -> dict:
    """The packages of a group; earlier versions of Poetry knew just one."""
    old = poetry.get("dev-dependencies", {}) if name == "dev" else {}
    return dict(old, **poetry.get("group", {}).get(name, {}).get("dependencies", {}))


def poetry_groups(poetry: dict) -> list:
    return [*poetry.get("group", {}), *(["dev"] if poetry.get("dev-dependencies") else [])]


def pep440(version: str) -> str:
    """Poetry's version in the language of all others; of several alternatives the last."""
    pieces = re.split(r"\s*,\s*|(?<=[\w*])\s+(?=[<>=!~^])", version.split("||")[-1].strip())
    return ",".join(filter(None, map(piece, pieces)))


def piece(text: str) -> str:
    text = re.sub(r"\s", "", text)
    if text in ("", "*"):
        return ""
    if text.startswith("^") or re.match(r"~(?!=)", text):
        return at_least(text[1:], text[0])
    return text if text[0] in "<>=!~" else "==" + text


def at_least(version: str, sign: str) -> str:
    """`^1.2` is up to the next version that may break something, `~1.2` up to the next minor one."""
    numbers = [int(number) for number in re.match(r"[\d.]*\d", version).group().split(".")]
    change = min(1, len(numbers) - 1)
    if sign == "^":
        change = next((place for place, number in enumerate(numbers) if number), len(numbers) - 1)
    limit = numbers[:change] + [numbers[change] + 1]
    return ">=%s,<%s" % (version, ".".join(map(str, limit)))
