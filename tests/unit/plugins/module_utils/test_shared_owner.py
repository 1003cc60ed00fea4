# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import os
import sys
import tarfile

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.shared import owner


def test_a_file_that_shrinks_meanwhile_does_not_spoil_the_archive(tmp_path):
    archive = tarfile.open(fileobj=io.BytesIO(), mode="w", format=tarfile.USTAR_FORMAT)
    path = tmp_path / "log"
    path.write_bytes(b"x" * 3000)
    info = archive.gettarinfo(str(path), "log")
    path.write_bytes(b"y" * 10)
    with open(path, "rb") as file:
        archive.addfile(info, owner.Exactly(file, info.size))
    assert archive.fileobj.getvalue()[512:3512] == b"y" * 10 + b"\0" * 2990


def test_a_swap_that_fails_in_between_puts_all_back(tmp_path, monkeypatch):
    for place in ("a", "b"):
        for name in ("old", ".restored/new"):
            (tmp_path / place / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / place / name).touch()
    rename = os.rename
    monkeypatch.setattr(os, "rename", lambda old, new: 1 / 0 if new.endswith("b/new") else rename(old, new))
    with pytest.raises(ZeroDivisionError):
        owner.swap(str(tmp_path), ["a", "b"], [])
    for place in ("a", "b"):
        assert sorted(os.listdir(tmp_path / place)) == [".replaced", ".restored", "old"]
        assert os.listdir(tmp_path / place / ".restored") == ["new"]


def test_a_database_deep_in_a_place_stays_where_it_is(tmp_path):
    data = tmp_path / "instance/data"
    data.mkdir(parents=True)
    for name in ("blog.db", "blog.db-wal", "other"):
        (data / name).write_text("present")
    (tmp_path / "instance/.restored/data").mkdir(parents=True)
    (tmp_path / "instance/.restored/data/new").touch()
    inode = (data / "blog.db").stat().st_ino
    owner.swap(str(tmp_path), ["instance"], ["instance/data/blog.db", "instance/data/blog.db-wal"])
    assert sorted(os.listdir(data)) == ["blog.db", "blog.db-wal", "new"]
    assert (data / "blog.db").stat().st_ino == inode


def test_what_leads_out_of_its_place_is_not_laid(tmp_path, monkeypatch):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as written:
        for name in ("instance/../../escaped", "elsewhere/x", "instance//etc/x", "instance/good"):
            written.addfile(tarfile.TarInfo(name))
    (tmp_path / "shared/instance").mkdir(parents=True)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(archive.getvalue())))
    owner.stage(str(tmp_path / "shared"), ["instance"])
    assert os.listdir(tmp_path / "shared/instance/.restored") == ["good"]
    assert os.listdir(tmp_path) == ["shared"]
