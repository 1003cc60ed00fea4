# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the doctor makes of what a host says: its numbers, its programs, its files."""

from __future__ import annotations

import functools
import http.server
import json
import os
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import write_json
from ansible_collections.selfhost.flask.plugins.module_utils.deployment import program
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.health import Health
from ansible_collections.selfhost.flask.plugins.module_utils.doctor import inside as doctor_inside
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks import access, data, serving
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks import host as doctor_host
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks import jobs as doctor_jobs
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks import workers as doctor_workers
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.findings import CATALOGUE, Said
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.inside import Inside, Settings
from ansible_collections.selfhost.flask.plugins.module_utils.process import managers
from ansible_collections.selfhost.flask.plugins.module_utils.process.manager import RUNNING, Program
from ansible_collections.selfhost.flask.plugins.module_utils.process.supervisor import Supervisor
from ansible_collections.selfhost.flask.plugins.module_utils.proxy import nginx
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import step
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site
from findings import ids

MB = 1 << 20


def disk(free: int, total: int, files: int = 1000, left: int = 500, flag: int = 0) -> SimpleNamespace:
    return SimpleNamespace(f_bavail=free, f_blocks=total, f_frsize=MB, f_files=files, f_favail=left, f_flag=flag)


DISKS = {
    "room": (disk(9000, 20000), []),
    "nearly full": (disk(900, 20000), ["disk-filling"]),
    "full": (disk(400, 20000), ["disk-full"]),
    "a small one with room": (disk(50, 100), []),
    "a small one that is full": (disk(5, 100), ["disk-full"]),
    "too many files": (disk(9000, 20000, left=49), ["inodes-low"]),
    "one without writes": (disk(9000, 20000, flag=os.ST_RDONLY | os.ST_NODEV), ["filesystem-readonly"]),
    "one with other flags": (disk(9000, 20000, flag=os.ST_NODEV), []),
    "one that counts no files": (disk(9000, 20000, 0, 0), []),
}


@pytest.mark.parametrize("case", DISKS)
def test_disks(case):
    about, expected = DISKS[case]
    assert ids(doctor_host.disk("/", about, 500)) == expected


@pytest.mark.parametrize("available, swap, left, expected", [
    (900, 0, 0, []), (40, 0, 0, ["memory-low"]), (900, 1000, 500, []), (900, 1000, 90, ["swap-full"]),
])
def test_memory(available, swap, left, expected):
    text = "MemTotal: 1000000 kB\nMemAvailable:  %d kB\nSwapTotal: %d kB\nSwapFree: %d kB\n"
    assert ids(doctor_host.memory(text % (available << 10, swap << 10, left << 10), 50)) == expected


def test_a_newer_kernel_waits_for_a_reboot(tmp_path):
    for version in ("6.1.0-9-amd64", "6.1.0-10-amd64", "6.1.0-99-rt-arm64"):
        (tmp_path / ("vmlinuz-" + version)).touch()
    assert ids(doctor_host.reboot((), str(tmp_path), "6.1.0-9-amd64")) == ["reboot-required"]
    assert ids(doctor_host.reboot((), str(tmp_path), "6.1.0-10-amd64")) == []
    assert ids(doctor_host.reboot((), str(tmp_path), "6.8.0-a-provider-s-own")) == []
    assert ids(doctor_host.reboot((str(tmp_path),), "", "6")) == ["reboot-required"]


LISTENERS = """\
tcp LISTEN 0 80  127.0.0.1:3306  0.0.0.0:* users:(("mariadbd",pid=2,fd=1))
tcp LISTEN 0 80      [::1]:25       [::]:* users:(("master",pid=2,fd=1))
tcp LISTEN 0 80    0.0.0.0:2222  0.0.0.0:* users:(("sshd",pid=2,fd=1))
tcp LISTEN 0 80          *:443         *:* users:(("nginx",pid=2,fd=1))
tcp LISTEN 0 80    0.0.0.0:5432  0.0.0.0:* users:(("postgres",pid=2,fd=1))
tcp LISTEN 0 80       [::]:5432     [::]:* users:(("postgres",pid=2,fd=1))
udp UNCONN 0 0     0.0.0.0:68    0.0.0.0:* users:(("dhclient",pid=2,fd=1))
udp UNCONN 0 0     0.0.0.0:44444 0.0.0.0:*
udp UNCONN 0 0     0.0.0.0:161   0.0.0.0:*
udp UNCONN 0 0 127.0.0.53%lo:53  0.0.0.0:*
"""


