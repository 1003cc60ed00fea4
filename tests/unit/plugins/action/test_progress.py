# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A person who waits reads what a module does meanwhile."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible_collections.selfhost.flask.plugins.action.host_packages import words_of
from ansible_collections.selfhost.flask.plugins.module_utils.site import progress
from ansible_collections.selfhost.flask.plugins.module_utils.site.progress import tell
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site
from ansible_collections.selfhost.flask.plugins.plugin_utils import _progress


@pytest.fixture(autouse=True)
def run_folder(tmp_path, monkeypatch):
    """In place of /run."""
    for module in (progress, _progress):
        monkeypatch.setattr(module, "FOLDER", str(tmp_path))


@pytest.fixture
def shown(monkeypatch):
    """The lines that were shown."""
    lines = []
    monkeypatch.setattr(_progress.display, "display", lines.append)
    return lines


def on_this_machine(command, sudoable):
    assert not sudoable
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    return dict(rc=done.returncode, stdout=done.stdout, stderr=done.stderr)


def in_a_terminal(command, sudoable):
    said = on_this_machine(command, sudoable)
    return dict(said, stdout=said["stdout"].replace("\n", "\r\n"))


def wait_until(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def action_on(execute=on_this_machine):
    return SimpleNamespace(_task=SimpleNamespace(args=dict(name="blog")), _low_level_execute_command=execute)


def watched(action, monkeypatch):
    monkeypatch.setattr(_progress.shown_progress.__wrapped__, "__defaults__", (str.strip, 0.05))
    return _progress.progress_of(action, dict(inventory_hostname="blog.example.com"))


@pytest.mark.parametrize("execute", [on_this_machine, in_a_terminal])
def test_each_step_is_shown_while_it_is_done(execute, tmp_path, shown, monkeypatch):
    site = Site("blog", str(tmp_path), "")
    with watched(action_on(execute), monkeypatch):
        for step, words in (("launch", "Start the release, and wait until it is healthy"), ("Compile", "Compile")):
            tell(site, step)
            wait_until(lambda words=words: any(line.startswith("blog.example.com: %s (" % words) for line in shown))


@pytest.mark.parametrize("before", [True, False], ids=["an earlier run's", "none"])
def test_a_line_from_before_is_not_shown(before, tmp_path, shown, monkeypatch):
    site = Site("blog", str(tmp_path), "")
    if before:
        tell(site, "launch")
        os.utime(tmp_path / "flask-blog.doing", (time.time() - 60,) * 2)
    with watched(action_on(), monkeypatch):
        wait_until(lambda: shown)
    assert {line.partition(" (")[0] for line in shown} == {"blog.example.com: At work"}


def test_the_host_counts_whole_seconds_so_a_line_may_seem_older_than_the_block(shown, monkeypatch):
    with watched(action_on(lambda command, sudoable: dict(rc=0, stdout="1\nCompile\n")), monkeypatch):
        wait_until(lambda: shown)
    assert shown[0].startswith("blog.example.com: Compile (")


def test_a_host_that_does_not_answer_is_the_modules_own_matter(tmp_path, shown, monkeypatch):
    asked = threading.Event()

    def execute(command, sudoable):
        asked.set()
        raise AnsibleConnectionFailure("The host has gone")

    with watched(action_on(execute), monkeypatch):
        assert asked.wait(10)
    assert shown == []


def test_a_module_that_ends_soon_costs_nothing(tmp_path, shown):
    asked = []
    with _progress.progress_of(action_on(asked.append), dict(inventory_hostname="blog.example.com")):
        pass
    assert asked == shown == []


def test_a_full_disk_does_not_keep_a_step_from_being_done(tmp_path):
    (tmp_path / "flask-blog.doing").mkdir()
    tell(Site("blog", str(tmp_path), ""), "launch")


@pytest.mark.parametrize("line, words", [
    ("2026-01-31 12:00:00 status installed git:amd64 1:2.39.5", "installed git:amd64"),
    ("2026-01-31 12:00:00 configure git:amd64 1:2.39.5 <none>", "configure git:amd64"),
    ("2026-01-31 12:00:00 startup packages configure", "startup packages"),
    ("", "Fetch the packages"),
])
def test_a_line_of_dpkgs_log_says_what_is_done_to_which_package(line, words):
    assert words_of(line) == words
