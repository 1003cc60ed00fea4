# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What the modules that read an application's git repository have in common."""

    DOCUMENTATION = r"""
options:
  repo:
    description: >-
      URL of the git repository. M(selfhost.flask.flask_build) and M(selfhost.flask.flask_plan) also take a folder on the
      controller, which is a repository there.
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
  submodules:
    description:
      - Which of its submodules are fetched, with the same key or user. V(true) for all, V(false) for none, or a list of
        their paths. Those within them come with them.
    type: raw
    default: true
"""

    RELEASE = r"""
options:
  entrypoint:
    description: The application as C(module:name) or C(module:factory(\)).
    type: str
    required: true
  shared:
    description: Folders that the application writes, relative to its own; they outlive a release, as links to C(<root>/shared).
    type: list
    elements: str
    default: []
  static_folder:
    description:
      - Folder of the static files, relative to the application's.
      - Without it, C(static) in the entrypoint's package, beside it or in a package beside it.
    type: str
    default: ""
  static_url:
    description: Path in the URL under which they are served.
    type: str
    default: /static
"""

    SOURCE = r"""
options:
  source:
    description:
      - What the action plugin has found where O(repo) is a folder on the controller. What it packs is sent once the
        module has returned RV(wanted).
    type: dict
    suboptions:
      version:
        description: Name of the version.
        type: str
        required: true
      commit:
        description: The full commit.
        type: str
        required: true
      bundle:
        description: A file on the host with the commit, and with its submodules and what is in Git LFS, by C(git bundle).
        type: path
      history:
        description: The commits between the served one and this one, as the plan has them.
        type: dict
"""
