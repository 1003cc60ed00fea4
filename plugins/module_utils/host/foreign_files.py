# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of somebody else's programs. Root opens none that another user could replace by a link or a pipe."""

from __future__ import annotations

import os
import stat
import subprocess

from ansible_collections.selfhost.flask.plugins.module_utils.common.process import as_user
from ansible_collections.selfhost.flask.plugins.module_utils.common.user_program import user_argv
from ansible_collections.selfhost.flask.plugins.module_utils.host import reader

PATIENCE = 20  # seconds that a file's system has to answer


class UnreadableError(Exception):
    """Why a file that is there can't be read."""


def read_text(path: str, user: str) -> str:
    """A file's text, read as the user, or as root if root alone could change it; an empty one if there is none."""
    reads_as = "" if user == "root" or is_roots(path) else user
    argv = as_user(user_argv((reader,), path), reads_as)
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnreadableError("%s can't be read as %s: %s" % (path, user, type(error).__name__)) from error
    if done.returncode == reader.NO_FILE:
        return ""
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise UnreadableError("%s can't be read as %s: %s" % (path, user, said[-1] if said else "no reason is known"))
    return done.stdout.decode("utf-8", "replace")


def is_roots(path: str) -> bool:
    """Whether nobody but root could change what is at a path: it and its folders are root's, and there is no link."""
    while True:
        try:
            about = os.lstat(path)
        except OSError:
            return False
        if about.st_uid != 0 or about.st_mode & 0o022 or stat.S_ISLNK(about.st_mode):
            return False
        if path == os.sep:
            return True
        path = os.path.dirname(os.path.abspath(path))
