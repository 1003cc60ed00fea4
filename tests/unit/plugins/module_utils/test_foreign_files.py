# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Root reads nothing for an application's user that this user could not read itself."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.host import foreign_files, reader
from ansible_collections.selfhost.flask.plugins.module_utils.host.foreign_files import UnreadableError, is_roots, read_text


@pytest.fixture
def settings(tmp_path):
    path = tmp_path / ".env"
    path.write_text("A=1\n")
    return path


def test_a_file_is_read_and_one_that_is_not_there_is_empty(settings):
    assert read_text(str(settings), "root") == "A=1\n" and read_text(str(settings) + ".none", "root") == ""


@pytest.mark.skipif(os.getuid() != 0, reason="only root becomes somebody else")
def test_a_link_to_what_the_user_may_not_read_is_refused():
    with tempfile.TemporaryDirectory() as name:  # the folder of pytest's own is closed to others
        os.chmod(name, 0o755)
        secret, settings = Path(name, "secret"), Path(name, ".env")
        secret.write_text("SECRET_KEY=pelican4711\n")
        settings.symlink_to(secret)
        assert "pelican4711" in read_text(str(settings), "nobody")
        secret.chmod(0o600)
        with pytest.raises(UnreadableError, match="can't be read as nobody: .*Permission denied") as said:
            read_text(str(settings), "nobody")
    assert "pelican4711" not in str(said.value)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_what_is_no_regular_file_is_refused_at_once(settings, make):
    settings.unlink()
    make(str(settings))
    with pytest.raises(UnreadableError, match="no regular file|Is a directory"):
        read_text(str(settings), "root")


def test_what_would_fill_the_memory_is_refused(settings):
    with open(settings, "wb") as file:
        file.truncate(reader.LIMIT + 1)
    with pytest.raises(UnreadableError, match="it has more than 1048576 bytes"):
        read_text(str(settings), "root")


def test_root_reads_itself_only_what_nobody_else_could_change(settings):
    assert is_roots("/etc/passwd")
    assert not is_roots(str(settings))  # others may write to /tmp
    assert not is_roots("/etc/none") and not is_roots("/proc/self/cwd")


def test_what_root_alone_could_change_is_read_as_root(monkeypatch, settings):
    asked = []
    monkeypatch.setattr(foreign_files, "as_user", lambda argv, user: asked.append(user) or argv)
    read_text("/etc/passwd", "ana")
    read_text(str(settings), "ana")
    assert asked == ["", "ana"]
