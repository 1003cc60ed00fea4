# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard, with its real program; systemd and ufw are stand-ins that note how they were called."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.access import guard as access_guard
from ansible_collections.selfhost.flask.plugins.module_utils.access.guard import Guard


class Failed(Exception):
    pass


class Host:
    """A host whose systemctl starts the guard's program."""

    def __init__(self, root):
        self.root, self.calls = root, root / "calls"
        self.elapsed, self.broken = None, []
        self.armed_at = []
        (root / "bin").mkdir()
        (root / "units").mkdir()
        self.calls.write_text("")
        for name in ("systemctl", "ufw", "iptables", "gpasswd"):
            program = root / "bin" / name
            program.write_text('#!/bin/sh\necho "%s $*" >>%s\n' % (name, self.calls))
            program.chmod(0o755)

    def run_command(self, command, check_rc=False):
        with self.calls.open("a") as file:
            file.write(" ".join(command) + "\n")
        self.armed_at += [(command[1], (self.root / "guard/armed").is_dir())]
        if command[1:] == ["start", "selfhost-guard.service"]:
            self.fire()
        if command[1:] == ["stop", "selfhost-guard.service"] and self.elapsed and self.elapsed.poll() is None:
            os.killpg(self.elapsed.pid, signal.SIGTERM)
            self.elapsed.wait(timeout=10)
        return int(command[1:] == self.broken), "", ""

    def fail_json(self, msg):
        raise Failed(msg)

    def fire(self):
        """What the timer starts."""
        self.elapse()
        assert self.elapsed.wait(timeout=20) == 0

    def elapse(self):
        """The timer starts it, and does not wait for it."""
        environment = {"PATH": "%s/bin:/usr/bin:/bin" % self.root}
        self.elapsed = subprocess.Popen(
            ["sh", str(self.root / "guard/revert")], env=environment, start_new_session=True
        )

    def waits(self):
        """Whether the program waits for who holds the lock, instead of going back or ending."""
        while self.elapsed.poll() is None:
            command = ["pgrep", "--pgroup", str(self.elapsed.pid)]
            own = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
            blocked = [line.split() for line in open("/proc/locks", encoding="ascii") if "->" in line]
            if any(line[5] in own for line in blocked):
                return True
            time.sleep(0.01)
        return False


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


def armed(guard, *about):
    """A module that arms the guard, and ends."""
    guard.hold()
    token = guard.arm(*about)
    guard.release()
    return token


def change(files):
    for path in files:
        with open(path, "w", encoding="ascii") as file:
            file.write("new\n")


def content(path):
    with open(path, encoding="ascii") as file:
        return file.read()


@pytest.mark.usefixtures("strict_umask")
def test_folder_is_root_s_alone_and_the_one_above_it_is_not(host, files):
    guard = Guard(host, str(host.root / "state/guard"), str(host.root / "units"))
    armed(guard, files, BEFORE, 60)
    assert [oct((host.root / name).stat().st_mode)[-3:] for name in ("state", "state/guard")] == ["755", "700"]


def test_what_nobody_confirmed_is_as_before(guard, host, files):
    armed(guard, files, BEFORE, 60)
    change(files)
    host.fire()
    assert content(files[0]) == "old\n" and os.stat(files[0]).st_mode & 0o777 == 0o640
    assert not os.path.exists(files[1]) and not guard.pending()
    calls = host.calls.read_text()
    assert "ufw reload" in calls and "systemctl restart ssh.service" in calls


def test_what_was_confirmed_stays(guard, host, files):
    token = armed(guard, files, BEFORE, 60)
    change(files)
    assert guard.confirm(token) == guard.confirm(token) == "confirmed"
    host.fire()
    assert content(files[0]) == content(files[1]) == "new\n"


