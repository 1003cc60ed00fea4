# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that an application requires, and that is nowhere to be found."""

from __future__ import annotations

import contextlib
import socket

from ansible_collections.selfhost.flask.plugins.module_utils.build.needs import Needs, packages_of

REDIS = ("redis", "rq", "flask-redis", "flask-rq2")  # the packages that ask for it
PORT = 6379  # where they look for it if nobody says where it is
SCHEMES = ("redis:", "rediss:", "unix:")
NO_REDIS = (
    "%(version)s requires the package %(package)s. No setting names a Redis server, and none listens at this host's port "
    "%(port)d. If the application uses Redis, set flask_services: [redis], or REDIS_URL in flask_env."
)


def lack_of_redis(needs: Needs, settings: dict, version: str) -> str:
    """In words; empty where a server is named, where one is where the packages look for it, or where none is asked for."""
    packages = sorted(packages_of(needs) & set(REDIS))
    is_named = any("redis" in key.lower() or value.startswith(SCHEMES) for key, value in settings.items())
    if not packages or is_named or listens(PORT):
        return ""
    return NO_REDIS % dict(version=version, package=packages[0], port=PORT)


def listens(port: int) -> bool:
    """Whether this host has a server at a port."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
