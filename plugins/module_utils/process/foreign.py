# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The managers whose programs are found that somebody else has set up."""

from __future__ import annotations

from ansible_collections.selfhost.flask.plugins.module_utils.host.foreign_crontabs import ForeignCrontabs
from ansible_collections.selfhost.flask.plugins.module_utils.host.foreign_units import ForeignUnits
from ansible_collections.selfhost.flask.plugins.module_utils.process.supervisor_foreign import ForeignPrograms

MANAGERS = {manager.kind: manager for manager in (ForeignPrograms, ForeignUnits, ForeignCrontabs)}
