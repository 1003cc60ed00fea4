# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module for the code that needs one, and an application's files to read."""

from __future__ import annotations

import os

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args


@pytest.fixture
def module():
    """A module without options, that really runs commands."""
    with patch_module_args():
        yield AnsibleModule(argument_spec={})


@pytest.fixture
def tree(tmp_path):
    """An empty tree."""
    from ansible_collections.selfhost.flask.plugins.module_utils.common.tree import Tree  # is found only now

    (tmp_path / "tree").mkdir()
    return Tree(str(tmp_path / "tree"), str(tmp_path / "tree"))


@pytest.fixture
def fill(tree):
    """Files of the tree by their name, in which __ stands for a slash, and their text."""

    def fill(**files):
        for name, text in files.items():
            folder, dummy, name = name.rpartition("__")
            path = "%s/%s" % (tree.folder, folder.replace("__", "/"))
            os.makedirs(path, exist_ok=True)
            with open("%s/%s" % (path, name), "w", encoding="utf-8") as file:
                file.write(text)

    return fill
