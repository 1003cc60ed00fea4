# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Root's client of this host's MySQL or MariaDB server."""

from __future__ import annotations

import re
import shutil

from ansible_collections.selfhost.flask.plugins.module_utils.common.process import run
from ansible_collections.selfhost.flask.plugins.module_utils.database.dump import DatabaseError

CLIENT = shutil.which("mariadb") or "mysql"  # MariaDB complains of the old names
SAFE_NAME = re.compile(r"[^-'\"\\;\x00-\x1f\x7f][^'\"\\;\x00-\x1f\x7f]*")


def ask(query: str, database: str) -> list:
    """The rows of an answer, as lists of texts."""
    out = run([CLIENT, "--batch", "--skip-column-names", "--raw", database], data=query.encode())
    return [line.split("\t") for line in out.decode("utf-8", "replace").splitlines()]


def checked(name: str) -> str:
    """A name that root's clients take for nothing else; whoever owns the database chooses it."""
    if not SAFE_NAME.fullmatch(name):
        raise DatabaseError("The database has %r, whose name has signs that are not safe. Rename it." % name)
    return name
