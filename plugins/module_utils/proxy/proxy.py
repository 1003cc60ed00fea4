# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy as the doctor and the certificates need it: what it is called, and what its files say."""

from __future__ import annotations

import re
from typing import NamedTuple


class Refusal(NamedTuple):
    """Why a proxy would not load its configuration as it is on disk."""

    said: str
    path: str = ""  # the file that is wrong
    gone: str = ""  # the certificate or the key that can't be loaded


class Proxy:
    """What the descriptions of all proxies have. They read files, and change nothing."""

    def __init__(self, app: str = "") -> None:
        self.app = app  # of one that has a unit for each application

    name = ""  # as people call it
    unit = ""  # of systemd's, which runs it
    test = ()  # the command that ends with another code than 0 where the configuration would be refused
    show = ""  # the command that shows people the whole configuration
    etag = re.compile(".*")  # of the files that it serves by itself

    def refusal(self, said: str) -> Refusal:
        """What the test has printed of its error."""
        raise NotImplementedError

    def is_own(self, path: str, app: str) -> bool:
        """Whether the collection writes a file of the configuration for an application."""
        raise NotImplementedError

    def sites_with(self, host: str) -> list:
        """The files of the sites that have a host name."""
        raise NotImplementedError

    def configuration(self, app: str) -> str:
        """An application's site, with what that includes."""
        raise NotImplementedError

    def error_log(self, app: str) -> str:
        """Where the errors of an application's site are."""
        raise NotImplementedError
