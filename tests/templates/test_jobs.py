# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scheduled jobs: their units, and how each of them is run beside the deployments."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.gate import Gate, StillWriting
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site
from deployments import ROLES, variables_of

REPORT = {"name": "report", "command": "flask report --to \"ana's\" 100% $HOME \\n", "schedule": "0 0 13 * fri", "timeout": 60}
CLEAN = {"name": "clean", "command": "flask clean", "schedule": "daily"}
JOBS = {"flask_jobs": [REPORT, CLEAN]}
UNIT = "/etc/systemd/system/flask-microblog."


def load_tasks(role, name):
    return DataLoader().load_from_file(str(ROLES / role / "tasks" / (name + ".yml")), trusted_as_template=True)


def files_of(evaluate, **given):
    return {entry["dest"]: entry for entry in evaluate("deployment", "__deployment_job_files", **given)}


def test_each_job_has_a_service_and_a_timer_that_starts_it(evaluate):
    found = files_of(evaluate, **JOBS)
    assert set(found) == {
        *(UNIT + name + kind for name in ("report", "clean") for kind in (".service", ".timer")),
        *("/etc/systemd/system/timers.target.wants/flask-microblog.%s.timer" % name for name in ("report", "clean")),
    }
    timer = found[UNIT + "report.timer"]["content"]
    assert "\nOnCalendar=*-*-13 00:00:00\nOnCalendar=Fri *-*-* 00:00:00\n" in timer and "\nPersistent=true\n" in timer
    assert "\nOnCalendar=daily\n" in found[UNIT + "clean.timer"]["content"]
    assert files_of(evaluate) == {}


def test_a_job_is_the_applications_user_and_as_confined_as_its_workers(evaluate):
    service = files_of(evaluate, **JOBS, supervisor_writable_paths=["/mnt/x"], flask_devices=["gpio"])[UNIT + "report.service"]["content"]
    lines = service.splitlines()
    assert {"User=microblog", "NoNewPrivileges=yes", "CapabilityBoundingSet=", "ProtectSystem=strict"} < set(lines)
    assert {"PrivateDevices=no", "DeviceAllow=char-gpiochip rw", "SuccessExitStatus=77"} < set(lines)
    assert "ReadWritePaths=/run /srv /var/cache /var/log /mnt/x" in lines
    assert {"StandardOutput=append:/var/log/microblog/report.log", "TimeoutStartSec=60"} < set(lines)
    # a semicolon of its own would end the command for systemd
    assert r"ExecStartPre=+/usr/bin/find /var/log/microblog/report.log -size +10M -exec mv {} /var/log/microblog/report.log.1 \;" in lines
    assert "TimeoutStartSec=3600" in files_of(evaluate, **JOBS)[UNIT + "clean.service"]["content"].splitlines()


def test_a_process_manager_may_say_nothing_of_what_it_confines_by(evaluate):
    toys = {"inventory_dir": str(ROLES.parent / "tests/parts"), "flask_process_manager": "toy_process"}
    service = files_of(evaluate, **JOBS, **toys)[UNIT + "clean.service"]["content"]
    assert {"User=microblog", "CapabilityBoundingSet="} < set(service.splitlines()) and "ProtectSystem" not in service


def test_a_command_is_the_same_for_systemd(evaluate):
    service = files_of(evaluate, **JOBS)[UNIT + "report.service"]["content"]
    wanted = r'''ExecStart=/srv/microblog/work report "flask report --to \"ana's\" 100%% $$HOME \\n"'''
    assert wanted in service.splitlines()


@pytest.mark.parametrize("jobs, times, units", [
    ([REPORT], "daily '*-*-13 00:00:00' 'Fri *-*-* 00:00:00'", ["microblog.jobs", "flask-microblog.report.timer"]),
    ([], "daily", ["microblog.jobs"]),
])
def test_the_host_reads_the_times_before_the_timers_start(jobs, times, units):
    (task,) = load_tasks("deployment", "recovery")
    variables = variables_of("deployment", "usual", ansible_search_path=[str(ROLES / "deployment")], flask_jobs=jobs)
    arguments = Templar(DataLoader(), variables).template(task["selfhost.flask.config_files"])
    assert arguments["validate"] == "systemd-analyze calendar " + times
    assert [service["name"] for service in arguments["services"]] == units
    assert len(arguments["files"]) == 4 + 3 * len(jobs)


def test_a_job_starts_after_what_the_application_needs(evaluate):
    service = files_of(evaluate, **JOBS, flask_services=["redis"])[UNIT + "clean.service"]["content"]
    assert {"supervisor.service", "mysql.service", "redis-microblog.service"} < set(service.split("After=")[1].split("\n")[0].split())


