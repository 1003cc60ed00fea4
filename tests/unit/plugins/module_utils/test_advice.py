# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.common.advice import advice

REFUSED = "PermissionError: [Errno 13] Permission denied: '/srv/shop/releases/v1-7f7c99a2/%s'"
SQLITE = "sqlalchemy.exc.OperationalError: (sqlite3.OperationalError) unable to open database file"


@pytest.mark.parametrize("said, helpful", [
    (REFUSED % "app/uploads/a.png", "Add app/uploads to app_shared_paths"),
    (REFUSED % "css/a.css" + " -> '/srv/shop/releases/v1-7f7c99a2/build/a.1f.css'", "Add build to app_shared_paths"),
    (REFUSED % "key.pem", "Have it write into a folder"),
    ("ModuleNotFoundError: No module named 'pkg_resources'", 'app_extra_packages: ["setuptools<81"]'),
    ("ModuleNotFoundError: No module named 'shop'", ""),
    (SQLITE, "Give it the database of flask_database by the settings that it reads"),
    (SQLITE + "\n" + REFUSED % "data/shop.db", "Add data to app_shared_paths"),
])
def test_what_is_known_of_an_error_is_said(said, helpful):
    assert (helpful in advice(said)) if helpful else advice(said) == ""
