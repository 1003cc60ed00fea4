# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to set when an application was refused something, by what it said of that."""

from __future__ import annotations

import os
import re

from ansible_collections.selfhost.flask.plugins.module_utils.common.pages import PAGE

RELEASE = r"/srv/[^/']+/(?:releases/[^/']+|current|slots/\w+)/"
PATH = r"'(?:%s)?(?P<%%s>[^/'\n][^'\n]*)'" % RELEASE
REFUSED = re.compile(
    r"\[Errno (?:13|30)\] [^:\n]*: (?:'[^'\n]+' -> )?(?:b)?" + PATH % "errno"  # of Python, and of its databases
    + r"|E(?:ACCES|ROFS): [^'\n]*" + PATH % "node"  # of Node.js
    + r"|(?P<sqlite>sqlite3\.OperationalError\)?:? (?:unable to open database file|attempt to write a readonly database))"
)
RUN = "and run `selfhost.flask.update`."
WRITES = "The application writes to %(path)s, which is a part of its release and can't be changed. "
SHARE = WRITES + "Add %(share)s to flask_shared_paths, " + RUN
MOVE = WRITES + "Have it write into a folder, add that to flask_shared_paths, " + RUN
# Programs that can be told where to write, or when, by the names of what they write.
PROGRAMS = {
    r"celerybeat-schedule": "Start it in flask_workers with `celery … beat --schedule instance/celerybeat-schedule`, " + RUN,
    r"\.webassets-cache|\.sass-cache|webassets": "Have its assets built before: flask_build: [flask assets build], " + RUN,
}
SQLITE = (
    "The application can't write its SQLite file, or open it. Nothing in its release can be changed: give it the database of "
    "flask_database by the settings that it reads (see " + PAGE % "settings" + "), or keep the file in a folder of "
    "flask_shared_paths, such as instance/, " + RUN
)
# What else is known by what Python says of it.
KNOWN = {
    r"No module named '?pkg_resources": (
        "Newer versions of setuptools have no pkg_resources. Set app_extra_packages: [\"setuptools<81\"], " + RUN
    ),
}


def advice(text: str) -> str:
    """What to set for the last file of a release that could not be written, or for what else is known; else empty."""
    found = [match.groupdict() for match in REFUSED.finditer(text)]
    if not found:
        return next((helpful for said, helpful in KNOWN.items() if re.search(said, text)), "")
    path = found[-1]["errno"] or found[-1]["node"]
    return advice_on(path) if path else SQLITE


def advice_on(path: str) -> str:
    """The same for a path in the release."""
    for name, remedy in PROGRAMS.items():
        if re.search(name, path):
            return WRITES % dict(path=path) + remedy
    folder = os.path.dirname(path) if os.path.splitext(path)[1] else path
    return (SHARE if folder else MOVE) % dict(path=path, share=folder)
