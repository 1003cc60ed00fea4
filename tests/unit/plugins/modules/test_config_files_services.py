# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What config_files has services load: by what they run with, whoever has changed their files."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
import time
from types import SimpleNamespace

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.host.settled import look

CHECK = {"_ansible_check_mode": True}
OWNER = {"owner": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name}
UTILS = "ansible_collections.selfhost.flask.plugins.module_utils."
LONG = 1000  # seconds
NGINX = {"name": "nginx", "action": "reload"}


class Killed(BaseException):
    """Nothing more is run: the process was killed."""


class Systemd:
    """A host's systemd with one service, and the programs that a task may run beside it."""

    def __init__(self):
        self.told, self.refuses, self.dies, self.starts = [], "", (), 0
        self.unit = {"LoadState": "loaded", "UnitFileState": "enabled", "NeedDaemonReload": "no"}
        self.start(-LONG)

    def start(self, after):
        """It was started so many seconds after now."""
        self.starts += 1
        self.unit.update(ActiveState="active", InvocationID=str(self.starts), ReloadResult="success")
        self.happened(after, "ExecMainStart", "ActiveEnter", "StateChange")

    def happened(self, after, *names):
        self.unit.update({name + "TimestampMonotonic": str(int((time.monotonic() + after) * 1e6)) for name in names})

    def stop(self):
        self.unit["ActiveState"] = "inactive"

    def run(self, module, argv, check_rc=False):
        """Stands for run_command."""
        if isinstance(argv, str):
            self.told.append(argv)
            done = subprocess.run(["sh", "-c", argv], capture_output=True, text=True, check=False)
            return done.returncode, done.stdout, done.stderr
        if argv[1] == "show":
            blocks = ["Id=%s\n%s" % (name, "\n".join(map("=".join, self.unit.items()))) for name in argv[4:]]
            return 0, "\n\n".join(blocks) + "\n", ""
        self.told.append(" ".join(argv[1:]))
        self.die("before", argv[1])
        self.do(argv[1])
        self.die("after", argv[1])
        return (1, "", self.refuses) if self.refuses else (0, "", "")

    def die(self, *moment):
        if moment == self.dies:
            raise Killed

    def do(self, verb):
        if verb == "stop":
            self.stop()
        elif verb == "enable":
            self.unit["UnitFileState"] = "enabled"
        elif verb == "daemon-reload":
            self.unit["NeedDaemonReload"] = "no"
        elif verb == "reload":
            self.unit["ReloadResult"] = "exit-code" if self.refuses else "success"
            self.happened(LONG, "StateChange")
        elif not self.refuses:
            self.start(LONG)


@pytest.fixture
def systemd(monkeypatch, tmp_path):
    """A service that was started long before the test's files were written."""
    systemd = Systemd()
    monkeypatch.setattr(AnsibleModule, "run_command", lambda *args, **options: systemd.run(*args, **options))
    monkeypatch.setattr(UTILS + "host.services.RUNNING", str(tmp_path / "run"))
    monkeypatch.setattr(UTILS + "host.services.KEPT", str(tmp_path / "lib"))
    monkeypatch.setattr(UTILS + "host.systemd.UNITS", str(tmp_path / "units") + "/")
    return systemd


@pytest.fixture
def write(run, systemd, tmp_path):
    """Runs the module for files, by their names and contents, and a service; what was loaded."""

    def write(service=NGINX, files={"site": "new"}, **options):
        listed = [dict(OWNER, dest=str(tmp_path / name), **state(text)) for name, text in files.items()]
        service = dict(service, files=[str(tmp_path / name) for name in service.get("files", [])])
        return run("config_files", files=listed, services=[service], **options)

    return write


def state(text):
    return {"content": text} if text is not None else {"state": "absent"}


@pytest.fixture
def loads(write, systemd):
    """What a run tells whom: predicted by check mode, then done, and not again by the run after it."""

    def loads(service=NGINX, **options):
        told = len(systemd.told)
        expected = write(service, **CHECK, **options)
        assert len(systemd.told) == told
        result = write(service, **options)
        assert not result.get("failed"), result["msg"]
        keys = ("changed", "changed_files", "loaded", "diff")
        assert [expected[key] for key in keys] == [result[key] for key in keys]
        for mode in ({}, CHECK):
            again = write(service, **mode, **options)
            assert (again["changed"], again["loaded"]) == (False, [])
        return result["loaded"]

    return loads


@pytest.fixture
def left(tmp_path):
    """A file is as it should be, and nobody has told the service: a run was killed, or a person was there."""
    (tmp_path / "site").write_text("new")
    (tmp_path / "site").chmod(0o644)


def test_a_service_gets_a_new_file(loads, systemd):
    assert loads() == ["reload nginx"]
    assert systemd.told == ["reload nginx.service"]


def test_a_file_that_an_earlier_run_has_left_is_loaded(left, write):
    result = write()
    assert (result["changed"], result["changed_files"], result["loaded"]) == (True, [], ["reload nginx"])


