# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exact versions in a lock file."""

from __future__ import annotations

import re

from ansible_collections.selfhost.flask.plugins.module_utils.build.tables import git_url, project_name

PLAIN = ("git", "url", "path", "directory", "editable", "virtual", "file")


def lock_pins(lock: dict) -> list:
    """The lines of all packages in a lock of Poetry, PDM, uv, or of pylock.toml, with their hashes."""
    packages = lock.get("package") or lock.get("packages") or []
    places = {}
    for one in packages:
        places.setdefault(project_name(one["name"]), set()).add(address(one))
    lines = [pin(one, lock, len(places[project_name(one["name"])]) > 1) for one in packages]
    return list(dict.fromkeys(filter(None, lines)))


def pin(package: dict, lock: dict, is_one_of_several: bool) -> str:
    """A package's line; none for a folder, which is the release's own, and has no version to be kept to."""
    marker = marker_of(package) if is_one_of_several else ""
    where = address(package)
    if where is None or (is_one_of_several and not marker and "resolution-markers" not in package):
        return ""
    return package["name"] + where + (" ; " + marker if marker else "") + hashes_of(package, lock)


def address(package: dict) -> str | None:
    """The version, or where the lock has it from."""
    source = package.get("source") or {}
    if source.get("type") == "git":
        return " @ git+%s@%s" % (git_url(source["url"]), source["resolved_reference"])
    if isinstance(package.get("git"), str):  # PDM
        return " @ git+%s@%s" % (git_url(package["git"]), package["revision"])
    if isinstance(package.get("vcs"), dict):  # pylock.toml
        return " @ git+%s@%s" % (package["vcs"].get("url", ""), package["vcs"]["commit-id"])
    if isinstance(source.get("git"), str):  # uv
        url, dummy, commit = source["git"].partition("#")
        return " @ git+%s@%s" % (url.partition("?")[0], commit)
    url = source.get("url") if source.get("type") == "url" else package.get("url")
    if url:
        return " @ " + url
    folder = source.get("type") in ("directory", "file") or any(source.get(name) for name in PLAIN)
    return None if folder or package.get("path") or not package.get("version") else "==" + package["version"]


def marker_of(package: dict) -> str:
    found = package.get("markers") or package.get("marker") or ""
    return found.get("main") or "" if isinstance(found, dict) else found


def hashes_of(package: dict, lock: dict) -> str:
    """The hashes of a package's files, where the lock has them beside it or in a table of its own."""
    files = package.get("files") or lock.get("metadata", {}).get("files", {}).get(package["name"]) or []
    found = [one["hash"] for one in files if isinstance(one, dict) and one.get("hash")]
    return "".join(" --hash=" + one for one in found) if address(package).startswith("==") else ""


def depends_on(lock: dict, project: str) -> bool:
    """Whether a package in a lock depends on the project that the lock is of, as plugins of it do."""
    others = (package for package in lock.get("package", []) if project_name(package["name"]) != project)
    return any(project in map(dependency_name, package.get("dependencies") or []) for package in others)


def dependency_name(dependency: dict | str) -> str:
    """A table of uv's, a requirement of PDM's, or a key of Poetry's."""
    name = dependency["name"] if isinstance(dependency, dict) else dependency
    return project_name(re.split(r"[^\w.-]", name, maxsplit=1)[0])


def local_lines(lock: dict) -> list:
    """The folders and files of the repository that uv's lock takes packages from, but for the project itself."""
    sources = [package.get("source") or {} for package in lock.get("package", [])]
    found = [("-e " + source["editable"]) if "editable" in source else source.get("directory") or source.get("path")
             for source in sources]
    return ["-e ./" + one[3:] if one.startswith("-e ") else "./" + one for one in found
            if one and one not in ("-e .", ".") and "://" not in one]
