# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Public keys, as lines of authorized_keys have them."""

from __future__ import annotations

import re

KEY = re.compile(r"(?:^|\s)((?:ssh|ecdsa|sk)-[\w@.-]+)\s+(AAAA[A-Za-z0-9+/]*={0,2})(?=\s|$)")


def key_of(line: str) -> str:
    """What makes a line of authorized_keys the same key, whatever its options and its comment; empty where it is none."""
    found = None if line.lstrip().startswith("#") else KEY.search(line)
    return "%s %s" % found.groups() if found else ""


def short(line: str) -> str:
    """A key for a person to recognise."""
    kind, blob = key_of(line).split()
    comment = line.partition(blob)[2].strip()
    return "%s …%s%s" % (kind, blob[-12:], " " + comment if comment else "")


def edited(text: str, given: list, leaving: list) -> str:
    """The text of authorized_keys with the given lines, and without the keys that leave."""
    waiting, lines = {key_of(line): line for line in given}, []
    known = set(waiting)
    for line in text.splitlines():
        key = key_of(line)
        if key in known:
            lines += [waiting.pop(key)] if key in waiting else []
        elif key not in leaving or not key:
            lines.append(line)
    return "".join(line + "\n" for line in lines + list(waiting.values()))
