# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What else on this host has an old installation's database."""

from __future__ import annotations

import glob
import os

from ansible_collections.selfhost.flask.plugins.module_utils.adoption.installation import find_installations
from ansible_collections.selfhost.flask.plugins.module_utils.database import data
from ansible_collections.selfhost.flask.plugins.module_utils.database.url import Address, read_url
from ansible_collections.selfhost.flask.plugins.module_utils.site.settings import Settings, read_settings
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

ROOT = "/srv"


def sites() -> list:
    """The applications of this collection on this host."""
    folders = [os.path.dirname(path) for path in sorted(glob.glob(os.path.join(glob.escape(ROOT), "*", "deployment")))]
    return [Site(os.path.basename(folder), folder, "") for folder in folders]


def settings_of(site: Site) -> list:
    """The values of its settings, also of those that are yet to be taken; secrets."""
    files = Settings(site)
    return [value for path in (files.path, files.next) for value in read_settings(path).values()]


def databases_of(site: Site) -> list:
    """Whatever it may have its data in: what it said of itself, what a setting names, and what its role makes."""
    about = data.application(site)
    named = [*data.addresses(about), *data.opened(site, about), *filter(None, map(read_url, settings_of(site)))]
    return [*named, *(Address(kind, site.name) for kind in data.DRIVERS)]


def is_same(one: Address, other: Address) -> bool:
    """Whether they may be the same database: a host of its own has many names, so none of them tells two apart."""
    return one.kind == other.kind and one.name.lower() == other.name.lower()


def users_of(address: Address, folder: str) -> list:
    """The names of the applications, beside the one in this folder, that may have their data in a database."""
    found = [site.name for site in sites() if any(is_same(address, one) for one in databases_of(site))]
    for other in find_installations():
        named = other.address([]) if other.folder != folder else None
        found += [other.name] if named and is_same(address, named) else []
    return found
