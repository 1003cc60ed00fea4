# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the documentation is for somebody who has installed the collection: without its pages."""

from __future__ import annotations

PAGE = "https://github.com/selfhost/flask/blob/main/docs/%s.md"