def test_a_job_that_leaves_the_list_leaves_the_host(render, tmp_path):
    units = [name + kind for name in ("flask-microblog.report", "flask-microblog.old", "flask-other.old") for kind in (".timer", ".service")]
    for name in units:
        (tmp_path / name).touch()
    (tmp_path / "systemctl").write_text('#!/bin/sh\necho "$@" >>calls\n')
    (tmp_path / "systemctl").chmod(0o755)
    script = render("deployment", "jobs.sh.j2", flask_jobs=[REPORT]).replace("/etc/systemd/system", str(tmp_path))
    for dummy in range(2):
        subprocess.run(["sh", "-c", script], check=True, env={"PATH": "%s:%s" % (tmp_path, os.environ["PATH"])})
    left = {path.name for path in tmp_path.glob("flask-*")}
    assert left == set(units) - {"flask-microblog.old.timer", "flask-microblog.old.service"}
    assert (tmp_path / "calls").read_text() .splitlines() == [
        "disable --quiet --now flask-microblog.old.timer", "is-failed --quiet flask-microblog.old.service",
        "reset-failed flask-microblog.old.service", "daemon-reload",
    ]


@pytest.mark.parametrize("jobs, text", [
    ([dict(REPORT, name="Report")], "the name Report, which can't be used"),
    ([dict(REPORT, name="mail")], "the name mail, which can't be used"),
    ([dict(REPORT, name="blue")], "the name blue, which can't be used"),
    ([REPORT, REPORT], "each name once"),
    ([dict(REPORT, schedule="61 * * * *")], "an invalid schedule: '61' is no minute, which is 0 to 59. Set it"),
])
def test_what_can_t_be_a_job_is_refused(jobs, text, refusals):
    workers = [{"name": "mail", "command": "rq worker"}]
    assert any(text in message for message in refusals("flask", "usual", flask_jobs=jobs, flask_workers=workers))
    assert refusals("flask", "usual", flask_workers=workers, **JOBS) == []


class Host:
    """An application's folders, with a job that says where it runs."""

    def __init__(self, folder: Path, script: str) -> None:
        self.folder, self.gate = folder, Gate(Site("microblog", str(folder), ""))
        for slot in ("blue", "green"):
            (folder / "releases" / slot / ".venv/bin").mkdir(parents=True)
            (folder / "releases" / slot / ".venv/bin/python").symlink_to(sys.executable)
            (folder / "slots" / (slot + ".settings")).mkdir(parents=True)
            (folder / "slots" / slot).symlink_to(folder / "releases" / slot)
            (folder / "slots" / (slot + ".settings") / ".env").write_text("NAME=%s\n" % slot)
        (folder / "run").mkdir()
        (folder / "gate").mkdir()
        (folder / "work").write_text(script)
        self.serve("blue")

    def serve(self, slot: str) -> None:
        (self.folder / "run/live.sock").unlink(missing_ok=True)
        (self.folder / "run/live.sock").symlink_to(slot + ".sock")

    def start(self, *words: str) -> subprocess.Popen:
        path = os.path.dirname(sys.executable) + ":" + os.environ["PATH"]
        return subprocess.Popen(["sh", str(self.folder / "work"), *words], stdout=subprocess.PIPE, text=True, env={"PATH": path})


@pytest.fixture
def host(render, tmp_path):
    workers = [{"name": "mail", "command": "echo $NAME mail"}]
    return Host(tmp_path, render("deployment", "work.j2", __flask_root=str(tmp_path), flask_workers=workers))


def said(process: subprocess.Popen) -> tuple:
    out, dummy = process.communicate(timeout=20)
    return process.returncode, out


def test_a_job_runs_in_the_served_release_with_its_settings(host):
    assert said(host.start("report", 'basename "$PWD/$NAME"')) == (0, "blue\n")
    assert said(host.start("mail")) == (0, "blue mail\n")
    assert said(host.start("unknown")) == (77, "")


def test_a_job_fails_as_its_command_does(host):
    assert said(host.start("report", "false"))[0] == 1
    assert said(host.start("report", "true && echo both; exit 3")) == (3, "both\n")


def test_a_job_has_nothing_to_do_where_nothing_is_served(host):
    (host.folder / "run/live.sock").unlink()
    assert said(host.start("report", "echo x")) == (77, "")


def test_a_migration_waits_for_a_job_and_a_job_for_a_migration(host):
    os.mkfifo(host.folder / "fifo")
    job = host.start("report", "read line <%s; echo $NAME" % (host.folder / "fifo"))
    with open(host.folder / "fifo", "w") as file:
        host.gate.refuse("workers", 5)
        with pytest.raises(StillWriting, match="A job of flask_jobs still runs after 0 s: see `systemctl list-units 'flask-microblog"):
            host.gate.await_jobs(0)
        file.write("go on\n")
    assert said(job) == (0, "blue\n")
    later = host.start("report", "echo $NAME")
    time.sleep(0.5)
    host.gate.await_jobs(5)  # it waits, and is not waited for
    assert later.poll() is None
    host.serve("green")
    host.gate.open("workers")
    assert said(later) == (0, "green\n")
