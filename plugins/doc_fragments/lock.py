# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What the modules that take an application's lock have in common; each has a reason by default."""

    DOCUMENTATION = r"""
options:
  reason:
    description: What is done, for those who find the application locked.
    type: str
  owner:
    description: The ansible-playbook that runs; the action plugin adds it.
    type: dict
  gone:
    description: Owners who have ended; the action plugin adds them.
    type: list
    elements: str
    default: []
"""
