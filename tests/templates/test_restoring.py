# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose backup a restoration takes, and where that is brought to."""

from __future__ import annotations

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from deployments import ROLES, variables_of


@pytest.mark.parametrize("of, words", [
    ("", ""),
    ("old-blog_2", ""),
    ("blog", "flask_backup_of is the name of this application. Leave it out. Nothing was changed."),
    ("../blog", "flask_backup_of is '../blog', which is no application's name."),
    ("Blog", "flask_backup_of is 'Blog', which is no application's name."),
])
def test_a_name_that_is_none_of_another_application_is_refused(of, words):
    tasks = yaml.safe_load((ROLES / "backup/tasks/restore.yml").read_text())
    about = next(task for task in tasks if "other application" in task["name"])["ansible.builtin.assert"]
    templar = Templar(DataLoader(), variables_of("backup", "usual", flask_app="blog", flask_backup_of=of))
    assert templar.evaluate_conditional(trust_as_template(about["that"])) is (not words)
    if words:
        assert words in " ".join(templar.template(trust_as_template(about["fail_msg"])).split())


@pytest.mark.parametrize("given, brought", [
    ({}, False),
    ({"flask_backup_from_restic": True}, False),
    ({"flask_backup_source": "x.tar"}, True),
    ({"flask_backup_of": "shop"}, False),
    ({"flask_backup_of": "shop", "flask_backup_source": "x.tar"}, True),
    ({"flask_backup_of": "shop", "flask_backup_from_restic": True}, True),
])
def test_what_may_be_another_applications_is_brought_to_a_folder_of_its_own(given, brought, evaluate):
    assert evaluate("backup", "__backup_is_brought", **given) is brought
    if brought:
        assert evaluate("backup", "__backup_source", **given).endswith("/.brought")
