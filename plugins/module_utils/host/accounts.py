# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts and groups of the host, and where a user's keys are."""

from __future__ import annotations

import grp
import os
import pwd


def keys_path(name: str) -> str:
    """Where a user's keys are."""
    user = find_user(name)
    return os.path.join(user.pw_dir if user else "/home/" + name, ".ssh/authorized_keys")


def find_user(name: str) -> pwd.struct_passwd | None:
    """A user's account, if there is one."""
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def find_group(name: str) -> grp.struct_group | None:
    """A group, if there is one."""
    try:
        return grp.getgrnam(name)
    except KeyError:
        return None


def is_member(name: str, group: str) -> bool:
    """Whether a user is in a group."""
    user, found = find_user(name), find_group(group)
    return bool(user and found and (name in found.gr_mem or user.pw_gid == found.gr_gid))


def content(path: str) -> str | None:
    """A file's text; None where there is no file."""
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()