def test_listeners_that_nobody_expects():
    found = doctor_host.listeners(LISTENERS, [80, 443])
    assert [(one["protocol"], one["port"], one["program"]) for one in found] == [
        ("tcp", 5432, "postgres"), ("udp", 161, "some program"),
    ]


APT = """\
Inst libssl3 [3.0.1] (3.0.2 Debian-Security:12/stable-security [amd64])
Inst vim [9.0] (9.1 Debian:12.9/stable [amd64])
Inst openssl [3.0.2-0ubuntu1] (3.0.2-0ubuntu2 Ubuntu:24.04/noble-updates, Ubuntu:24.04/noble-security [amd64])
Conf libssl3 (3.0.2 Debian-Security:12/stable-security [amd64])
"""


def test_security_updates_alone(monkeypatch):
    monkeypatch.setattr(doctor_host, "ask", lambda *argv, **options: Said(0, APT, ""))
    monkeypatch.setattr(doctor_host, "LISTS", "/nowhere")
    (found,) = doctor_host.updates()
    assert found.what == "2 security updates not installed yet: libssl3, openssl."


@pytest.mark.parametrize("container, said, expected", [
    (1, "no", ["clock-not-synchronised"]), (1, "yes", []), (0, "no", []),
])
def test_the_clock(container, said, expected, monkeypatch):
    answers = {"systemd-detect-virt": Said(container, "", ""), "timedatectl": Said(0, said + "\n", "")}
    monkeypatch.setattr(doctor_host, "ask", lambda *argv: answers[argv[0]])
    assert ids(doctor_host.clock()) == expected


def test_failed_units_by_their_subject(monkeypatch):
    text = "flask-blog-backup.service loaded failed failed Backup\ncron.service loaded failed failed cron\n"
    monkeypatch.setattr(doctor_host, "ask", lambda *argv: Said(0, text, ""))
    assert [finding.subject for finding in doctor_host.units("blog")] == ["backup", "cron.service"]
    assert [finding.subject for finding in doctor_host.units("blog", ["cron.service"])] == ["backup"]


def test_a_unit_that_failed_is_for_the_doctor_of_its_own_application(monkeypatch):
    units = ("shop.report", "blog.report", "shop-backup", "blog-drill", "blog-backup-backup")
    said = "".join("flask-%s.service loaded failed failed\n" % unit for unit in units)
    monkeypatch.setattr(doctor_host, "ask", lambda *argv: Said(0, said, ""))
    assert [finding.subject for finding in doctor_host.units("blog")] == ["flask-blog.report.service", "drill"]


JOBS = {
    "well": ("active", "later", "inactive", "success", []),
    "at work": ("active", "", "activating", "success", []),
    "failed": ("active", "later", "failed", "exit-code", ["job-failed"]),
    "too slow": ("active", "later", "failed", "timeout", ["job-failed"]),
    "stopped": ("inactive", "", "inactive", "success", ["job-stopped"]),
    "over": ("active", "", "inactive", "success", ["job-never-due"]),
    "failed and stopped": ("inactive", "", "failed", "exit-code", ["job-failed", "job-stopped"]),
}


@pytest.mark.parametrize("case", JOBS)
def test_scheduled_jobs(case, tmp_path, monkeypatch):
    active, due, state, result, expected = JOBS[case]
    (tmp_path / "report.log").write_text("begin\nValueError: no recipients\n")
    values = {"timer": (active, due, "", ""), "service": (state, "", result, "1")}

    def ask(*argv):
        name, job, kind = argv[-1].split(".")
        assert (name, job) == ("flask-blog", "report")
        return Said(0, "ActiveState=%s\nNextElapseUSecRealtime=%s\nResult=%s\nExecMainStatus=%s\n" % values[kind], "")

    monkeypatch.setattr(doctor_jobs, "ask", ask)
    found = list(doctor_jobs.jobs(Site("blog", "/srv/blog", str(tmp_path)), ("report",)))
    assert ids(found) == expected
    if "job-failed" in expected:
        how = "took longer than its timeout" if result == "timeout" else "failed (exit-code, status 1)"
        assert how in found[0].what and "no recipients" in found[0].what
        assert "sudo systemctl start flask-blog.report.service" in found[0].remedy


