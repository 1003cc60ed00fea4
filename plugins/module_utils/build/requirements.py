# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an application's requirements are, each in one spelling, and how those of two versions differ."""

from __future__ import annotations

import re

from ansible_collections.selfhost.flask.plugins.module_utils.build.needs import find_needs
from ansible_collections.selfhost.flask.plugins.module_utils.build.requirements_files import EDITABLE
from ansible_collections.selfhost.flask.plugins.module_utils.build.tables import project_name
from ansible_collections.selfhost.flask.plugins.module_utils.common.tree import Tree, printable

OPTIONS = re.compile(r"\s+--[a-z].*$")  # of one requirement, such as its hashes
USER_IN_URL = re.compile(r"(?<=://)[^/\s]*@")
QUERY_OF_URL = re.compile(r"(://[^\s?#]*)\?[^\s#]*")
NAME = r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)"
REQUIREMENT = re.compile(NAME + r"\s*(\[[^]]*\])?\s*(?:(@.*)|\(?([<>=!~][^;)]*)?\)?\s*(?:;\s*(.*))?)")
EGG = re.compile(r"#(?:.*&)?egg=" + NAME)


def requirements(tree: Tree | None, params: dict) -> list[str]:
    """The requirements of a tree, normalised, each once; constraints are among them. Of a lock, what it holds.

    Options are left out: an index's URL can hold a password.
    """
    needs = find_needs(tree, params) if tree else None
    lines = (needs.pins or needs.lines) if needs else []
    return list(dict.fromkeys(normalised(line) for line in lines if line[0] != "-" or EDITABLE.match(line)))


def normalised(line: str) -> str:
    """A requirement in one spelling, without its hashes and without what a URL may hold of a secret."""
    editable = EDITABLE.match(line)
    line = OPTIONS.sub("", line[editable.end():] if editable else line)
    line = QUERY_OF_URL.sub(r"\1", USER_IN_URL.sub("", printable(line)))
    match = REQUIREMENT.fullmatch(line)
    if editable or match is None:
        return "-e " + line if editable else line
    name, extras, url, specifiers, marker = (part or "" for part in match.groups())
    if url:
        return "%s%s @ %s" % (project_name(name), extras.replace(" ", ""), url[1:].strip())
    versions = ",".join(sorted(re.sub(r"\s", "", specifiers).split(",")))
    return project_name(name) + re.sub(r"\s", "", extras) + versions + ("; " + marker if marker else "")


def split(line: str) -> tuple[str, str]:
    """(project, what is asked of it) of a normalised requirement; of an exact version just that."""
    match, egg = REQUIREMENT.fullmatch(line), EGG.search(line)
    if match is None or line.startswith("-e "):
        return (project_name(egg.group(1)) if egg else line), line
    rest = line[match.end(1):].strip()
    return match.group(1), re.sub(r"^==(?=[^,;=]*$)", "", rest)


def compare_requirements(before: list[str], after: list[str]) -> dict:
    """Which requirements were added, removed, or changed for the same project."""
    result = dict(added=[], removed=[], changed=[])
    lost = [line for line in before if line not in after]
    new = [line for line in after if line not in before]
    for name in sorted({split(line)[0] for line in lost + new}):
        removed, added = ([line for line in lines if split(line)[0] == name] for lines in (lost, new))
        if len(removed) == len(added) == 1:
            result["changed"].append(dict(name=name, before=split(removed[0])[1], after=split(added[0])[1]))
        else:
            result["removed"] += removed
            result["added"] += added
    return result