@pytest.mark.parametrize("action", ["reload", "restart"])
def test_a_service_that_was_started_after_that_is_left_alone(action, left, loads, systemd):
    systemd.start(LONG)
    assert loads(dict(NGINX, action=action)) == []


def test_a_service_that_somebody_has_reloaded_is_left_alone(left, loads, systemd):
    systemd.do("reload")
    assert loads() == []


def test_a_reload_is_not_enough_for_what_is_read_at_the_start(left, loads, systemd):
    systemd.do("reload")
    assert loads(dict(NGINX, action="restart")) == ["restart nginx"]


def test_a_removed_file_that_an_earlier_run_has_left_is_loaded(loads):
    assert loads(files={"site": None}) == ["reload nginx"]


def test_what_was_loaded_is_known_by_its_content(loads, tmp_path):
    loads()
    (tmp_path / "site").write_text("new")
    assert loads() == []


def test_a_record_is_made_of_what_is_loaded_already(left, loads, systemd, tmp_path):
    systemd.start(LONG)
    loads()
    systemd.happened(-LONG, "ExecMainStart", "ActiveEnter")
    assert loads() == []


def test_a_file_that_somebody_has_changed_is_written_and_loaded(loads, tmp_path):
    loads()
    (tmp_path / "site").write_text("theirs")
    assert loads() == ["reload nginx"]


