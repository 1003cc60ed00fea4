# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of an application, and those of the version that is deployed.

.env is what the served version runs with. What a deployment changes is in .env.next until the transaction takes it, so
that migrations and the new slot find it where the application looks; what is taken back brings .env back as well.
"""

from __future__ import annotations

import os
import stat

from ansible_collections.selfhost.flask.plugins.module_utils.common.dotenv import read as read_dotenv
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import sync_folder, write_file
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import remove
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

NEXT = ".next"


class Settings:
    """An application's .env, with what is beside it while a deployment is at work."""

    def __init__(self, site: Site) -> None:
        self.path = site.path("shared", ".env")
        self.next = self.path + NEXT
        self.before = site.path("deployment", "env.before")

    def staged(self) -> str:
        """The file that is yet to be taken; empty where there is none."""
        return self.next if os.path.exists(self.next) else ""

    def coming(self) -> str:
        """The file of the settings that the deployment's version will be served with."""
        return self.staged() or self.path

    def discard(self) -> None:
        """What was not taken is of no use any more."""
        remove(self.next)

    def take(self) -> None:
        """Makes the deployment's settings those of the application; keeps what they were."""
        if self.staged():
            copy(self.path, self.before)
            os.replace(self.next, self.path)
            sync_folder(os.path.dirname(self.path))

    def keep(self) -> None:
        """What was taken stays."""
        remove(self.before)

    def put_back(self) -> None:
        """What was taken is as it was before."""
        if os.path.exists(self.before):
            copy(self.before, self.path)
            remove(self.before)


def read_settings(path: str) -> dict:
    """What a .env file says; nothing where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return read_dotenv(file.read())
    except FileNotFoundError:
        return {}


def copy(source: str, target: str) -> None:
    """Replaces a file by another one's content, with its owner and mode."""
    about = os.stat(source)
    with open(source, "rb") as file:
        write_file(target, file.read(), stat.S_IMODE(about.st_mode), about.st_uid, about.st_gid)
