# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom sshd lets in otherwise than all the others: what its Match blocks open."""

from __future__ import annotations

from ansible_collections.selfhost.flask.plugins.module_utils.access.sshd_match import MAIN, PASSWORDS, blocks, needs_key

# What is no by default, and by which a block opens more than the whole.
WATCHED = PASSWORDS + ("permitrootlogin", "hostbasedauthentication")


def exceptions(wanted: dict, path: str = MAIN) -> list:
    """(file, block, setting) of what a Match block opens that should be closed."""
    return [
        (block.path, "Match " + block.condition, "%s %s" % (name, block.values[name]))
        for block in blocks(path)
        for name in WATCHED
        if wanted.get(name) == ["no"] and block.values.get(name, "no") != "no"
        and not (name in PASSWORDS and needs_key(block.values))
    ]
