# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which login worked the last time, as this computer remembers it. It decides only what is tried first."""

from __future__ import annotations

import hashlib
import json
import os
import time
from typing import NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.common.files import make_folders, write_json

LATELY = 120  # seconds


class Login(NamedTuple):
    """Who logged in, and with which arguments for ssh."""

    user: str
    ssh_args: str


class Memory:
    """The logins of one host, at each of its ports."""

    def __init__(self, folder: str, host: str, port: int | str) -> None:
        self.folder, self.host, self.port = folder, host, port

    def _path(self, port: int) -> str:
        about = "%s %s" % (self.host, port or self.port)
        return os.path.join(self.folder, hashlib.sha256(about.encode()).hexdigest()[:16] + ".json")

    def keep(self, port: int, login: Login) -> None:
        """Keeps what worked; a folder that can't be written is no reason to fail."""
        try:
            make_folders(self.folder, 0o700)
            write_json(self._path(port), login._asdict())
        except OSError:
            pass

    def login(self, port: int) -> Login | None:
        """What worked the last time, if anybody knows."""
        try:
            with open(self._path(port), encoding="utf-8") as file:
                return Login(**json.load(file))
        except (OSError, ValueError, TypeError):
            return None

    def is_fresh(self, port: int) -> bool:
        """Whether somebody was let in there a moment ago."""
        try:
            return time.time() - os.stat(self._path(port)).st_mtime < LATELY
        except OSError:
            return False
