# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What the modules that run an application's flask command have in common."""

    DOCUMENTATION = r"""
author: The selfhost.flask developers (@selfhost)
options:
  chdir:
    description:
      - The application's folder in a release. Its C(.env) and C(.flaskenv) are read as the C(flask)
        command reads them, and no value of C(.env) is shown in a result.
    type: path
    required: true
  virtualenv:
    description: The virtual environment that has Flask. C(.venv) in O(chdir) when not set.
    type: path
  app:
    description:
      - The application as C(module:name) or C(module:factory(\)). It wins over C(FLASK_APP) in
        C(.flaskenv).
    type: str
    required: true
"""
