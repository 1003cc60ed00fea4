# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Who administers a host."""

    DOCUMENTATION = r"""
options:
  admins:
    description:
      - Who administers the host, as one application names them. The host keeps what each application gave to whom
        in C(/var/lib/selfhost/admins).
    type: dict
    suboptions:
      owner:
        description: The application that names them.
        type: str
        required: true
      users:
        description: The administrators.
        type: list
        elements: dict
        required: true
        suboptions:
          name:
            description: User name.
            type: str
            required: true
          ssh_keys:
            description: Public ssh keys, each a line of C(authorized_keys).
            type: list
            elements: str
      groups:
        description: The groups whose members may log in. They are made. C(sudo) is always among them.
        type: list
        elements: str
        default: []
      login_keys:
        description: The keys for an administrator who has none, neither here nor on the host.
        type: str
        default: ""
      sudoers:
        description: The text of C(/etc/sudoers.d/selfhost-admins-OWNER).
        type: str
        required: true
"""
