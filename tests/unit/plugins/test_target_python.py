# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is sent to a host is written for the oldest Python that a host may have."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
SENT = sorted(path for folder in ("modules", "module_utils") for path in (PLUGINS / folder).rglob("*.py"))
OLDEST = (3, 8)
YOUNGER = {"removeprefix", "removesuffix", "hardlink_to", "bit_count"}  # what a newer Python has added


@pytest.fixture(params=SENT, ids=lambda path: str(path.relative_to(PLUGINS)))
def tree(request):
    return ast.parse(request.param.read_text(encoding="utf-8"), feature_version=OLDEST)


def test_annotations_are_not_evaluated(tree):
    future = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    assert [name.name for node in future for name in node.names] == ["annotations"]


def test_nothing_is_used_that_came_later(tree):
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert used & YOUNGER == set()
