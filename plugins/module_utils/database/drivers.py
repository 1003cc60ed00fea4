# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of databases that there are drivers for, and those of an application."""

from __future__ import annotations

from ansible_collections.selfhost.flask.plugins.module_utils.database.database import Database
from ansible_collections.selfhost.flask.plugins.module_utils.database.login import Account
from ansible_collections.selfhost.flask.plugins.module_utils.database.mysql import MySQL
from ansible_collections.selfhost.flask.plugins.module_utils.database.postgresql import PostgreSQL
from ansible_collections.selfhost.flask.plugins.module_utils.database.several import as_one
from ansible_collections.selfhost.flask.plugins.module_utils.database.sqlite import SQLite
from ansible_collections.selfhost.flask.plugins.module_utils.database.url import read_password, read_url
from ansible_collections.selfhost.flask.plugins.module_utils.site.settings import read_settings

DRIVERS = {driver.kind: driver for driver in (MySQL, PostgreSQL, SQLite)}


def databases_at(pairs: list, user: str) -> Database | None:
    """The databases of this host by their kinds and names, as one; None where there is none."""
    return as_one([DRIVERS[kind](name, user) for kind, name in pairs])


def account_in(settings: str, user: str) -> Account:
    """What a .env file logs in with, as far as this host's server is concerned."""
    url = read_settings(settings).get("DATABASE_URL", "")
    address = read_url(url)
    driver = DRIVERS.get(address.kind) if address and address.is_local() and address.user == user else None
    return Account(driver.login(user), read_password(url)) if driver and driver.login else Account()
