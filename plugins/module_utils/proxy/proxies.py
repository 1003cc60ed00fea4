# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxies that there are descriptions of, and which one an application has."""

from __future__ import annotations

from ansible_collections.selfhost.flask.plugins.module_utils.proxy.nginx import Nginx
from ansible_collections.selfhost.flask.plugins.module_utils.proxy.none import NoProxy
from ansible_collections.selfhost.flask.plugins.module_utils.proxy.proxy import Proxy
from ansible_collections.selfhost.flask.plugins.module_utils.site.drivers import driver_of
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

PROXIES = {"nginx": Nginx, "none": NoProxy}


def proxy_of(site: Site) -> Proxy:
    """The one that visitors of an application come to."""
    return PROXIES[driver_of(site, "proxy", "nginx")](site.name)
