# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to set when an application was refused something, by what it said of that."""

from __future__ import annotations

import os
import re

REFUSED = re.compile(r"(?:PermissionError: \[Errno 13\]|OSError: \[Errno 30\]) [^:\n]*: '([^'\n]+)'")
SHARE = (
    "The application may not write to %(path)s: what a release has is read-only. Add %(share)s to app_shared_paths, "
    "and run update.yml."
)
MOVE = (
    "The application may not write to %(path)s: what a release has is read-only. Have it write into a folder such as "
    "instance, which app_shared_paths has."
)


def advice(text: str, releases: str) -> str:
    """What to set for the last file of a release that could not be written; empty where it is another matter."""
    paths = [inner_path(path, releases) for path in REFUSED.findall(text)]
    path = next((path for path in reversed(paths) if path), "")
    folder = os.path.dirname(path) if os.path.splitext(path)[1] else path
    if not path:
        return ""
    return (SHARE if folder else MOVE) % dict(path=path, share=folder)


def inner_path(path: str, releases: str) -> str:
    """A path in a release, without the release; empty where it is elsewhere."""
    if not os.path.isabs(path):
        return os.path.normpath(path)
    inner = os.path.relpath(path, releases)
    return "" if inner.startswith("..") else inner.partition(os.sep)[2]
