# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Poetry and Pipenv write as a table for each package, as a line of a requirements file."""

from __future__ import annotations

import re
from typing import Callable, Iterator

MARKERS = ("sys_platform", "os_name", "platform_machine", "platform_python_implementation", "platform_system",
           "platform_version", "implementation_name", "python_version", "python_full_version")
SCP = re.compile(r"^(?:ssh://)?([\w.-]+@)?([\w.-]+):(?!\d+/|/)(?=[^/])")


def project_name(name: str) -> str:
    """A project's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement_lines(name: str, spec: object, convert: Callable) -> list:
    """The lines of a package, of which several versions may be asked for, each with its marker."""
    return [requirement_line(name, one, convert) for one in (spec if isinstance(spec, list) else [spec])]


def requirement_line(name: str, spec: object, convert: Callable) -> str:
    table = spec if isinstance(spec, dict) else {"version": str(spec)}
    what = name + ("[%s]" % ",".join(table["extras"]) if table.get("extras") else "")
    marker = " and ".join(markers(table, convert))
    return place(name, what, table, convert) + (" ; " + marker if marker else "") + hashes(table)


def place(name: str, what: str, table: dict, convert: Callable) -> str:
    """Where a package comes from: an index, git, a URL, or a path."""
    path = table.get("path") or table.get("file")
    if table.get("git"):
        version = next((table[key] for key in ("rev", "ref", "tag", "branch") if table.get(key)), "")
        inner = "#subdirectory=" + table["subdirectory"] if table.get("subdirectory") else ""
        return "%s @ git+%s%s%s" % (what, git_url(table["git"]), "@" + version if version else "", inner)
    if table.get("url") or (path and "://" in path):
        return "%s @ %s" % (what, table.get("url") or path)
    if path:
        here = path if path.startswith((".", "/")) else "./" + path
        return ("-e " if table.get("develop") or table.get("editable") else "") + here + what[len(name):]
    return what + convert(table.get("version") or "*")


def git_url(url: str) -> str:
    """A git repository's URL as all programs read it, also from what ssh and scp take."""
    url = re.sub(r"^git://(?=github\.com/)", "https://", url)  # which GitHub has given up
    return url if re.match(r"(?!ssh:)\w+://", url) else SCP.sub(lambda match: "ssh://%s%s/" % (match[1] or "", match[2]), url)


def markers(table: dict, convert: Callable) -> Iterator[str]:
    """The conditions under which a package is asked for."""
    if table.get("markers"):
        yield "(%s)" % table["markers"] if " or " in table["markers"] else table["markers"]
    for name in MARKERS:
        if table.get(name):
            yield "%s %s" % (name, table[name])
    if table.get("platform"):
        yield "sys_platform == '%s'" % table["platform"]
    if table.get("python"):
        yield python_marker(table["python"], convert)


def python_marker(versions: str, convert: Callable) -> str:
    """Poetry's versions of Python, such as `^3.9`, as a marker."""
    ways = []
    for way in versions.split("||"):
        pieces = [re.match(r"\s*([<>=!~]+)\s*(\S+)", piece) for piece in convert(way).split(",")]
        ways.append(" and ".join("%s %s '%s'" % (name_of_python(two), one, two)
                                 for one, two in (piece.groups() for piece in pieces if piece)))
    return "(%s)" % " or ".join(filter(None, ways)) if len(ways) > 1 else ways[0]


def name_of_python(version: str) -> str:
    return "python_version" if version.count(".") < 2 or version.endswith("*") else "python_full_version"


def hashes(table: dict) -> str:
    return "".join(" --hash=" + one for one in table.get("hashes") or [])
