# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be seen of requirements before anything is installed, and often before the host is set up."""

from __future__ import annotations

import os
import re
from typing import Iterator

from ansible_collections.selfhost.flask.plugins.module_utils.build.git_access import GitAccess
from ansible_collections.selfhost.flask.plugins.module_utils.build.needs import (
    LOCKS,
    NAMES,
    Needs,
    find_needs,
    name_of,
    others,
    requirements_file,
)
from ansible_collections.selfhost.flask.plugins.module_utils.build.requirements_files import included_paths
from ansible_collections.selfhost.flask.plugins.module_utils.build.wishes import check_wish
from ansible_collections.selfhost.flask.plugins.module_utils.common.tree import Tree, printable
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import ReleaseError

MISSING = (
    "The application has no %(wanted)s%(others)s. Add requirements.txt or pyproject.toml to the repository, or set "
    "app_requirements to the file that names what the application needs."
)
CONDA = (
    "%s is a file of conda, which this host does not have. Write what the application needs from a package index to a "
    "requirements.txt, such as by `pip list --format=freeze`, and set app_requirements to that if it is called otherwise."
)
NO_TEXT = "%s is no text, so nothing can be installed from it. Save it as UTF-8."
NOT_THERE = "%s includes %s, which the repository does not have. Add it, or take the line out."
OTHER_TOOL = "%s asks for %s, and uv reads from git alone. Ask for a version from a package index, or for one in git."
ELSEWHERE = (
    "%s asks for %s, a folder of the computer where `pip freeze` or conda wrote it. Write the version instead, such as "
    "%s==1.0; `pip list --format=freeze` does."
)
NO_VALUE = "%s asks for ${%s}, and app_requirements_env has no %s. Set it there."
UNKNOWN = "%s has %s, and %s has no such %s. Set it to some of: %s."
BESIDE = "%s is what is installed, and the repository has %s, too. Set app_requirements to the one that is meant."
STALE = "%s has no %s, for which %s asks: it is older. Update the lock, such as by `%s lock`, and push it."
OTHER_VCS = re.compile(r"(?:^|@\s*|\s)((?:svn|hg|bzr)\+\S+)")
ELSEWHERE_LINE = re.compile(r"([\w.-]+)\s*@\s*(file:/+(?:croot|home/conda|home/builder|tmp/build|opt/conda|Users|private|[A-Za-z]:)/\S*)")


def check_needs(tree: Tree, params: dict) -> Needs:
    """What the requirements are; ReleaseError where they can't be installed, whatever the host is."""
    name = params["requirements"]
    if re.search(r"\.ya?ml$", name) or not requirements_file(tree, name):
        raise ReleaseError(nothing_found(tree, name))
    check_wish(tree, params["python"])
    needs = find_needs(tree, params)
    problem = next(problems(tree, needs, params), None)
    if problem:
        raise ReleaseError(problem)
    return needs


def nothing_found(tree: Tree, wanted: str) -> str:
    """What to do where no file names the requirements."""
    found = others(tree)
    conda = [name for name in [wanted, *found] if re.search(r"\.ya?ml$", name)]
    if conda and len(found) <= 1:
        return CONDA % conda[0]
    said = ", but has %s" % ", ".join(found) if found else ""
    return MISSING % dict(wanted=wanted or "requirements.txt and no pyproject.toml", others=said)


def other_lock(tree: Tree, params: dict) -> str:
    """That a lock is not what is installed, if nobody has chosen."""
    path = requirements_file(tree, params["requirements"])
    locks = [name for name in (*LOCKS, "Pipfile.lock") if os.path.isfile(os.path.join(tree.folder, name))]
    return BESIDE % (NAMES[0], " and ".join(locks)) if locks and not params["requirements"] and path.endswith(NAMES[0]) else ""


def problems(tree: Tree, needs: Needs, params: dict) -> Iterator[str]:
    """What is wrong with them, the first first."""
    name = os.path.relpath(needs.path, tree.folder)
    for path, text in needs.texts.items():
        if "\0" in text:
            yield NO_TEXT % os.path.relpath(path, tree.folder)
    yield from unknown(name, "app_requirements_extras", params["extras"], needs.extras, "extra")
    yield from unknown(name, "app_requirements_groups", params["groups"], needs.groups, "group")
    for variable in GitAccess(params).missing([*needs.lines, *needs.pins]):
        yield NO_VALUE % (name, variable, variable)
    yield from problems_of_lines(tree, needs, name)
    yield from stale(needs, name)


def unknown(name: str, variable: str, wanted: list, found: list, noun: str) -> Iterator[str]:
    """What was chosen and is not there."""
    for one in wanted:
        if one not in found:
            yield UNKNOWN % (variable, printable(one), name, noun, ", ".join(map(printable, found)) or "none")


def problems_of_lines(tree: Tree, needs: Needs, name: str) -> Iterator[str]:
    for path, text in needs.texts.items() if needs.how == "files" else ():
        for inner in included_paths(path, text):
            if inner not in needs.texts:
                yield NOT_THERE % tuple(os.path.relpath(one, tree.folder) for one in (path, inner))
    for line in needs.lines:
        other, elsewhere = OTHER_VCS.search(line), ELSEWHERE_LINE.match(line)
        if other:
            yield OTHER_TOOL % (name, printable(other.group(1)))
        if elsewhere:
            yield ELSEWHERE % (name, printable(elsewhere.group(2)), elsewhere.group(1))


def stale(needs: Needs, name: str) -> Iterator[str]:
    """What the project asks for, and its lock does not have."""
    tool = os.path.basename(name).partition(".")[0]
    if not needs.pins or tool not in ("poetry", "pdm"):
        return
    locked = {name_of(line) for line in needs.pins}
    for line in needs.lines:
        one = name_of(line)
        if one and one not in locked and " @ " not in line and not line.startswith("."):
            yield STALE % (name, one, "pyproject.toml", tool)
