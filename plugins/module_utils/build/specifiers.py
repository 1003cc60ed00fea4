# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a version of Python is one that a project is made for, and which one is."""

from __future__ import annotations

import re

CLAUSE = re.compile(r"\s*(===?|!=|~=|<=?|>=?)\s*(\d+(?:\.\d+)*)(\.\*)?[^,|]*")
MINORS = range(8, 30)  # from the oldest that uv has
NEWEST_PATCH = 99  # of a minor version, whichever that is


def numbers(version: str) -> tuple:
    return tuple(map(int, version.split(".")))


def satisfies(version: tuple, specifier: str) -> bool:
    """Whether a version is one of those that `>=3.9,<3.12` means; `||` is between alternatives."""
    return any(
        all(holds(version, *clause) for clause in CLAUSE.findall(way)) for way in specifier.split("||")
    )


def holds(version: tuple, sign: str, text: str, wildcard: str) -> bool:
    wanted = numbers(text)
    begins = version[:len(wanted)] == wanted
    if sign in ("==", "==="):  # 3.11 means 3.11.x to everybody but PEP 440
        return begins
    if sign == "!=":
        return not begins if wildcard else version != padded(wanted)
    if sign == "~=":
        return version >= padded(wanted) and version[:len(wanted) - 1] == wanted[:-1]
    compared = (version > padded(wanted)) - (version < padded(wanted))
    return compared in {">=": (0, 1), ">": (1,), "<=": (-1, 0), "<": (-1,)}[sign]


def padded(version: tuple) -> tuple:
    return (version + (0, 0, 0))[:3]


def nearest(specifier: str, present: tuple) -> str:
    """The version that a specifier means and that is nearest to another one; empty if Python has none such."""
    minors = [minor for minor in MINORS if satisfies((3, minor, NEWEST_PATCH), specifier)]
    if minors:
        return "3.%d" % min(minors, key=lambda minor: abs(minor - present[1]))
    exact = [text for sign, text, dummy in CLAUSE.findall(specifier) if satisfies(padded(numbers(text)), specifier)]
    return next((text for text in exact if numbers(text) >= (3, MINORS[0])), "")
