# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal
import subprocess
import threading
from types import SimpleNamespace

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.removal import account
from ansible_collections.selfhost.flask.plugins.module_utils.removal.remains import RemovalError

UID = 54321  # nobody's
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files and processes away")


@pytest.fixture
def program():
    """A process of another user's, which ignores what a polite signal says."""
    with subprocess.Popen(["sh", "-c", "trap '' TERM; while :; do sleep 1; done"], user=UID) as started:
        yield started
        started.kill()


@needs_root
def test_what_still_runs_is_ended(program):
    assert program.pid in account.processes_of(UID)
    threading.Thread(target=program.wait, daemon=True).start()  # as init reaps it
    account.end_processes(UID)
    assert account.processes_of(UID) == [] and program.wait(10) == -signal.SIGKILL


@needs_root
def test_files_of_a_user_are_found_and_no_link_is_followed(tmp_path):
    (tmp_path / "own/inner").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    for name in ("own/inner/a", "other/mine", "other/yours"):
        (tmp_path / name).write_text("")
    (tmp_path / "other/link").symlink_to(tmp_path / "own")
    for name in ("own", "own/inner", "own/inner/a", "other/mine"):
        os.chown(tmp_path / name, UID, 0)
    os.lchown(tmp_path / "other/link", UID, 0)
    found = {os.path.relpath(path, tmp_path) for path in account.files_of(UID, (str(tmp_path),))}
    assert found == {"own", "other/mine", "other/link"}


def test_an_account_goes_with_its_group(monkeypatch, tmp_path):
    told, there = [], {"user", "group"}
    monkeypatch.setattr(account, "find_user", lambda name: SimpleNamespace(pw_uid=UID) if "user" in there else None)
    monkeypatch.setattr(account, "find_group", lambda name: "group" in there)
    monkeypatch.setattr(account, "end_processes", lambda uid: told.append("end"))
    monkeypatch.setattr(account, "files_of", lambda uid: iter([str(tmp_path / "stray")]))
    monkeypatch.setattr(account, "run", lambda argv: told.append(" ".join(argv)))
    (tmp_path / "stray").write_text("")
    account.remove_account("blog")
    assert told == ["end", "userdel blog", "groupdel blog"] and not (tmp_path / "stray").exists()
    there.clear()
    account.remove_account("blog")
    assert len(told) == 3


def test_a_process_that_does_not_end_is_said(monkeypatch):
    monkeypatch.setattr(account, "processes_of", lambda uid: [1234567])
    monkeypatch.setattr(account, "PATIENCE", 0)
    monkeypatch.setattr(account.os, "kill", lambda process, number: None)
    with pytest.raises(RemovalError, match="1234567"):
        account.end_processes(UID)
