#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flask_program
short_description: Runs a command of an application's own program, and shows what it prints
version_added: 0.1.0
description:
  - Runs C(flask-<app>) on the host, which a deployment has installed there, and prints its lines as they are, whatever the format of
    results is. A command that takes long shows every ten seconds that it is at work.
  - It fails with the command's exit code.
author: The selfhost.flask developers (@selfhost)
attributes:
  check_mode:
    description: A command that may change something is skipped.
    support: partial
  diff_mode:
    description: Nobody knows beforehand what a command changes.
    support: none
  idempotent:
    description: That is the command's own matter.
    support: none
options:
  name:
    description: The application's name.
    type: str
    required: true
  command:
    description: The command with its arguments, as a shell would read them, such as C(logs --lines=50) or C(flask routes).
    type: str
    required: true
  changes:
    description: Whether the command may change something, so that the task is changed.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Show the application's routes
  selfhost.flask.flask_program:
    name: microblog
    command: flask routes
    changes: false
"""

RETURN = r"""
lines:
  description: What it printed, its errors last.
  type: list
  elements: str
  returned: success
rc:
  description: The exit code.
  type: int
  returned: when it was run
"""