def test_a_confirmation_survives_the_loss_of_the_power_before_the_timer_is_stopped(guard, host, files, monkeypatch):
    token = armed(guard, files, BEFORE, 60)
    steps = []
    run_command = host.run_command
    monkeypatch.setattr(access_guard.os, "sync", lambda: steps.append(("all", guard.armed())))
    monkeypatch.setattr(access_guard, "sync_folder", lambda path: steps.append((path, guard.armed())))
    monkeypatch.setattr(host, "run_command", lambda command, **how: steps.append(command[1]) or run_command(command))
    guard.confirm(token)
    assert steps == [("all", True), (guard.folder, False), "stop"]


def test_a_confirmation_that_comes_too_late_says_so(guard, host, files):
    token = armed(guard, files, BEFORE, 60)
    change(files)
    host.fire()
    assert guard.confirm(token) == "reverted"
    guard.confirm(armed(guard, files, BEFORE, 60))
    assert guard.confirm(token) == "reverted"
    assert guard.confirm("another") == "unknown"


def test_the_files_of_before_go_with_the_confirmation(guard, host, files):
    armed(guard, files, BEFORE, 60)
    host.fire()
    guard.confirm(armed(guard, files, BEFORE, 60))
    assert list((host.root / "guard").rglob("files.tar")) == []


def test_a_second_change_goes_back_to_what_was_there_before_the_first(guard, host, files):
    first = armed(guard, files, BEFORE, 60)
    change(files)
    second = armed(guard, files, BEFORE, 60)
    host.fire()
    assert content(files[0]) == "old\n"
    assert guard.confirm(first) == guard.confirm(second) == "reverted"


def test_a_second_change_keeps_what_the_first_had_no_reason_to_touch(guard, host, files, tmp_path):
    other, absent = tmp_path / "other", tmp_path / "absent"
    other.write_text("old\n")
    armed(guard, files, dict(BEFORE, MEMBERS="gpasswd -a bob sudo; "), 60)
    change(files)
    armed(guard, [*files, str(other), str(absent)], dict(BEFORE, MEMBERS="gpasswd -a 'ana' sudo; "), 60)
    change([str(other), str(absent)])
    host.fire()
    assert content(files[0]) == content(other) == "old\n" and not absent.exists()
    calls = host.calls.read_text()
    assert calls.index("gpasswd -a bob sudo\n") < calls.index("gpasswd -a ana sudo\n")


def test_only_the_last_of_two_changes_can_be_confirmed_and_counts_for_both(guard, host, files):
    first, last = [armed(guard, files, BEFORE, 60) for dummy in range(2)]
    assert guard.confirm(first) == "unproven" and guard.armed()
    assert guard.confirm(last) == guard.confirm(first) == "confirmed"
    assert not guard.armed()


def test_a_change_of_another_run_is_not_confirmed(guard, files):
    first = armed(guard, files, BEFORE, 60)
    assert guard.confirm(first) == "confirmed"
    armed(guard, files, BEFORE, 60)
    assert guard.confirm(first) == "confirmed" and guard.armed()


def test_who_goes_back_takes_back_no_other_change(guard, host, files):
    first = armed(guard, files, BEFORE, 60)
    guard.confirm(first)
    second = armed(guard, files, BEFORE, 60)
    change(files)
    assert not guard.revert(first) and guard.fate(first) == "confirmed"
    assert content(files[0]) == "new\n"
    assert guard.revert(second) and guard.fate(second) == "reverted"
    assert not guard.revert(second) and content(files[0]) == "old\n"


def test_a_revert_that_was_cut_off_goes_on(guard, host, files):
    armed(guard, files, BEFORE, 60)
    change(files)
    os.rename(guard.own("armed"), guard.own("reverting"))
    host.fire()
    assert content(files[0]) == "old\n" and not guard.pending()


def test_a_firewall_that_was_off_is_off_again_and_a_socket_listens(guard, host, files):
    armed(guard, files, dict(LISTENER="ssh.socket", FIREWALL="inactive"), 60)
    host.fire()
    calls = host.calls.read_text()
    assert "ufw --force disable" in calls and "ufw reload" not in calls
    assert "systemctl stop ssh.service\nsystemctl restart ssh.socket\n" in calls


