#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flask_project
short_description: Makes the folder from which an application is deployed
version_added: 0.1.0
description:
  - Reads an application's repository on the controller, and writes an inventory with what it has found there, each with its
    reason; an C(ansible.cfg); and a vaulted file for secrets, with its password in C(.vault-password), which git ignores.
  - Nothing of the repository is run. A file that is there already is never changed.
author: The selfhost.flask developers (@selfhost)
attributes:
  check_mode:
    description: Says what was found, and writes nothing.
    support: full
  diff_mode:
    description: No file is changed, and new ones may have secrets.
    support: none
  idempotent:
    description: A second run changes nothing.
    support: full
options:
  repo:
    description: URL of the application's git repository, or its folder on the controller.
    type: str
    required: true
  host:
    description: The server's name, under which the application will be served.
    type: str
    required: true
  folder:
    description: The folder to write to, which is made if it is not there.
    type: path
    default: .
  email:
    description: Address for a certificate of Let's Encrypt. Without it the server makes its own certificate.
    type: str
    default: ""
  app:
    description: The application's name on the server. Without it, the repository's.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Begin a project
  selfhost.flask.flask_project:
    repo: https://github.com/miguelgrinberg/microblog
    host: blog.example.com
    folder: blog
"""

RETURN = r"""
folder:
  description: The folder.
  type: str
  returned: success
written:
  description: Names of the files that were written.
  type: list
  elements: str
  returned: success
kept:
  description: Names of the files that were there already.
  type: list
  elements: str
  returned: success
lines:
  description: What was found, and what to do next.
  type: list
  elements: str
  returned: success
"""