@pytest.mark.parametrize("before", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("moment, told", [("before", ["reload nginx"]), ("after", [])])
def test_a_run_that_was_killed_at_the_reload_is_made_up_for(moment, told, before, write, systemd):
    if before:
        write(files={"site": "old"})
    systemd.dies = (moment, "reload")
    with pytest.raises(Killed):
        write()
    systemd.dies = ()
    result = write()
    assert (result["changed_files"], result["loaded"]) == ([], told)


def test_a_file_that_a_killed_run_has_brought_back_is_loaded(loads, write, systemd, tmp_path):
    loads()
    (tmp_path / "site").write_text("theirs")  # and nginx has it, by a signal that systemd knows nothing of
    systemd.dies = ("before", "reload")
    with pytest.raises(Killed):
        write()
    systemd.dies = ()
    assert write()["loaded"] == ["reload nginx"]


@pytest.mark.parametrize("action", ["reload", "restart"])
def test_what_a_service_refuses_is_tried_again(action, write, systemd):
    systemd.refuses = "bad directive"
    for dummy in range(2):
        result = write(dict(NGINX, action=action))
        assert result["failed"] and "`systemctl %s nginx.service` failed (exit code 1): bad directive" % action in result["msg"]
        assert "run the playbook again" in result["msg"]
    systemd.refuses = ""
    assert write(dict(NGINX, action=action))["loaded"] == [action + " nginx"]


def test_how_a_service_is_confined_takes_a_restart(loads, systemd):
    assert loads(files={"units/nginx.service.d/own.conf": "new"}) == ["daemon-reload systemd", "restart nginx"]
    assert systemd.told == ["daemon-reload", "restart nginx.service"]


def test_systemd_is_told_of_a_file_that_it_has_not_read(left, loads, systemd):
    systemd.start(LONG)
    systemd.unit["NeedDaemonReload"] = "yes"
    assert loads() == ["daemon-reload systemd"]


@pytest.mark.parametrize("enabled, told", [
    ("enabled", ["start"]), ("static", ["start"]), ("disabled", ["enable", "start"]),
])
def test_a_service_that_does_not_run_is_started_once(enabled, told, loads, systemd):
    systemd.stop()
    systemd.unit["UnitFileState"] = enabled
    assert loads() == [verb + " nginx" for verb in told]


def test_a_service_that_runs_is_enabled_without_a_restart(left, loads, systemd):
    systemd.start(LONG)
    systemd.unit["UnitFileState"] = "disabled"
    assert loads() == ["enable nginx"]


def test_a_service_that_nobody_wants_is_stopped(loads):
    assert loads(dict(NGINX, state="stopped"), files={"site": None}) == ["stop nginx"]


@pytest.mark.parametrize("own", ["etc/site", "etc"])
def test_only_the_service_s_own_files_count(own, loads):
    service = dict(NGINX, files=[own])
    assert loads(service, files={"etc/site": "new", "page": "old"}) == ["reload nginx"]
    assert loads(service, files={"etc/site": "new", "page": "new"}) == []


def test_what_others_have_set_beside_it_stays_known(loads, systemd):
    ours, theirs = {"units/nginx.service.d/ours.conf": "a"}, {"units/nginx.service.d/theirs.conf": "a"}
    for files in ({"units/nginx.service.d/all.conf": "a", **ours}, theirs, {"site": "a"}):
        loads(files=files)
    systemd.happened(-LONG, "ExecMainStart")  # only the record knows
    for files in (ours, theirs, {"site": "a"}):
        assert loads(files=files) == []


def test_a_reload_is_no_restart_for_others(loads, tmp_path):
    theirs = {"units/nginx.service.d/theirs.conf": "old"}
    loads(files=theirs)
    (tmp_path / "units/nginx.service.d/theirs.conf").write_text("new")
    assert loads() == ["reload nginx"]
    assert loads(files=dict.fromkeys(theirs, "new")) == ["restart nginx"]


COMMAND = {"name": "kernel", "command": "true"}


def test_what_has_no_service_is_loaded_by_a_command(loads, systemd, tmp_path):
    assert loads(COMMAND) == ["load kernel"]
    (tmp_path / "site").write_text("theirs")
    assert loads(COMMAND) == ["load kernel"]
    assert loads(dict(COMMAND, command="true new")) == ["load kernel"]
    assert systemd.told == ["true", "true", "true new"]


def test_a_command_is_made_up_for_and_not_run_again_after_a_boot(left, loads, systemd, tmp_path):
    assert loads(COMMAND) == ["load kernel"]
    (tmp_path / "run").rename(tmp_path / "before the boot")
    assert loads(COMMAND) == []


def test_a_command_that_fails_is_tried_again(write):
    for dummy in range(2):
        result = write(dict(COMMAND, command="echo no >&2; exit 3"))
        assert result["failed"] and "failed (exit code 3): no. The files are in place" in result["msg"]


def test_files_that_were_put_back_are_not_loaded_again(loads, write, systemd):
    service = dict(NGINX, action="restart")
    loads(service)
    assert "put back" in write(service, files={"site": "bad"}, validate="false")["msg"]
    systemd.happened(-LONG, "ExecMainStart")  # only the record knows
    assert loads(service) == []


def test_nothing_is_loaded_that_the_check_refuses(left, write, systemd):
    for dummy in range(2):
        result = write(validate="echo unknown directive >&2; exit 3")
        assert result["failed"] and "unknown directive. An interrupted run may have left them" in result["msg"]
    assert "reload nginx.service" not in systemd.told


def test_check_mode_believes_in_a_service_that_is_yet_to_come(write, systemd):
    systemd.stop()
    systemd.unit.update(LoadState="not-found", UnitFileState="")
    assert write(**CHECK)["loaded"] == ["start nginx"]


@pytest.mark.usefixtures("systemd")
def test_what_nobody_loads_is_checked_each_time(run, tmp_path):
    files = [dict(OWNER, dest=str(tmp_path / "sudoers"), content="new")]
    assert run("config_files", files=files, validate="true")["changed"]
    assert not run("config_files", files=files, validate="true")["changed"]
    result = run("config_files", files=files, validate="false")
    assert "An interrupted run may have left them" in result["msg"]


@pytest.fixture
def settled(write, systemd, monkeypatch, tmp_path):
    """What a look finds settled, after a task that has left a file with a secret and its service."""
    monkeypatch.setattr(UTILS + "host.settled.FOLDER", str(tmp_path / "settled"))
    write(files={"site": "a secret", "gone": None}, identity="the task")
    host = SimpleNamespace(run_command=lambda *arguments, **options: systemd.run(None, *arguments, **options))
    return lambda: look(host)


def test_a_look_finds_a_task_settled(settled, tmp_path):
    assert settled() == {"the task": ""}
    (record,) = (tmp_path / "settled").iterdir()
    assert "a secret" not in record.read_text()
    assert (record.stat().st_mode & 0o777, record.parent.stat().st_mode & 0o777) == (0o600, 0o700)


UNSETTLED = {
    "another content": lambda path, systemd: (path / "site").write_text("by hand"),
    "another mode": lambda path, systemd: (path / "site").chmod(0o640),
    "a file that should not be there": lambda path, systemd: (path / "gone").touch(),
    "a service that does not run": lambda path, systemd: systemd.stop(),
    "a service that is not started at boot": lambda path, systemd: systemd.unit.update(UnitFileState="disabled"),
    "systemd with files from before": lambda path, systemd: systemd.unit.update(NeedDaemonReload="yes"),
    "a record of another version": lambda path, systemd: [
        record.write_text('{"identity": "the task", "files": [{}]}') for record in (path / "settled").iterdir()
    ],
}


@pytest.mark.parametrize("case", UNSETTLED)
def test_a_look_finds_what_has_changed_since_then(case, settled, systemd, tmp_path):
    UNSETTLED[case](tmp_path, systemd)
    assert settled() == {}


def test_a_look_finds_files_that_a_killed_run_has_not_loaded(settled, write, systemd):
    systemd.dies = ("before", "reload")
    with pytest.raises(Killed):
        write(files={"site": "new", "gone": None}, identity="the changed task")
    assert settled() == {}


def test_a_task_has_one_record_whatever_its_files_hold(settled, write):
    assert write(files={"site": "new", "gone": None}, identity="the changed task")["changed"]
    assert settled() == {"the changed task": ""}


def test_what_check_mode_or_a_refusal_has_left_is_in_no_record(settled, write):
    write(files={"site": "new", "gone": None}, identity="the changed task", **CHECK)
    assert write(files={"site": "new", "gone": None}, identity="the changed task", validate="false")["failed"]
    assert settled() == {"the task": ""}