def test_a_service_that_the_application_needs_and_that_does_not_run(monkeypatch):
    states = {"redis-blog.service": Said(3, "failed\n", ""), "memcached-blog.service": Said(0, "active\n", "")}
    monkeypatch.setattr(doctor_host, "ask", lambda *argv: states[argv[-1]])
    (found,) = doctor_host.services(states)
    assert (found.id, found.subject, found.severity) == ("service-stopped", "redis-blog.service", "critical")
    assert "which is failed" in found.what and "`sudo systemctl restart redis-blog.service`" in found.remedy


# who gets in


UFW = "Status: active\nDefault: %s (incoming), allow (outgoing)\n"


@pytest.mark.parametrize("code, text, expected", [
    (0, UFW % "deny", []),
    (0, UFW % "reject", []),
    (0, UFW % "allow", ["firewall-default"]),
    (0, "Status: inactive\n", ["firewall-off"]),
    (127, "", ["firewall-off"]),
])
def test_the_firewall(code, text, expected):
    assert ids(access.firewall(code, text)) == expected


@pytest.mark.parametrize("rule, expected", [
    ("-A INPUT -j REJECT", ["firewall-foreign"]),
    ("-A INPUT -p tcp ! --dport 22 -j DROP", ["firewall-foreign"]),
    ("-A INPUT -p tcp --dport 8080 -j ACCEPT", []),
    ("-A INPUT -s 192.0.2.7/32 -j DROP", []),
    ("-A INPUT -j ufw-before-input", []),
])
def test_rules_before_the_firewalls_that_refuse_what_it_lets_in(rule, expected, monkeypatch):
    monkeypatch.setattr(access, "ask", lambda name, *words: Said(0, "-P INPUT DROP\n%s\n" % rule if name == "iptables" else "", ""))
    assert ids(access.foreign_rules()) == expected


@pytest.mark.parametrize("said, expected", [
    (Said(0, "Status\n|- Number of jail:\t2\n`- Jail list:\tblog-login, sshd\n", ""), []),
    (Said(0, "`- Jail list:\tsshd\n", ""), ["jail-missing"]),
    (Said(0, "`- Jail list:\n", ""), ["jail-missing", "jail-missing"]),
    (Said(255, "", "Failed to access socket path"), ["fail2ban-stopped"]),
])
def test_jails(said, expected, monkeypatch):
    monkeypatch.setattr(access.shutil, "which", lambda name: "/usr/bin/" + name)
    monkeypatch.setattr(access, "ask", lambda *argv: said)
    assert ids(access.jails(["sshd", "blog-login"])) == expected


@pytest.mark.parametrize("mode, owner, expected", [
    (0o640, 0, []), (0o644, 0, ["env-exposed", "env-mode"]), (0o660, 0, ["env-mode"]), (0o640, 7, ["env-mode"]),
])
def test_who_reads_the_settings(mode, owner, expected, monkeypatch):
    about = SimpleNamespace(st_mode=0o100000 | mode, st_uid=owner, st_gid=55)
    monkeypatch.setattr(access.os, "stat", lambda path: about)
    monkeypatch.setattr(access, "group_of", lambda user: 55)
    assert ids(access.env_file("/srv/blog/shared/.env", "blog")) == expected


# data


def test_a_renewal_that_failed_is_said(tmp_path):
    state = tmp_path / "blog.json"
    assert ids(data.renewal(str(state))) == []
    state.write_text(json.dumps(dict(outcome="ok", message="")))
    assert ids(data.renewal(str(state))) == []
    state.write_text(json.dumps(dict(outcome="failed", message="no such name")))
    (found,) = data.renewal(str(state))
    assert found.id == "renewal-failed" and "no such name" in found.what
    state.write_text("{")
    assert ids(data.renewal(str(state))) == []


def test_a_bare_host_is_left_as_it_is(tmp_path):
    inside = Inside(Settings("blog", str(tmp_path / "blog"), str(tmp_path / "log")))
    assert [one["id"] for one in inside.examine()["findings"]] == ["nothing-served"]
    assert os.listdir(tmp_path) == []


