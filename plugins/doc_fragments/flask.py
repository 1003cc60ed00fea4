# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules that run the flask command have in common."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
author: The selfhost.flask developers (@selfhost)
notes:
  - Run the task as the application's own user, with C(become_user). The command reads the C(.env) and
    C(.flaskenv) of the folder, as it does for a developer.
  - Secrets of the C(.env) are masked in what the module returns.
options:
  chdir:
    description: The application's folder.
    type: path
    required: true
  app:
    description: >-
      The application as C(module:name) or C(module:factory(\)). It is the command's C(FLASK_APP) and wins
      over a C(.flaskenv).
    type: str
    required: true
  virtualenv:
    description: The application's virtual environment. Without one, C(.venv) in the folder.
    type: path
"""
