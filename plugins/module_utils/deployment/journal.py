# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of a change of what is served: what has been begun, on disk before it is done."""

from __future__ import annotations

import json
import os

from ansible_collections.selfhost.flask.plugins.module_utils.common.files import sync_folder, write_json
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site


class Journal:
    """What has been begun and is neither complete nor undone."""

    def __init__(self, site: Site) -> None:
        self.path = site.own("journal.json")

    def read(self) -> dict | None:
        try:
            with open(self.path, encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return None

    def write(self, content: dict) -> None:
        write_json(self.path, content)
        sync_folder(os.path.dirname(self.path))

    def remove(self) -> None:
        os.unlink(self.path)
        sync_folder(os.path.dirname(self.path))
