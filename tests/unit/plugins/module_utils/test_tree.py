# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.build.requirements import requirements
from ansible_collections.selfhost.flask.plugins.module_utils.common.tree import printable
from ansible_collections.selfhost.flask.plugins.module_utils.flask.env_keys import example_keys


@pytest.mark.parametrize("line", ["-r ../outside.txt", "-r link.txt", "-r {}/outside.txt", "-r folder"])
def test_nothing_is_read_from_outside_the_tree(line, tree, fill, tmp_path):
    (tmp_path / "outside.txt").write_text("s3cret\n")
    (tmp_path / "tree/link.txt").symlink_to(tmp_path / "outside.txt")
    (tmp_path / "tree/folder").mkdir()
    fill(**{"requirements.txt": "flask\n" + line.format(tmp_path)})
    assert requirements(tree, {"requirements": "", "extras": [], "groups": []}) == ["flask"]
    (tmp_path / "tree/.env.example").symlink_to(tmp_path / "outside.txt")
    assert example_keys(tree) == []


def test_a_text_is_one_line_without_signs_for_a_terminal():
    assert printable("a\x1b[0m\tb\nc\u202e\udcff é") == "a [0m b c   é"
