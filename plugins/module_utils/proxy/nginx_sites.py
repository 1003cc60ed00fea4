# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sites that nginx has; of two with the same host name, it serves the first one."""

from __future__ import annotations

import contextlib
import glob
import re

SITES = ("/etc/nginx/sites-enabled/*", "/etc/nginx/conf.d/*.conf")
SERVER_NAME = re.compile(r"(?:^|[{;])\s*server_name\s+([^;#]*);", re.M)


def sites_with(name: str) -> list:
    """The files of the sites that have a host name."""
    found = []
    for path in sorted(path for pattern in SITES for path in glob.glob(pattern)):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if name.lower() in server_names(path):
                found.append(path)
    return found


def server_names(path: str) -> list:
    with open(path, encoding="utf-8") as file:
        return " ".join(SERVER_NAME.findall(file.read())).lower().split()
