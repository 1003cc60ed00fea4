# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sites of nginx that somebody else has set up, and that lead to an application."""

from __future__ import annotations

import glob
import os
import re

from ansible_collections.selfhost.flask.plugins.module_utils.common.files import text_of
from ansible_collections.selfhost.flask.plugins.module_utils.proxy.foreign_sites import ForeignSite, ForeignSites
from ansible_collections.selfhost.flask.plugins.module_utils.proxy.nginx import (
    AVAILABLE,
    FOLDER,
    OWN_FILES,
    OWN_FOLDER,
    SERVER_NAME,
    SITES,
)

COMMENT = re.compile(r"^\s*#.*$", re.M)
CERTIFICATE = re.compile(r"^\s*ssl_certificate(?:_key)?\s+[\"']?([^\s;\"']+)", re.M)


def leads_to(text: str, places: list, folder: str) -> bool:
    """Whether a site has one of an application's ports or sockets, or files of its folder."""
    for place in places:
        pattern = r"(?:localhost|127\.0\.0\.1|\[::1\]):%s\b" % place if place.isdigit() else re.escape(place) + r"(?=[\s;:/\"'])"
        if re.search(pattern, text):
            return True
    return bool(folder) and re.search(re.escape(folder) + r"(?=[\s;/\"'])", text) is not None


class NginxForeignSites(ForeignSites):
    """The files are where Debian's package has them."""

    kind = "nginx"
    unit = "nginx.service"
    test = ("nginx", "-t")
    changed = (FOLDER, "/etc/systemd/system/nginx.service.d")

    def find(self, places: list, folder: str) -> list:
        found = []
        for path in sorted(path for pattern in SITES for path in glob.glob(pattern)):
            text = COMMENT.sub("", text_of(path))
            if os.path.realpath(path) not in OWN_FILES and leads_to(text, places, folder):
                names = [name for line in SERVER_NAME.findall(text) for name in line.split()]
                found.append(ForeignSite(path, tuple(dict.fromkeys(names)), tuple(dict.fromkeys(CERTIFICATE.findall(text)))))
        return found

    def files(self, site: ForeignSite) -> list:
        return list(dict.fromkeys([site.path, os.path.realpath(site.path)]))

    def paths_of(self, app: str) -> list:
        return [*self.enabled(app), AVAILABLE + app, OWN_FOLDER + app]

    def enabled(self, app: str) -> list:
        return [FOLDER + "/sites-enabled/" + app]
