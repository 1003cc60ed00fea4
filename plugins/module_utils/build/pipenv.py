# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Pipfile and Pipfile.lock ask for."""

from __future__ import annotations

from ansible_collections.selfhost.flask.plugins.module_utils.build.tables import requirement_lines

PYPI = "pypi.org/simple"
OWN = ("source", "requires", "pipenv", "scripts", "_meta")  # sections that name no packages
NAMES = {"packages": "default", "dev-packages": "develop"}  # of a section in the lock
SHORT = {"dev-packages": "dev", "develop": "dev"}


def pipfile_lines(pipfile: dict, groups: list, sources: list) -> list:
    """The requirements of a Pipfile or of its lock, and of the groups that are chosen, with the indexes they name."""
    plain = next((name for name in ("packages", "default") if name in pipfile), "packages")
    wanted = [plain, *(section for section in pipfile if short(section) in groups)]
    return [*index_lines(sources), *(
        line for section in wanted for name, spec in pipfile.get(section, {}).items()
        for line in requirement_lines(name, spec, lambda version: "" if version == "*" else version)
    )]


def index_lines(sources: list) -> list:
    """The first index is the one for all, as with pipenv."""
    urls = [source.get("url", "") for source in sources]
    return ["%s %s" % ("--extra-index-url" if number else "--index-url", url)
            for number, url in enumerate(urls) if url and not url.rstrip("/").endswith(PYPI)]


def pipfile_groups(pipfile: dict) -> list:
    """The sections beside the packages' own."""
    return [short(name) for name in pipfile if name not in (*OWN, "packages", "default")]


def short(section: str) -> str:
    return SHORT.get(section, section)
