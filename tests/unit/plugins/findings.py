# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the doctor's parts ask of its findings."""

from __future__ import annotations


def ids(findings) -> list:
    return [finding.id for finding in findings]
