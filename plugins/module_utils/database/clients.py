# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client with which a person looks into an application's database, with the application's own login."""

from __future__ import annotations

from ansible_collections.selfhost.flask.plugins.module_utils.database.data import addresses, application
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import Database
from ansible_collections.selfhost.flask.plugins.module_utils.database.drivers import DRIVERS
from ansible_collections.selfhost.flask.plugins.module_utils.database.url import Address, address_in_env, read_password
from ansible_collections.selfhost.flask.plugins.module_utils.site.settings import Settings, read_settings
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

NONE = "There is no database to open: .env has no DATABASE_URL, and the application named none. Set DATABASE_URL in flask_env."
UNKNOWN = "There is no client here for %s. Open it where it is."


class NoClient(Exception):
    """Why no client can be started."""


def client_of(site: Site) -> tuple:
    """The client's command, and what it finds in its environment: no argument has the password."""
    url = read_settings(Settings(site).path).get("DATABASE_URL", "")
    address = next(filter(is_found, [address_in_env(site), *addresses(application(site))]), None)
    if address is None:
        raise NoClient(NONE)
    driver = DRIVERS.get(address.kind)
    if driver is None:
        raise NoClient(UNKNOWN % address.in_words())
    return driver_client(driver, address._replace(user=address.user or site.name), read_password(url))


def is_found(address: Address | None) -> bool:
    """Whether it is said where a database is; a relative path of a SQLite file is the application's to understand."""
    return address is not None and not (address.kind == "sqlite" and not address.name.startswith("/"))


def driver_client(driver: type[Database], address: Address, password: str) -> tuple:
    try:
        return driver.client(address, password)
    except FileNotFoundError as error:
        raise NoClient("%s is not installed on this host: sudo apt install %s" % error.args) from error
