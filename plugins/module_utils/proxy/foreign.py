# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxies whose sites are found that somebody else has set up."""

from __future__ import annotations

from ansible_collections.selfhost.flask.plugins.module_utils.proxy.nginx_foreign import NginxForeignSites

SITES = (NginxForeignSites,)
