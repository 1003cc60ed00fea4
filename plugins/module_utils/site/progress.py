# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is being done at this moment, in a file that the controller reads for the person who waits."""

from __future__ import annotations

import contextlib
import os

from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

FOLDER = "/run"
FILE = "flask-%s.doing"  # everybody can read it: it names no more than steps
STEPS = {
    "stop writes": "Stop the requests that write, and the workers",
    "dump": "Copy the database",
    "migrate": "Migrate the database",
    "first run": "Run the commands of flask_first_run",
    "database": "Replace the database",
    "files": "Replace the files",
    "launch": "Start the release, and wait until it is healthy",
    "drain": "Wait for the requests of the version before",
    "workers": "Start the workers",
    "restore": "Restore the database",
}


def tell(site: Site, step: str) -> None:
    """Says what begins now. Nothing depends on it: a disk that is full does not keep a step from being done."""
    with contextlib.suppress(OSError):
        path = os.path.join(FOLDER, FILE % site.name)
        with open(path, "w", encoding="utf-8") as file:
            file.write("%s\n" % STEPS.get(step, step))
            os.fchmod(file.fileno(), 0o644)