def test_the_policies_of_a_firewall_that_is_not_ufw_are_back_after_ufw_s_end(guard, host, files):
    policies = "iptables -w -P INPUT DROP; iptables -w -P FORWARD DROP"
    armed(guard, files, dict(LISTENER="ssh.service", FIREWALL="inactive", POLICIES=policies), 60)
    host.fire()
    assert "ufw --force disable\n" + policies.replace("; ", "\n") + "\n" in host.calls.read_text()


def test_a_revert_that_fails_is_no_success(guard, host, files):
    armed(guard, files, BEFORE, 60)
    host.fire = lambda: None
    with pytest.raises(Failed, match="could not be restored"):
        guard.revert()


def test_the_service_runs_at_boot_and_the_timer_has_the_deadline(guard, host, files):
    armed(guard, files, BEFORE, 77)
    assert "enable --quiet selfhost-guard.service" in host.calls.read_text()
    assert "OnActiveSec=77s\n" in (host.root / "units/selfhost-guard.timer").read_text()
    assert "ConditionPathExists=|%s/armed\n" % guard.folder in (host.root / "units/selfhost-guard.service").read_text()


def test_a_deadline_that_comes_while_the_change_is_made_waits_for_the_next_step(guard, host, files):
    guard.hold()
    guard.arm(files, BEFORE, 60)
    host.elapse()
    assert host.waits()
    change(files)
    assert guard.start_clock()
    assert host.elapsed.returncode == -signal.SIGTERM
    guard.release()
    assert guard.armed() and content(files[0]) == "new\n"


def test_a_change_whose_module_ended_on_the_way_is_taken_back(guard, host, files):
    guard.hold()
    guard.arm(files, BEFORE, 60)
    change(files)
    host.elapse()
    assert host.waits()
    guard.release()
    assert host.elapsed.wait(timeout=20) == 0
    assert content(files[0]) == "old\n"


def test_a_program_that_was_started_meanwhile_does_not_keep_the_lock(guard, host, files):
    guard.hold()
    guard.arm(files, BEFORE, 60)
    with subprocess.Popen(["sleep", "60"], close_fds=False) as process:
        guard.release()
        host.fire()
        process.kill()
    assert not guard.pending()


def test_a_module_that_hangs_is_ended(guard, host, files):
    armed(guard, files, BEFORE, 1)
    script = 'echo $$ >lock; exec 9<>lock; flock 9; echo locked; exec sleep 60'
    with subprocess.Popen(["sh", "-c", script], cwd=guard.folder, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"locked\n"
        host.fire()
        assert process.wait(timeout=10) == -signal.SIGKILL
    assert not guard.pending()


def test_the_clock_says_that_a_change_is_not_guarded_any_more(guard, host, files):
    armed(guard, files, BEFORE, 60)
    host.fire()
    assert not guard.start_clock()


def test_the_clock_runs_before_there_is_anything_to_take_back(guard, host, files):
    armed(guard, files, BEFORE, 60)
    assert ("restart", False) in host.armed_at


def test_a_change_waits_for_a_revert_that_was_cut_off(guard, host, files):
    armed(guard, files, BEFORE, 60)
    change(files)
    os.rename(guard.own("armed"), guard.own("reverting"))
    guard.hold()
    assert content(files[0]) == "old\n" and not guard.pending()


def test_a_clock_that_does_not_start_guards_nothing(guard, host, files):
    token = armed(guard, files, BEFORE, 60)
    host.broken = ["restart", "selfhost-guard.timer"]
    assert not guard.start_clock()
    guard.confirm(token)
    with pytest.raises(Failed, match="Nothing was changed"):
        armed(guard, files, BEFORE, 60)
    assert not guard.armed()


def test_a_clock_may_be_started_as_often_as_a_change_has_steps(guard, host, files):
    armed(guard, files, BEFORE, 60)
    for name in ("timer", "service"):
        assert "StartLimitIntervalSec=0\n" in (host.root / ("units/selfhost-guard." + name)).read_text()