def test_it_imports_what_a_host_has(tmp_path):
    path = tmp_path / "doctor.pyz"
    path.write_bytes(program.packed(f"from {program.PACKAGE}.doctor.inside import Inside\n"))
    done = subprocess.run([sys.executable, "-I", "-S", path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_check_that_breaks_is_a_finding_and_ends_nothing():
    def broken():
        yield from ()
        raise KeyError("pelican")

    (found,) = doctor_inside.looked("Disks", broken)
    assert found.id == "check-failed" and "KeyError: 'pelican'" in found.what


@pytest.fixture
def site(tmp_path):
    """An application's folder with a live slot and a release."""
    for name in ("deployment", "run", "slots/blue.settings", "shared", "gate", "releases/v1-a", "log"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "run/live.sock").symlink_to("blue.sock")
    (tmp_path / "slots/blue").symlink_to(tmp_path / "releases/v1-a")
    (tmp_path / "current").symlink_to("releases/v1-a")
    for name in ("shared", "slots/blue.settings"):
        (tmp_path / name / ".env").write_text("SECRET_KEY=heron4711\nCOLOUR=blue\n")
    return serving.Site("blog", str(tmp_path), str(tmp_path / "log"))


def test_settings_that_are_required(site):
    assert ids(data.settings(site, None)) == []
    assert ids(data.settings(site, ["SECRET_KEY", "MAIL_TOKEN"])) == ["settings-missing"]
    with open(site.path("releases/v1-a/.env.example"), "w", encoding="utf-8") as file:
        file.write("SECRET_KEY=x\n# COLOUR=red\nTOKEN=x\nEMPTY=\n")
    (found,) = data.settings(site, None)
    assert found.what.endswith("has no value for TOKEN.")
    with open(site.path("shared/.env"), "a", encoding="utf-8") as file:
        file.write("TOKEN=7\n")
    assert ids(data.settings(site, None)) == ["settings-pending"]


def test_secrets_are_masked(site, monkeypatch):
    inside = Inside(Settings(site.name, site.root, site.log))
    said = doctor_inside.Finding("disk-full", "heron4711 and blue", "`true`")
    monkeypatch.setattr(Inside, "checks", lambda self: [("Disks", lambda: [said])])
    monkeypatch.setattr(Inside, "facts", lambda self: {})
    (found,) = inside.examine()["findings"]
    assert found["what"] == "******** and blue"


def write(site, file_name, age=0, **content):
    path = site.path("deployment", file_name)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(content, file)
    os.utime(path, (time.time() - age,) * 2)


DAY = 86400
NOW = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())


@pytest.mark.parametrize("since, names, last, drill, expected", [
    (0, [], None, None, []),
    (3 * DAY, [], None, None, ["backup-missing"]),
    (3 * DAY, [NOW], None, None, []),
    (3 * DAY, ["20250101T000000Z"], None, None, ["backup-old"]),
    (3 * DAY, [NOW], dict(ok=False, problem="no room"), None, ["backup-failed"]),
    (30 * DAY, [NOW], dict(ok=True), dict(ok=True), []),
    (30 * DAY, [NOW], dict(ok=True), None, ["drill-old"]),
    (30 * DAY, [NOW], dict(ok=True), dict(ok=False, problem="rows"), ["drill-failed"]),
    (30 * DAY, [NOW], dict(ok=True), dict(ok=True, age=11 * DAY), ["drill-old"]),
])
def test_backups(since, names, last, drill, expected, site, tmp_path):
    for name in names:
        (tmp_path / "backups" / name).mkdir(parents=True)
    write(site, "backup.json", since, name="blog", log="", folder=str(tmp_path / "backups"), keep={})
    for name, content in (("last-backup.json", last), ("drill.json", drill)):
        if content:
            write(site, name, content.pop("age", 0), **content)
    assert ids(data.backups(site, 36, 10)) == expected


def test_without_backups_nothing_is_said(site):
    assert ids(data.backups(site, 36, 10)) == []


def test_what_deployments_leave_behind(site):
    way = serving.Way(site, Health("/", "blog"))
    assert ids(way.deployments()) == []
    for name in ("site", "workers"):
        with open(site.path("gate", name + ".closed"), "w", encoding="utf-8") as file:
            file.write("{}")
    write(site, "journal.json", entry={"release": "v2-b"})
    os.unlink(site.path("current"))
    os.symlink("releases/v0-z", site.path("current"))
    assert ids(way.deployments()) == ["site-closed", "writes-refused", "deployment-interrupted", "current-mismatch"]


def known_worker(site, supervisor):
    """The slots of an application, of which supervisor knows the worker mail."""
    slots = doctor_workers.Slots(site)
    slots.processes = Supervisor(supervisor.server_address, 5)
    supervisor.files = {"blog.mail": 1}
    supervisor.addProcessGroup("blog.mail")
    return slots


# what supervisor says of a worker: its state, and how often it ended by itself; and the finding
STATES = {
    "up": ("RUNNING", 2, []), "about to be": ("STARTING", 0, []), "stopped": ("STOPPED", 0, ["worker-stopped"]),
    "without a command": ("BACKOFF", 1, ["worker-crashing"]), "restless": ("RUNNING", 3, ["worker-crashing"]),
}


@pytest.mark.parametrize("case", STATES)
def test_workers_that_do_not_stay_up(case, site, supervisor):
    state, ended, expected = STATES[case]
    slots = known_worker(site._replace(workers=("mail",)), supervisor)
    supervisor.states["blog.mail"] = state
    now = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime())
    supervisor.log = ("%s,000 WARN exited: blog.mail (exit status 127; not expected)\n" % now) * ended
    os.makedirs(site.log, exist_ok=True)
    with open(os.path.join(site.log, "mail.log"), "w", encoding="utf-8") as log:
        log.write("sh: 1: exec: no-such-program: not found\n\n")
    found = list(doctor_workers.workers(slots))
    assert ids(found) == expected
    assert all(finding.subject == "mail" and "no-such-program: not found" in finding.what for finding in found)


