# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application's place on the host."""

from __future__ import annotations

import os
from typing import NamedTuple


class Site(NamedTuple):
    """An application's name, which is also its user's and its database's, and its folders."""

    name: str
    root: str
    log: str
    workers: tuple = ()

    def path(self, *names: str) -> str:
        return os.path.join(self.root, *names)

    def release_name(self, folder: str) -> str:
        """The release that a folder is in; the application may be in a subfolder of it."""
        return os.path.relpath(folder, self.path("releases")).split(os.sep)[0] if folder else ""

    def state(self) -> str:
        """What visitors have when a step failed that touches nothing that is served."""
        live = os.path.islink(self.path("run", "live.sock"))
        return "The served version is untouched." if live else "No version is served yet."

    def own(self, *names: str) -> str:
        """A path in the folder that is the deployment's own and root's alone."""
        folder = self.path("deployment")
        os.makedirs(folder, mode=0o700, exist_ok=True)
        return os.path.join(folder, *names)
