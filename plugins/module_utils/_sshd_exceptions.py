# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom sshd lets in otherwise than all the others: what its Match blocks say.

They win over every setting that is for all, and `sshd -T` shows only those of one user at one address.
"""

from __future__ import annotations

import glob
import os
import re
from typing import Iterator

CONFIG = "/etc/ssh/sshd_config"
# What is no by default, by the names that sshd -T has, and by which a block opens more than the whole.
WATCHED = (
    "passwordauthentication",
    "kbdinteractiveauthentication",
    "permitemptypasswords",
    "permitrootlogin",
    "hostbasedauthentication",
)
OLD_NAMES = {"challengeresponseauthentication": "kbdinteractiveauthentication"}
LINE = re.compile(r'\s*([A-Za-z]+)(?:\s*=\s*|\s+)(.*?)\s*$')


def exceptions(wanted: dict, path: str = CONFIG) -> list:
    """(file, block, setting) of what a Match block opens that should be closed."""
    blocks = {}
    for file, block, keyword, value in _settings(path, "", os.path.dirname(path)):
        if block:
            name = OLD_NAMES.get(keyword.lower(), keyword.lower())
            plain = value.split("#")[0].strip().replace('"', "").lower()
            blocks.setdefault((file, block), {}).setdefault(name, (keyword, plain))
    return [
        (*where, "%s %s" % settings[name])
        for where, settings in blocks.items()
        for name in WATCHED
        if wanted.get(name) == ["no"] and settings.get(name, ("", "no"))[1] != "no" and not _needs_key(name, settings)
    ]


def _needs_key(name: str, settings: dict) -> bool:
    """Whether what a block opens is asked for only beside a key, such as a code."""
    ways = settings.get("authenticationmethods", ("", "any"))[1].split()
    return name != "permitrootlogin" and all("publickey" in way.split(",") for way in ways)


def _settings(path: str, block: str, folder: str) -> Iterator[tuple]:
    """(file, block, keyword, value) of a file and those that it includes; a block ends with its file."""
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        matches = list(filter(None, map(LINE.match, file)))
    for keyword, value in [match.groups() for match in matches]:
        if keyword.lower() == "match":
            block = "" if value.lower() == "all" else "Match " + value
        elif keyword.lower() == "include":
            for pattern in value.replace('"', "").split():
                for name in filter(os.path.isfile, sorted(glob.glob(os.path.join(folder, pattern)))):
                    yield from _settings(name, block, folder)
        else:
            yield path, block, keyword, value
