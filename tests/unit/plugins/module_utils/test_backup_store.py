# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.backup.store import BackupError, chosen, moment, verify


def test_a_name_is_the_moment_in_utc_wherever_the_host_is(monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    assert moment("20260701T120000Z") == 1782907200
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("name", ["database.gz", "database.json", "settings.env", "shared.tar.gz"])
def test_a_damaged_file_is_found_and_named(name, blog):
    path = blog.make()
    blog.damage(path / name)
    with pytest.raises(BackupError, match="damaged: the checksum of .*%s" % name):
        verify(blog.site, str(path))
    (path / name).write_bytes(b"")
    with pytest.raises(BackupError, match="damaged: .*%s has 0 bytes instead of" % name):
        verify(blog.site, str(path))
    (path / name).unlink()
    with pytest.raises(BackupError, match="damaged: there is no .*%s" % name):
        verify(blog.site, str(path))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 2}', None])
def test_without_its_manifest_it_is_no_backup(content, blog):
    path = blog.make()
    (path / "manifest.json").unlink()
    if content is not None:
        (path / "manifest.json").write_text(content)
    with pytest.raises(BackupError, match="no complete backup|another version"):
        verify(blog.site, str(path))


def test_the_backup_of_another_application_is_refused(blog):
    with pytest.raises(BackupError, match="a backup of .* and not of shop"):
        verify(blog.site._replace(name="shop"), str(blog.make()))


def test_the_newest_is_chosen_or_what_was_named(blog):
    first, second = blog.make(), blog.make()
    assert chosen(str(blog.backups), "") == str(second)
    assert chosen(str(blog.backups), first.name) == str(first)
    for name in ("20200101T000000Z", "../x"):
        with pytest.raises(BackupError, match="There is no backup .* Set flask_backup to one of these: %s, %s" % (first.name, second.name)):
            chosen(str(blog.backups), name)
