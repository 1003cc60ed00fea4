# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A write to what is sealed is recognised by what programs say of it, and answered with the line that helps."""

from __future__ import annotations

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.common.advice import advice

TOP = "/srv/blog/releases/v1-7f7c99a2/"
# what a log has, the path that is named, and the line that helps
SEALED = {
    "PermissionError: [Errno 13] Permission denied: '%suploads/cat.png'" % TOP: ("uploads/cat.png", "Add uploads to flask_shared_paths"),
    "OSError: [Errno 30] Read-only file system: '/srv/blog/current/data/cache'": ("data/cache", "Add data/cache to flask_shared_paths"),
    "PermissionError: [Errno 13] Permission denied: '/srv/blog/slots/blue/web/gen'": ("web/gen", "Add web/gen to flask_shared_paths"),
    "PermissionError: [Errno 13] Permission denied: '%scss/a.css' -> '%sbuild/a.1f.css'" % (TOP, TOP): (
        "build/a.1f.css", "Add build to flask_shared_paths"
    ),
    "ModuleNotFoundError: No module named 'pkg_resources'": ("pkg_resources", 'app_extra_packages: ["setuptools<81"]'),
    "PermissionError: [Errno 13] Permission denied: 'app.log'": ("app.log", "Have it write into a folder, add that to flask_shared_paths"),
    "Error: EACCES: permission denied, mkdir '%spublic/gen'" % TOP: ("public/gen", "Add public/gen to flask_shared_paths"),
    "Error: EROFS: read-only file system, open '%sdata/x.json'" % TOP: ("data/x.json", "Add data to flask_shared_paths"),
    "_gdbm.error: [Errno 13] Permission denied: 'celerybeat-schedule'": (
        "celerybeat-schedule", "celery … beat --schedule instance/celerybeat-schedule"
    ),
    "_dbm.error: [Errno 30] Read-only file system: b'celerybeat-schedule'": ("celerybeat-schedule", "beat --schedule"),
    "PermissionError: [Errno 13] Permission denied: '%sstatic/.webassets-cache'" % TOP: (
        "static/.webassets-cache", "flask_build: [flask assets build]"
    ),
    "sqlite3.OperationalError: unable to open database file": ("SQLite file", "flask_shared_paths, such as instance/"),
    "sqlalchemy.exc.OperationalError: (sqlite3.OperationalError) attempt to write a readonly database": (
        "SQLite file", "flask_shared_paths, such as instance/"
    ),
}
OTHERS = [
    "PermissionError: [Errno 13] Permission denied: '/etc/shadow'",
    "PermissionError: [Errno 13] Permission denied: '/srv/blog/shared/instance/x'",
    "ModuleNotFoundError: No module named 'shop'",
    "FileNotFoundError: [Errno 2] No such file or directory: 'uploads/x'",
    "ConnectionError: [Errno 111] Connection refused",
    "pymysql.err.OperationalError: (2003, \"Can't connect to MySQL server on 'localhost'\")",
]


@pytest.mark.parametrize("said", SEALED)
def test_what_could_not_be_written_is_named_with_the_line_that_helps(said):
    path, line = SEALED[said]
    found = advice("Traceback (most recent call last):\n  File x\n%s\n[SQL: CREATE TABLE x]" % said)
    assert path in found and line in found and found.endswith("and run `selfhost.flask.update`.")


@pytest.mark.parametrize("said", OTHERS)
def test_another_error_is_another_matter(said):
    assert advice(said) == ""


def test_the_last_one_counts():
    said = "PermissionError: [Errno 13] Permission denied: '%s/x.txt'\n"
    assert "Add two to flask_shared_paths" in advice(said % "one" + said % "two")
