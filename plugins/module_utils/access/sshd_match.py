# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `Match` blocks of the ssh server's configuration.

They win over every setting that is for all, and `sshd -T` shows only those of one user at one address.
"""

from __future__ import annotations

import glob
import os
import re
from typing import Iterator, NamedTuple

MAIN = "/etc/ssh/sshd_config"
LINE = re.compile(r"\s*([A-Za-z]\w*)(?:\s*=\s*|\s+)(.*)")
DEPTH = 16  # of files that include others, as in sshd
# OpenSSH's words for passwords, by the names that `sshd -T` has; and an older one of the second
PASSWORDS = ("passwordauthentication", "kbdinteractiveauthentication", "permitemptypasswords")
OLDER = {"challengeresponseauthentication": "kbdinteractiveauthentication"}


class Block(NamedTuple):
    """A `Match` in a file, and the values under it; all in small letters but the condition."""

    path: str
    condition: str
    values: dict


def needs_key(values: dict) -> bool:
    """Whether a password, or a code, is asked for only beside a key."""
    ways = values.get("authenticationmethods", "any").split()
    return ways != ["any"] and all("publickey" in way.split(",") for way in ways)


def blocks(path: str = MAIN) -> list:
    """The conditions of a configuration with what it includes; of a keyword the first value counts."""
    found = {}
    for file, condition, keyword, value in _lines(path, "", os.path.dirname(path), DEPTH):
        if condition:
            found.setdefault((file, condition), {}).setdefault(keyword, value)
    return [Block(file, condition, values) for (file, condition), values in found.items()]


def _lines(path: str, outer: str, folder: str, depth: int) -> Iterator[tuple]:
    """(file, condition, keyword, value); a condition in an included file ends with it."""
    condition = outer
    for found in filter(None, map(LINE.match, _text(path).splitlines())):
        keyword, value = found.group(1).lower(), re.sub(r"\s+#.*", "", found.group(2)).strip()
        if keyword == "match":
            condition = " ".join(word for word in (outer, "" if value.lower() == "all" else value) if word)
        elif keyword == "include":
            for file in _included(value, folder) if depth else []:
                yield from _lines(file, condition, folder, depth - 1)
        else:
            yield path, condition, OLDER.get(keyword, keyword), value.strip('"').lower()


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def _included(patterns: str, folder: str) -> list:
    """The files that an Include names."""
    names = [os.path.join(folder, name.strip('"')) for name in patterns.split()]
    return [file for name in names for file in filter(os.path.isfile, sorted(glob.glob(name)))]