def test_a_worker_that_should_not_be_there_any_more(site, supervisor):
    assert ids(doctor_workers.workers(known_worker(site, supervisor))) == ["worker-left"]


@pytest.mark.parametrize("name, hours, expected", [
    ("site", 1, "site-closed"), ("site", 5, "site-left-closed"), ("writes", 500, "site-closed"),
])
def test_maintenance_that_was_forgotten_is_critical(name, hours, expected, site):
    path, begin = site.path("gate", name + ".closed"), time.time() - hours * 3600
    with open(path, "w", encoding="utf-8") as file:
        file.write("{}")
    os.utime(path, (begin, begin))
    (found,) = serving.Way(site, Health("/", "blog")).deployments()
    assert found.id == expected and time.strftime("since %Y-%m-%d %H:%M", time.gmtime(begin)) in found.what


def test_a_deployment_at_work_is_no_interrupted_one(site):
    write(site, "journal.json", entry={"release": "v2-b"})
    with step(site.root):
        assert ids(serving.Way(site, Health("/", "blog")).deployments()) == []


@pytest.mark.parametrize("idle, ended, expected", [
    (5, False, "deployment-running"), (5, True, "deployment-lock-left"), (5000, False, "deployment-lock-left"),
])
def test_whose_lock_it_is(idle, ended, expected):
    found = serving.lock_finding(dict(owner="ana", reason="v2", idle=idle), ended, "lock.json")
    assert found.id == expected and expected in CATALOGUE


def test_the_way_stops_at_the_first_that_is_broken(site, supervisor, serve, tmp_path, monkeypatch):
    monkeypatch.setitem(managers.MANAGERS, "supervisor", functools.partial(Supervisor, supervisor.server_address))
    way = serving.Way(site, Health("/", "blog", "well"))
    supervisor.files = {"blog-blue": 1, "blog-green": 1}
    assert ids(way.application()) == ["slot-stopped"]
    supervisor.addProcessGroup("blog-blue")
    supervisor.startProcess("blog-blue")
    assert ids(way.application()) == ["slot-silent"]
    server = serve(tmp_path / "run/blue.sock", release="v1-a")
    assert ids(way.application()) == []
    server.text = "ill"
    assert ids(way.application()) == ["health-text"]
    server.status = 500
    assert ids(way.application()) == ["application-error"]
    os.unlink(site.path("run/live.sock"))
    (found,) = way.application()
    assert found.id == "live-link-broken" and "the slot blue runs" in found.remedy
    os.unlink(site.path("slots/blue"))
    assert ids(way.application()) == ["nothing-served"]


def test_without_supervisor_that_is_all_there_is_to_say(site, monkeypatch, short_path):
    monkeypatch.setitem(managers.MANAGERS, "supervisor", functools.partial(Supervisor, str(short_path / "none")))
    monkeypatch.setattr(serving, "ask", lambda *argv: Said(3, "inactive\n", ""))
    assert ids(serving.Way(site, Health("/", "blog")).application()) == ["process-manager-stopped"]


