# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import stat

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import make_folders, write_file


def modes(folder, *names):
    return [stat.S_IMODE((folder / name).stat().st_mode) for name in names]


@pytest.mark.usefixtures("strict_umask")
def test_folders_are_everybody_s_to_enter_and_the_last_has_its_mode(tmp_path):
    (tmp_path / "kept").mkdir(mode=0o700)
    make_folders(str(tmp_path / "kept/a/b/"), 0o750)
    make_folders(str(tmp_path / "kept/a/b"), 0o755)
    assert modes(tmp_path, "kept", "kept/a", "kept/a/b") == [0o700, 0o755, 0o750]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    for name in ("file", "file/in"):
        with pytest.raises((FileExistsError, NotADirectoryError)):
            make_folders(str(tmp_path / name))


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_a_file_is_replaced_as_a_whole(mode, tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    before = path.stat().st_ino
    write_file(str(path), b"new", mode)
    assert path.read_text() == "new" and path.stat().st_ino != before
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("old")
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        write_file(str(tmp_path / "file"), b"new", 0o600)
    assert os.listdir(tmp_path) == ["file"] and (tmp_path / "file").read_text() == "old"


def no_space(dummy):
    raise OSError(28, "No space left")


def test_a_secret_is_at_no_moment_open_to_more_than_its_mode(tmp_path, monkeypatch):
    seen = []
    real = os.fchmod
    monkeypatch.setattr(os, "fchmod", lambda fd, mode: (seen.append(os.fstat(fd).st_size), real(fd, mode)))
    write_file(str(tmp_path / "file"), b"secret", 0o600)
    assert seen == [0]
