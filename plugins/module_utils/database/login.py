# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an application logs in to its database: an account with a password, which a deployment may change.

While a deployment is at work, the passwords of the version that serves and of the one to come are both valid.
"""

from __future__ import annotations

from ansible_collections.selfhost.flask.plugins.module_utils.database.url import read_password, read_url
from ansible_collections.selfhost.flask.plugins.module_utils.site.settings import read_settings


class Login:
    """What the accounts of all servers have in common. They raise DatabaseError where the server refuses."""

    def __init__(self, name: str) -> None:
        """The account of this name."""
        self.name = name

    def is_there(self) -> bool:
        """Whether this host's server has it; an address of this host can lead to another server, by a tunnel."""
        raise NotImplementedError

    def lets_in(self, password: str) -> bool:
        """Whether a password is valid; no argument has it in it."""
        raise NotImplementedError

    def allow(self, *passwords: str) -> None:
        """These are valid from now on, the last one as the one that stays; no other is."""
        raise NotImplementedError


class Account:
    """The account and the password that a .env file has, if its database is this host's and the account the application's."""

    def __init__(self, drivers: dict, settings: str, user: str) -> None:
        url = read_settings(settings).get("DATABASE_URL", "")
        address = read_url(url)
        driver = drivers.get(address.kind) if address and address.is_local() and address.user == user else None
        self.login = driver.login(user) if driver and driver.login else None
        self.password = read_password(url) if self.login else None