@pytest.mark.parametrize("code, refused, state, expected", [
    (0, "", "active", []),
    (0, "", "failed", ["proxy-stopped"]),
    (1, "nginx: [emerg] unknown directive \"x\"", "active", ["proxy-config-invalid"]),
    (1, "nginx: [emerg] cannot load certificate \"/etc/x.pem\": no", "failed", ["certificate-missing"]),
])
def test_the_proxy(code, refused, state, expected, site, monkeypatch):
    answers = {"nginx": Said(code, "", refused), "systemctl": Said(0, state + "\n", "")}
    monkeypatch.setattr(serving, "ask", lambda *argv: answers[argv[0]])
    assert ids(serving.Way(site, Health("/", "blog")).proxy()) == expected


@pytest.mark.parametrize("ended, expected", [(2, []), (3, ["slot-restarted"])])
def test_a_slot_that_keeps_ending_and_answers(ended, expected, site, supervisor, monkeypatch):
    way = serving.Way(site, Health("/", "blog"))
    way.slots.processes = Supervisor(supervisor.server_address, 5)
    monkeypatch.setattr(way, "answer", lambda live: iter(()))
    now = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime())
    supervisor.log = ("%s,000 WARN exited: blog-blue (terminated by SIGKILL; not expected)\n" % now) * ended
    assert ids(way.slot("blue", Program(RUNNING, "RUNNING"))) == expected


def test_another_site_with_the_same_name_is_found(site, tmp_path, monkeypatch):
    monkeypatch.setattr(nginx, "SITES", ("%s/sites/*" % tmp_path,))
    inside = Inside(Settings(site.name, site.root, site.log, host="blog.example.com"))
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites/blog").write_text("server {\n    server_name blog.example.com;\n}\n")
    (tmp_path / "sites/shop").write_text("server {\n    # server_name blog.example.com;\n    server_name shop.example.com;\n}\n")
    assert ids(inside.namesakes()) == []
    (tmp_path / "sites/a").write_text("server { listen 80; server_name x.example.com Blog.example.com; }\n")
    (found,) = inside.namesakes()
    assert found.id == "site-name-taken"
    assert found.what.startswith("blog.example.com is the name of %s/sites/a and %s/sites/blog" % (tmp_path, tmp_path))


OWN = "/etc/nginx/selfhost/blog/proxy.conf"


@pytest.mark.parametrize("path, moves", [(OWN, False), ("/etc/nginx/nginx.conf", False), ("/etc/nginx/conf.d/own.conf", True)])
def test_a_broken_file_of_nginx_is_never_a_reason_to_restart_it(path, moves, site, monkeypatch):
    said = 'nginx: [emerg] unknown directive "x" in %s:3\nnginx: configuration file /etc/nginx/nginx.conf test failed' % path
    answers = {"nginx": Said(1, "", said), "systemctl": Said(0, "active\n", "")}
    monkeypatch.setattr(serving, "ask", lambda *argv: answers[argv[0]])
    (found,) = serving.Way(site, Health("/", "blog")).proxy()
    assert "Do not restart nginx." in found.remedy and "`sudo systemctl restart nginx`" not in found.remedy
    assert ("`sudo mv %s /root/`" % path in found.remedy) == moves
    assert ("Run `selfhost.flask.site`" in found.remedy) != moves


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1"])
def test_without_a_proxy_the_port_is_asked_on_the_host_itself(address, site):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(503)  # what it answers is looked at elsewhere
            self.end_headers()

        def log_message(self, *words):
            pass

    write_json(site.path("deployment/drivers.json"), {"proxy": "none"})
    way = serving.Way(site, Health("/", "blog"))
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        listen = "%s:%d" % (address, server.server_port)
        assert list(way.port(listen)) == [] == list(way.port(""))
        thread.join(5)
    (found,) = way.port(listen)
    assert found.id == "health-error" and "flask-blog-listen.socket" in found.remedy


@pytest.mark.parametrize("state, expected", [("active", []), ("failed", ["proxy-stopped"])])
def test_without_a_proxy_systemd_has_to_listen(state, expected, site, monkeypatch):
    write_json(site.path("deployment/drivers.json"), {"proxy": "none"})
    monkeypatch.setattr(serving, "state_of", lambda unit: state if unit == "flask-blog-listen.socket" else "unknown")
    assert ids(serving.Way(site, Health("/", "blog")).proxy()) == expected
