# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sites of a proxy that somebody else has set up."""

from __future__ import annotations

from typing import NamedTuple


class ForeignSite(NamedTuple):
    """A site, its host names, and the files of its certificate and key."""

    path: str
    names: tuple = ()
    certificates: tuple = ()
    others: tuple = ()  # what else its file leads to, in words


class ForeignSites:
    """What the proxies have in common."""

    kind = ""  # as people call the proxy
    unit = ""  # of systemd's, which runs it
    test = ()  # the command that refuses a configuration
    changed = ()  # files and folders of the host that this collection's roles change, and on which the sites depend

    def find(self, places: list) -> list:
        """The sites that lead to one of an application's ports or sockets."""
        raise NotImplementedError

    def with_files(self, folder: str) -> list:
        """The paths of the sites that have a folder, or something in it, in their configuration."""
        raise NotImplementedError

    def files(self, site: ForeignSite) -> list:
        """All files that make it a site."""
        return [site.path]

    def paths_of(self, app: str) -> list:
        """The files and folders that this collection makes for one of its applications alone."""
        raise NotImplementedError

    def enabled(self, app: str) -> list:
        """Those of them without which the application is not served."""
        raise NotImplementedError
