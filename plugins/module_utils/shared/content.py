# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the repository has at a path that all releases share, and how it comes to shared/.

A file that is missing there is brought, once. One that an earlier release brought, and that nobody has changed since,
follows the release that is launched. All others are the application's and stay. This file is also the program that does
it as the application's user, so that root follows none of his links:

  SOURCE SHARED REPLACE FAILED
    reads {path: digest of what was brought} from standard input, and says what it is then. FAILED is what SOURCE is, of
    a release that is taken back, or nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import sys

BROUGHT = ".brought"  # in a release: what its repository has at the shared paths
SQLITE = b"SQLite format 3\0"  # a database's first bytes


def bring(source: str, shared: str, replace: bool, known: dict, failed: str = "") -> dict:
    """Brings a release's files; what was brought until now, and those that were not, because theirs differ."""
    said = {"brought": dict(known, **unnoted(failed, shared)), "kept": [], "data": []}
    for path, folders, files in os.walk(source):
        place = os.path.join(shared, os.path.relpath(path, source))
        if not os.path.isdir(place) and os.path.lexists(place):
            folders[:] = []
            continue
        os.makedirs(place, 0o750, exist_ok=True)
        for name in files + [name for name in folders if os.path.islink(os.path.join(path, name))]:
            settle(os.path.join(path, name), os.path.join(place, name), replace, said)
    return said


def unnoted(failed: str, shared: str) -> dict:
    """What a release has brought that may have been killed before it was noted."""
    found = {}
    for path, folders, files in os.walk(failed):
        for name in files + folders:
            new = digest(os.path.join(path, name))
            name = os.path.relpath(os.path.join(path, name), failed)
            if new != "other" and new == digest(os.path.join(shared, name)):
                found[name] = new
    return found


def settle(source: str, target: str, replace: bool, said: dict) -> None:
    """Brings one file where it is missing, or where it is as it was brought before."""
    name = os.path.normpath(source.partition(os.sep + BROUGHT + os.sep)[2])
    new, present, before = digest(source), digest(target), said["brought"].get(name, "")
    if new == before and present != new:
        return  # the application has changed or removed it
    if present not in ("", new) and not replace:
        return
    if present not in ("", new) and is_database(target):
        said["data"].append(name)  # also as it was brought: the application has it open
    elif present not in ("", new, before):
        said["kept"].append(name)
    elif present != new:
        copy(source, target)
    said["brought"][name] = new


def digest(path: str) -> str:
    """Stands for a file's content or a link's target; empty where there is neither."""
    if os.path.islink(path):
        return "-> " + os.readlink(path)
    if not os.path.isfile(path):
        return "other" if os.path.lexists(path) else ""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def is_database(path: str) -> bool:
    """Whether it is a SQLite file, which is the application's data whoever has brought it."""
    if os.path.islink(path) or not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        return file.read(len(SQLITE)) == SQLITE


def copy(source: str, target: str) -> None:
    """Puts a file in place at once, so that the application never reads half of it."""
    temporary = target + ".new"
    if os.path.lexists(temporary):
        os.unlink(temporary)
    shutil.copyfile(source, temporary, follow_symlinks=False)
    if not os.path.islink(temporary):
        os.chmod(temporary, stat.S_IMODE(os.stat(source).st_mode) | stat.S_IWUSR)
    os.replace(temporary, target)


if __name__ == "__main__":
    try:
        sys.stdout.write(json.dumps(bring(sys.argv[1], sys.argv[2], sys.argv[3] == "replace", json.load(sys.stdin), sys.argv[4])) + "\n")
    except OSError as error:
        raise SystemExit("%s: %s. Give it to the application's user." % (error.filename, error.strerror))
