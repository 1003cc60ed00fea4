# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard, with its real program; systemd and ufw are stand-ins that note how they were called."""

from __future__ import annotations

import os
import subprocess

import pytest

from ansible_collections.selfhost.flask.plugins.module_utils._guard import Guard


class Failed(Exception):
    pass


class Host:
    """A host whose systemctl starts the guard's program."""

    def __init__(self, root):
        self.root, self.calls = root, root / "calls"
        (root / "bin").mkdir()
        (root / "units").mkdir()
        self.calls.write_text("")
        for name in ("systemctl", "ufw"):
            program = root / "bin" / name
            program.write_text('#!/bin/sh\necho "%s $*" >>%s\n' % (name, self.calls))
            program.chmod(0o755)

    def run_command(self, command, check_rc=False):
        with self.calls.open("a") as file:
            file.write(" ".join(command) + "\n")
        if command[1:] == ["start", "selfhost-guard.service"]:
            self.fire()
        return 0, "", ""

    def fail_json(self, msg):
        raise Failed(msg)

    def fire(self):
        """What the timer starts."""
        environment = {"PATH": "%s/bin:/usr/bin:/bin" % self.root}
        subprocess.run(["sh", str(self.root / "guard/revert")], env=environment, check=True)


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


@pytest.fixture
def guard(host):
    return Guard(host, str(host.root / "guard"), str(host.root / "units"))


@pytest.fixture
def files(host):
    """One file that is there, and one that is not."""
    (host.root / "kept").write_text("old\n")
    (host.root / "kept").chmod(0o640)
    return [str(host.root / "kept"), str(host.root / "added")]


BEFORE = dict(LISTENER="ssh.service", FIREWALL="active")


def change(files):
    for path in files:
        with open(path, "w", encoding="ascii") as file:
            file.write("new\n")


def content(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def test_what_nobody_confirmed_is_as_before(guard, host, files):
    guard.arm(files, BEFORE, 60)
    change(files)
    host.fire()
    assert content(files[0]) == "old\n" and os.stat(files[0]).st_mode & 0o777 == 0o640
    assert not os.path.exists(files[1]) and not guard.pending()
    calls = host.calls.read_text()
    assert "ufw reload" in calls and "systemctl restart ssh.service" in calls


def test_what_was_confirmed_stays(guard, host, files):
    token = guard.arm(files, BEFORE, 60)
    change(files)
    assert guard.confirm(token)
    host.fire()
    assert content(files[0]) == content(files[1]) == "new\n"


def test_a_confirmation_that_comes_too_late_says_so(guard, host, files):
    token = guard.arm(files, BEFORE, 60)
    change(files)
    host.fire()
    assert not guard.confirm(token)


def test_a_second_change_goes_back_to_what_was_there_before_the_first(guard, host, files):
    first = guard.arm(files, BEFORE, 60)
    change(files)
    second = guard.arm(files, BEFORE, 60)
    host.fire()
    assert content(files[0]) == "old\n"
    assert not guard.confirm(first) and not guard.confirm(second)


def test_two_runs_that_change_the_same_host_can_both_confirm(guard, files):
    tokens = [guard.arm(files, BEFORE, 60) for dummy in range(2)]
    assert all(guard.confirm(token) for token in tokens)


def test_a_revert_that_was_cut_off_goes_on(guard, host, files):
    guard.arm(files, BEFORE, 60)
    change(files)
    os.rename(guard.own("armed"), guard.own("reverting"))
    host.fire()
    assert content(files[0]) == "old\n" and not guard.pending()


def test_a_firewall_that_was_off_is_off_again_and_a_socket_listens(guard, host, files):
    guard.arm(files, dict(LISTENER="ssh.socket", FIREWALL="inactive"), 60)
    host.fire()
    calls = host.calls.read_text()
    assert "ufw --force disable" in calls and "ufw reload" not in calls
    assert "systemctl stop ssh.service\nsystemctl restart ssh.socket\n" in calls


def test_a_revert_that_fails_is_no_success(guard, host, files):
    guard.arm(files, BEFORE, 60)
    host.fire = lambda: None
    with pytest.raises(Failed, match="could not be brought back"):
        guard.revert()


def test_the_service_runs_at_boot_and_the_timer_has_the_deadline(guard, host, files):
    guard.arm(files, BEFORE, 77)
    assert "enable --quiet selfhost-guard.service" in host.calls.read_text()
    assert "OnActiveSec=77s\n" in (host.root / "units/selfhost-guard.timer").read_text()
    assert "ConditionPathExists=|%s/armed\n" % guard.folder in (host.root / "units/selfhost-guard.service").read_text()
