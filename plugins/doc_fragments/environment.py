# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What an application's virtual environment is made from."""

    DOCUMENTATION = r"""
options:
  extra:
    description: Packages to install beside the application's own.
    type: list
    elements: str
    default: []
  build_constraints:
    description: Versions of the tools that build packages, such as V(setuptools<58) for old ones.
    type: list
    elements: str
    default: []
  requirements_env:
    description:
      - Environment of the installation, and what C(${NAME}) in the requirements stands for, such as a token for
        private repositories. Code that builds packages can read it.
    type: dict
    default: {}
  python:
    description: The Python interpreter of the environment.
    type: path
    default: /usr/bin/python3
  index_url:
    description: Package index to use instead of PyPI.
    type: str
  extra_index_urls:
    description: Further package indexes, such as one with wheels for a Raspberry Pi.
    type: list
    elements: str
    default: []
"""

    REQUIREMENTS = r"""
options:
  requirements:
    description: The requirements' file, relative to the application's folder. Found where empty.
    type: str
    default: ""
  extras:
    description: Extras of the project to install.
    type: list
    elements: str
    default: []
  groups:
    description: Dependency groups of the project to install; with Pipenv its categories of packages.
    type: list
    elements: str
    default: []
"""
