# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A page of the repository becomes one of the site: its links stay there, and its lists go on."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest

TOP = Path(__file__).resolve().parents[2]
OWN = "https://github.com/selfhost/flask/blob/main/"
OTHERS = (
    "mkdocs", "mkdocs.config", "mkdocs.config.config_options", "mkdocs.config.defaults", "mkdocs.exceptions", "mkdocs.structure",
    "mkdocs.structure.files", "mkdocs.structure.pages",
)


@pytest.fixture(scope="module")
def pages():
    """The hook, without mkdocs, which has an environment of its own."""
    spec = importlib.util.spec_from_file_location("site_pages", TOP / "script/site_pages.py")
    module = importlib.util.module_from_spec(spec)
    with mock.patch.dict(sys.modules, {name: mock.MagicMock() for name in OTHERS}):
        spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("uri, text, shown", [
    ("index.md", f"[x]({OWN}docs/tls.md#renewal)", "[x](tls.md#renewal)"),
    ("index.md", f"[x] and\n\n[x]: {OWN}docs/tls.md#renewal\n[y]: {OWN}docs/faq.md\n", "[x] and\n\n[x]: tls.md#renewal\n[y]: faq.md\n"),
    ("index.md", "![x](https://raw.githubusercontent.com/selfhost/flask/main/docs/doctor.png)", "![x](doctor.png)"),
    ("index.md", f"[x]({OWN}LICENSE)", f"[x]({OWN}LICENSE)"),
    ("index.md", "[x](https://github.com/selfhost/flask/issues)", "[x](https://github.com/selfhost/flask/issues)"),
    ("roles/redis.md", f"[x]({OWN}docs/services.md)", "[x](../services.md)"),
    ("reference.md", f"[x]({OWN}docs/doctor.md)", "[x](doctor.md)"),
    ("faq.md", "[x](../roles/base) [y](../README.md#install) [z](#below)", "[x](roles/base.md) [y](index.md#install) [z](#below)"),
])
def test_a_link_leads_to_the_page_of_the_site(pages, uri, text, shown):
    assert pages.on_page_markdown(text, SimpleNamespace(file=SimpleNamespace(src_uri=uri))) == shown


@pytest.mark.parametrize("text, shown", [
    ("1. a\n\n   ```\n   x\n   ```\n\n2. b", "1. a\n\n    ```\n    x\n    ```\n\n2. b"),
    ("- a\n  b\n\n  c\n\nd\n  e", "- a\n    b\n\n    c\n\nd\n  e"),
    ("```yaml\n- a: 1\n  b: 2\n```\n", "```yaml\n- a: 1\n  b: 2\n```\n"),
])
def test_what_belongs_to_an_item_is_in_four_columns(pages, text, shown):
    assert pages.with_deeper_lists(text) == shown
