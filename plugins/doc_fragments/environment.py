# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What an application's virtual environment is made from, beside its requirements."""

    DOCUMENTATION = r"""
options:
  extra:
    description: Packages to install beside the application's own.
    type: list
    elements: str
    default: []
  requirements:
    description: The requirements' file, relative to the release. Found where empty.
    type: str
    default: ""
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
