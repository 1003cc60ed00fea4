# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backups stay, and which are removed."""

from __future__ import annotations

import os
import shutil
import time

from ansible_collections.selfhost.flask.plugins.module_utils.backup.store import NAME, backups, moment

RECENT = 24 * 3600  # seconds for which every backup is kept
PERIODS = {"daily": "%Y-%m-%d", "weekly": "%G-%V", "monthly": "%Y-%m"}


def kept(names: list, keep: dict) -> set:
    """The backups that stay: all of the last day's, and the newest of each of the last days, weeks and months."""
    newest_first = sorted(names, reverse=True)
    if not newest_first:
        return set()
    result = {name for name in newest_first if moment(newest_first[0]) - moment(name) < RECENT}
    for period, form in PERIODS.items():
        seen = {}
        for name in newest_first:
            seen.setdefault(time.strftime(form, time.strptime(name, NAME)), name)
        result.update(list(seen.values())[:keep.get(period, 0)])
    return result


def prune(folder: str, keep: dict) -> list:
    """Removes the backups that the rule does not keep."""
    names = backups(folder)
    removed = sorted(set(names) - kept(names, keep))
    for name in removed:
        shutil.rmtree(os.path.join(folder, name))
    return removed
