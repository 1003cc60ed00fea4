# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """How a module takes files that it writes, links or removes; it says itself what they are for."""

    DOCUMENTATION = r"""
options:
  files:
    type: list
    elements: dict
    suboptions:
      dest:
        description: Absolute path of the file. Its folder is made, for everybody to read, where there is none.
        type: path
        required: true
      content:
        description: What the file holds. Usually a C(template) lookup.
        type: str
      link:
        description: What O(files[].dest) points to, as a symbolic link instead of a file.
        type: str
      state:
        description: V(absent) removes the file or the link.
        type: str
        choices: [present, absent]
        default: present
      replace:
        description:
          - With V(false), what is there already is left as it is, whatever it is. A link that leads nowhere counts as
            nothing.
        type: bool
        default: true
      owner:
        description: Name of the owner.
        type: str
        default: root
      group:
        description: Name of the group.
        type: str
        default: root
      mode:
        description: Permissions, as an octal number in quotes.
        type: str
        default: "0644"
"""
