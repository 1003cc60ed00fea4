# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx. Of two sites with the same host name, it serves the first one."""

from __future__ import annotations

import glob
import os
import re

from ansible_collections.selfhost.flask.plugins.module_utils.common.files import text_of
from ansible_collections.selfhost.flask.plugins.module_utils.proxy.proxy import Proxy, Refusal

FOLDER = "/etc/nginx"
SITES = (FOLDER + "/sites-enabled/*", FOLDER + "/conf.d/*.conf")
OWN_FOLDER, AVAILABLE = FOLDER + "/selfhost/", FOLDER + "/sites-available/"
OWN_FILES = (FOLDER + "/nginx.conf", FOLDER + "/conf.d/selfhost.conf")
SERVER_NAME = re.compile(r"(?:^|[{;])\s*server_name\s+([^;#]*);", re.M)
INCLUDED = re.compile(r"^\s*include\s+[\"']?([^\s;\"']+)", re.M)
CONFIGURED_IN = re.compile(r" in (/\S+):\d+$")
CERTIFICATE_GONE = re.compile(r"cannot load certificate(?: key)? \"([^\"]+)\"")


class Nginx(Proxy):
    """The files are where Debian's package and the role have them."""

    name = "nginx"
    unit = "nginx.service"
    test = ("nginx", "-t")
    show = "sudo nginx -T"
    etag = re.compile(r'(?:W/)?"[0-9a-f]+-[0-9a-f]+"')

    def refusal(self, said: str) -> Refusal:
        lines = said.splitlines() or [""]
        line = next((line for line in lines if "[emerg]" in line), lines[0])
        line = line.partition("[emerg] ")[2] or line
        gone, place = CERTIFICATE_GONE.search(line), CONFIGURED_IN.search(line)
        return Refusal(line, place.group(1) if place else "", gone.group(1) if gone else "")

    def is_own(self, path: str, app: str) -> bool:
        real = os.path.realpath(path)
        return real.startswith(OWN_FOLDER) or real in OWN_FILES + (AVAILABLE + app,)

    def sites_with(self, host: str) -> list:
        found = []
        for path in sorted(path for pattern in SITES for path in glob.glob(pattern)):
            if host.lower() in " ".join(SERVER_NAME.findall(text_of(path))).lower().split():
                found.append(path)
        return found

    def configuration(self, app: str) -> str:
        text = text_of(os.path.join(FOLDER, "sites-enabled", app))
        paths = [path for pattern in INCLUDED.findall(text) for path in glob.glob(os.path.join(FOLDER, pattern))]
        return "\n".join([text] + [text_of(path) for path in sorted(paths)])

    def error_log(self, app: str) -> str:
        return "/var/log/nginx/%s.error.log" % app
