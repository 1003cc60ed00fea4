# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Where an application is on its host, and what is known of it there."""

    DOCUMENTATION = r"""
author: The selfhost.flask developers (@selfhost)
options:
  root:
    description: The application's folder, such as C(/srv/blog).
    type: path
    required: true
"""

    RECORDS = r"""
options:
  name:
    description:
      - Name of the application and of its system user. Its programs in supervisor are
        C(<name>-blue), C(<name>-green) and C(<name>.<worker>).
    type: str
    required: true
  log:
    description: Folder of the slots' logs and of C(deploy.log).
    type: path
    required: true
"""

    MIGRATIONS = r"""
options:
  migrations:
    description: >-
      Folder of Flask-Migrate's database migrations, relative to the application's. Empty where it has none, or where
      they are not to run.
    type: str
    default: migrations
"""

    HEALTH = r"""
options:
  health_url:
    description:
      - Path that answers when the application is healthy.
    type: str
    default: /
  health_text:
    description: A text that the answer has, too.
    type: str
    default: ""
  health_status:
    description:
      - Status codes of a healthy application, for the last page that one is led to. Without any, those below 400
        are, and for a page that one is led to, those below 500.
    type: list
    elements: int
    default: []
  health_redirect:
    description: Whether redirects on the same host are followed. One with a status of O(health_status) is not.
    type: bool
    default: true
  host:
    description: Host name of the health request.
    type: str
    default: localhost
"""
