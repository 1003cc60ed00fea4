# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to set when an application was refused something, by what it said of that."""

from __future__ import annotations

import os
import re

RELEASE = r"/srv/[^/']+/(?:releases/[^/']+|current|slots/\w+)/"
REFUSED = re.compile(
    r"(?:PermissionError|OSError): \[Errno (?:13|30)\] [^:\n]*: (?:'[^'\n]+' -> )?'(?:%s)?([^/'\n][^'\n]*)'" % RELEASE
)
SHARE = (
    "The application writes to %(path)s, which is a part of its release and can't be changed. Add %(share)s to "
    "app_shared_paths, and run update.yml."
)
MOVE = (
    "The application writes to %(path)s, which is a part of its release and can't be changed. Have it write into a "
    "folder, add that to app_shared_paths, and run update.yml."
)
# What else is known by what Python says of it.
KNOWN = {
    r"No module named '?pkg_resources": (
        "Newer versions of setuptools have no pkg_resources. Set app_extra_packages: [\"setuptools<81\"], and run update.yml."
    ),
    r"unable to open database file|attempt to write a readonly database": (
        "The application keeps a SQLite file where it can't write, such as beside its code. Give it the database of "
        "flask_database by the settings that it reads (see docs/settings.md), or add the file's folder to app_shared_paths, "
        "and run update.yml."
    ),
}


def advice(text: str) -> str:
    """What to set for the last file of a release that could not be written, or for what else is known; else empty."""
    paths = REFUSED.findall(text)
    if not paths:
        return next((helpful for said, helpful in KNOWN.items() if re.search(said, text)), "")
    folder = os.path.dirname(paths[-1]) if os.path.splitext(paths[-1])[1] else paths[-1]
    return (SHARE if folder else MOVE) % dict(path=paths[-1], share=folder)
