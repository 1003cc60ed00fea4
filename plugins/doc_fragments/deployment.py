# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What the modules that change what an application serves have in common, beside what is in `site`."""

    DOCUMENTATION = r"""
options:
  app:
    description: The application as C(module:name) or C(module:factory(\)).
    type: str
    required: true
  config:
    description: Files that the application reads at its start. A change in one launches it again.
    type: list
    elements: path
    default: []
  workers:
    description: Names of the background processes that are restarted with the release.
    type: list
    elements: str
    default: []
  deadline:
    description: Seconds that the release has to become healthy.
    type: int
    default: 60
  patience:
    description: Seconds that requests which write have to end before the database is changed.
    type: int
    default: 30
  keep:
    description: Number of good releases to keep, the served one among them.
    type: int
    default: 5
  session:
    description: Identity that M(selfhost.flask.flask_session) returned. The session ends with this module.
    type: str
"""
