# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What flask_repo is: a URL as it is, or a folder beside the inventory."""

from __future__ import annotations

import os

import pytest

REPOSITORIES = {
    ".": "/home/ana/blog/.",
    "../shop": "/home/ana/blog/../shop",
    "shop": "/home/ana/blog/shop",
    "/srv/shop": "/srv/shop",
    "~/shop": os.path.expanduser("~/shop"),
    "https://git.example.com/blog": "https://git.example.com/blog",
    "file:///srv/git/blog": "file:///srv/git/blog",
    "git@git.example.com:you/blog.git": "git@git.example.com:you/blog.git",
    "ssh://git@git.example.com:2222/blog": "ssh://git@git.example.com:2222/blog",
    "server:blog": "server:blog",
}


@pytest.mark.parametrize("repo", REPOSITORIES)
def test_a_repository_is_a_url_or_a_folder_beside_the_inventory(repo, evaluate):
    assert evaluate("flask", "__flask_repo", flask_repo=repo, inventory_dir="/home/ana/blog") == REPOSITORIES[repo]
