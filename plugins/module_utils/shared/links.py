# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Absolute links in shared/ that lead into a release, which the application has made: they follow the one that is launched.

Without that, such a link shows an old version's file, and nothing once that version is pruned. This file is also the program that
does it as the application's user.

  SHARED ROOT RELEASE PLACE...    the places are folders in SHARED, ROOT has releases/RELEASE; says which it can't change
"""

from __future__ import annotations

import os
import re
import sys
from typing import Iterator


def links_in(place: str) -> Iterator[str]:
    """The links in a folder; none of them is followed."""
    for path, folders, files in os.walk(place):
        yield from (os.path.join(path, name) for name in folders + files if os.path.islink(os.path.join(path, name)))


def follow(path: str, root: str, release: str) -> None:
    """Points a link into another release to the same file of this one, if that is there."""
    inner = re.compile(re.escape(root) + r"/(?:releases/[^/]+|slots/(?:blue|green))(/.*)?")
    target = os.readlink(path)
    found = inner.fullmatch(target)
    wanted = os.path.join(root, "releases", release) + (found.group(1) or "") if found else target
    if wanted != target and os.path.lexists(wanted):
        temporary = "%s.%d" % (path, os.getpid())
        os.symlink(wanted, temporary)
        os.replace(temporary, path)


def main() -> None:
    shared, root, release, *places = sys.argv[1:]
    for path in (path for place in places for path in links_in(os.path.join(shared, place))):
        try:
            follow(path, root, release)
        except OSError as error:  # in a folder that is somebody else's
            sys.stdout.write("%s leads into another release, and can't be changed: %s\n" % (path, error.strerror))
