# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a configuration file: as it is, as it should be, and the way from one to the other."""

from __future__ import annotations

import grp
import os
import pwd
import stat

from ansible.module_utils.common.text.converters import to_bytes, to_text
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import write_file
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import replace_link


def observed(path: str) -> dict:
    """What is at a path: its kind and what of it can differ from what is desired."""
    if os.path.islink(path):
        return {"kind": "link", "link": os.readlink(path)}
    if not os.path.lexists(path):
        return {"kind": "absent"}
    if not os.path.isfile(path):
        return {"kind": "other"}
    status = os.stat(path)
    with open(path, "rb") as file:
        content = file.read()
    return {
        "kind": "file",
        "content": content,
        "mode": stat.S_IMODE(status.st_mode),
        "uid": status.st_uid,
        "gid": status.st_gid,
    }


def desired(item: dict) -> dict:
    """The same form for what the task asks for."""
    if item["state"] == "absent":
        return {"kind": "absent"}
    if item["link"] is not None:
        return {"kind": "link", "link": item["link"]}
    return {
        "kind": "file",
        "content": to_bytes(item["content"]),
        "mode": int(item["mode"], 8),
        "uid": pwd.getpwnam(item["owner"]).pw_uid,
        "gid": grp.getgrnam(item["group"]).gr_gid,
    }


def establish(path: str, state: dict) -> None:
    """Brings a path to a state: atomically, so that nobody reads half a file."""
    if state["kind"] == "file":
        write_file(path, state["content"], state["mode"], state["uid"], state["gid"])
    elif state["kind"] == "link":
        replace_link(path, state["link"])
    elif os.path.lexists(path):
        os.unlink(path)


def described(path: str, state: dict) -> str:
    """A state as a person reads it in a diff."""
    if state["kind"] == "file":
        return to_text(state["content"], errors="surrogate_or_replace")
    if state["kind"] == "link":
        return "%s -> %s\n" % (path, state["link"])
    return ""
