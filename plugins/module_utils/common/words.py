# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words for messages."""

from __future__ import annotations


def count_of(number: int, noun: str) -> str:
    """A number with its noun, such as `1 row` and `2 rows`."""
    return "%d %s%s" % (number, noun, "" if number == 1 else "s")
