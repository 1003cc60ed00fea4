# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an adoption keeps on the old installation's host, until it is finished. Nobody but root reads it."""

from __future__ import annotations

import os
import shutil

from ansible_collections.selfhost.flask.plugins.module_utils.common.files import read_json, write_json

FOLDER = "/var/lib/selfhost-adoption"
# It is being stopped; its data is archived, and on its way; visitors have the new one; it was started again.
BEGUN, MOVED, SERVED, RETURNED = "begun", "moved", "served", "returned"


class Store:
    """The folder of one application's adoption."""

    def __init__(self, name: str) -> None:
        self.name = name  # of the new application
        self.folder = os.path.join(FOLDER, name)
        self.state = read_json(self.path("state.json")) or {}

    def path(self, *names: str) -> str:
        return os.path.join(self.folder, *names)

    def note(self, **about: object) -> None:
        """What is to be known by the next run; the folder is made with it."""
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        self.state = dict(self.state, **about)
        write_json(self.path("state.json"), self.state)

    def away(self, path: str) -> str:
        """Where a file goes that has to be put away."""
        return self.path("put-away", path.lstrip("/"))

    def before(self, path: str) -> str:
        """Where the host's own configuration is kept, as it was."""
        return self.path("before", path.lstrip("/"))

    def archive(self) -> str:
        """The copy of the old installation's data; empty where there is none."""
        name = self.state.get("backup", "")
        return self.path(name) if name and os.path.isdir(self.path(name)) else ""

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
