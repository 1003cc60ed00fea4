# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The version of a project that takes it from git: a release has no history to take it from."""

from __future__ import annotations

import os
import re

from ansible_collections.selfhost.flask.plugins.module_utils.build.needs import read_project
from ansible_collections.selfhost.flask.plugins.module_utils.common.tree import Tree, read_inside

RELEASE = re.compile(r"(?:[A-Za-z][\w.-]*?[-_/])?v?(\d+(?:\.\d+)*(?:[-._]?(?:a|b|c|rc|alpha|beta|post|dev)[-._]?\d*)*(?:\+[\w.]+)?)", re.I)
ASKS = re.compile(r"setuptools[-_]scm|hatch-vcs|use_scm_version|pdm-backend|poetry-dynamic-versioning", re.I)
NAME = re.compile(r"\bname\s*=\s*[\"']?([\w.-]+)")


def version_of(name: str, commit: str) -> str:
    """The version that a tag says; of another commit what setuptools_scm says where it sees no tag."""
    release = RELEASE.fullmatch(name)
    return release.group(1) if release and not commit.startswith(name) else "0.1.dev0+g%s" % commit[:8]


def scm_variables(tree: Tree, version: str, folder: str = "") -> dict:
    """What tells build tools the version of the project in a folder; nothing where it doesn't ask git."""
    folder = folder or tree.folder
    texts = {name: read_inside(tree, os.path.join(folder, name)) or "" for name in ("pyproject.toml", "setup.cfg", "setup.py")}
    about = read_project(tree, os.path.join(folder, "pyproject.toml")).project if texts["pyproject.toml"] else {}
    if not version or "version" in about or not any(ASKS.search(text) for text in texts.values()):
        return {}
    found = NAME.search(texts["setup.cfg"]) or NAME.search(texts["setup.py"])
    name = about.get("name") or (found.group(1) if found else "")
    own = "_FOR_" + re.sub(r"[-_.]+", "_", name).upper() if name else ""
    return {"SETUPTOOLS_SCM_PRETEND_VERSION" + own: version, **others(texts["pyproject.toml"], version)}


def others(text: str, version: str) -> dict:
    """Build tools that know no version for one project alone."""
    names = {"pdm-backend": "PDM_BUILD_SCM_VERSION", "poetry-dynamic-versioning": "POETRY_DYNAMIC_VERSIONING_BYPASS"}
    return {variable: version for tool, variable in names.items() if tool in text}
