# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What the modules that read an application's git repository have in common."""

    DOCUMENTATION = r"""
options:
  repo:
    description: URL of the git repository.
    type: str
    required: true
  version:
    description: Tag, branch or commit; V(HEAD) is the default branch, V(latest_tag) the highest version.
    type: str
    default: HEAD
  key:
    description: Private ssh key that may read the repository. It is not kept on the host.
    type: str
  subfolder:
    description: Folder in the repository that holds the application.
    type: str
    default: ""
"""
