#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flask_preflight
short_description: Refuses variables that can't be meant, before a host is touched
version_added: 0.1.0
description:
  - Refuses a variable that begins with C(flask_) and that no role reads, and one that is nearly the
    name of another role's, with the name that may be meant. What is named in
    C(flask_ignored_variables) is passed over.
  - Refuses a value of the wrong type, or none of the choices, of any role's variable.
  - Refuses to change several applications of a play at once where O(effect) says that this wants
    one, or where the command line sets what one application is, such as C(flask_version). They are
    confirmed by their names in C(flask_confirm).
  - Runs on the controller, and reads the roles' argument specifications.
author: The selfhost.flask developers (@selfhost)
extends_documentation_fragment: selfhost.flask.reading
options:
  effect:
    description: What the playbook does that wants one application. Empty where it may be for all.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Check the variables
  selfhost.flask.flask_preflight:
    effect: replaces the data by that of a backup
"""

RETURN = r"""
msg:
  description: What can't be meant, and what to set.
  type: str
  returned: failure
"""
