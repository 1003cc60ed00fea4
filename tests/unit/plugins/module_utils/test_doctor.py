# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the doctor needs no host: causes and effects, the report, the logs."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.doctor import findings as doctor
from ansible_collections.selfhost.flask.plugins.module_utils.doctor import report
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.checks import logs
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.findings import (
    CATALOGUE,
    EXPLAINS,
    Finding,
    at_least,
    settle,
)
from findings import ids

UTILS = Path(__file__).resolve().parents[4] / "plugins/module_utils"
DOCUMENT = UTILS.parents[1] / "docs/doctor.md"


def find(*names: str) -> list:
    return [Finding(name.partition(":")[0], "what", "remedy", subject=name.partition(":")[2]) for name in names]


# what is there, and what is said of it
CAUSES = {
    "the worst first": (["settings-pending", "disk-filling", "key-exposed"], ["key-exposed", "disk-filling", "settings-pending"]),
    "the same from both sides": (["ssh-password-login", "ssh-password-login"], ["ssh-password-login"]),
    "the proxy": (["health-error", "https-unreachable", "http-unreachable", "proxy-stopped", "unit-failed:nginx.service"], ["proxy-stopped"]),
    "another unit beside it": (["proxy-stopped", "unit-failed:cron.service"], ["proxy-stopped", "unit-failed"]),
    "the database": (["application-error", "health-error", "database-stopped", "application-errors"], ["database-stopped"]),
    "the slot and a disk": (["slot-stopped", "health-error", "disk-full"], ["disk-full", "slot-stopped"]),
    "a missing setting": (["settings-missing", "settings-pending", "slot-crashing", "health-error"], ["settings-missing"]),
    "the host": (["ssh-unreachable", "https-unreachable", "http-unreachable"], ["host-unreachable"]),
    "ssh alone": (["ssh-unreachable", "http-unreachable"], ["ssh-unreachable", "http-unreachable"]),
    "a failed backup's unit": (["backup-failed", "unit-failed:backup"], ["backup-failed"]),
    "two jails": (["jail-missing:sshd", "jail-missing:blog-login"], ["jail-missing", "jail-missing"]),
}


@pytest.mark.parametrize("case", CAUSES)
def test_a_cause_is_said_without_its_effects(case):
    found, said = CAUSES[case]
    assert ids(settle(find(*found))) == said
    assert ids(settle(find(*reversed(found)))) == said


def test_what_is_seen_outside_of_something_that_is_known_inside_is_not_said():
    inside = Finding("ssh-password-login", "what", "remedy", subject="Match User bob")
    outside = inside._replace(where=doctor.OUTSIDE, subject="")
    assert settle([outside, inside]) == [inside] and settle([outside]) == [outside]
    assert settle([outside, inside], ["%s:%s" % (inside.id, inside.subject)]) == [outside]
    ports = [Finding("port-open", "what", "remedy", doctor.OUTSIDE, port) for port in ("25", "8000")]
    assert settle(ports) == ports


def test_what_is_the_users_choice_is_not_said():
    assert ids(settle(find("port-open:25", "port-open:8000", "disk-full"), ["port-open:25"])) == ["disk-full", "port-open"]
    assert settle(find("name-elsewhere"), ["name-elsewhere"]) == []


def test_severities_count_from_the_worst_on():
    found = find("slot-stopped", "disk-filling", "settings-pending")
    assert [len(at_least(found, severity)) for severity in ("critical", "warning", "notice", "never")] == [1, 2, 3, 0]


def test_every_finding_has_a_severity_and_is_documented():
    sources = [path.read_text(encoding="utf-8") for path in (UTILS / "doctor").rglob("*.py")]
    made = {name for text in sources for name in re.findall(r'(?:Finding|seen)\(\s*"([a-z0-9-]+)"', text)}
    assert len(made) > 60 and made <= set(CATALOGUE)
    explained = {name.partition(":")[0] for names in EXPLAINS.values() for name in names}
    assert explained | set(EXPLAINS) <= set(CATALOGUE)
    assert set(CATALOGUE.values()) == set(doctor.SEVERITIES)
    listed = re.findall(r"^\| `([a-z0-9-]+)` \| (\w+) \|", DOCUMENT.read_text(encoding="utf-8"), re.M)
    assert dict(listed) == CATALOGUE


def test_a_well_host_is_one_line():
    (line,) = report.lines("blog (blog)", [], [dict(title="Disks", found=[])] * 3)
    assert line == "blog (blog) is healthy: 3 checks, from inside and outside, found nothing."


REPORT = """\
blog: 1 critical, 1 notice

  SEVERITY  FINDING       WHAT IT IS, AND -> WHAT MENDS IT
  --------  ------------  --------------------------------------------
  CRITICAL  disk-full     It is full. It is full. It is full. It is
            (inside)      full.
                          -> `sudo reboot`

  NOTICE    port-listens  Somebody listens.
            (outside)     -> Ask who that is, and whether it is meant
                             to be.

1 of 3 checks found nothing."""


def test_the_report_is_a_table_with_what_to_do(monkeypatch):
    monkeypatch.setitem(CATALOGUE, "port-listens", "notice")
    findings = [
        Finding("disk-full", "It is full. " * 4, "`sudo reboot`"),
        Finding("port-listens", "Somebody listens.", "Ask who that is, and whether it is meant to be.", doctor.OUTSIDE),
    ]
    checks = [dict(title="Disks", found=["disk-full"]), dict(title="Memory", found=[]), dict(title="Ports", found=["x"])]
    assert "\n".join(report.lines("blog", findings, checks, 70)) == REPORT


def test_a_command_stays_on_one_line():
    command = "`sudo chown root:blog /srv/blog/shared/.env && sudo chmod 0640 /srv/blog/shared/.env`"
    finding = Finding("env-exposed", "what", "Do %s, and change the secrets." % command)
    assert [line.strip() for line in report.table([finding], 79)[3:]] == [
        "(inside)     -> Do", command + ",", "and change the secrets.",
    ]


@pytest.mark.parametrize("width, most", [(79, 79), (100, 100), (300, report.WIDTH)])
def test_the_table_is_as_wide_as_the_terminal_but_no_wider_than_is_read(width, most):
    finding = Finding("certificate-not-yet-valid", "The sky is blue today. " * 12, "Look at the sky. " * 12)
    longest = max(map(len, report.lines("blog", [finding], [], width)))
    assert most - 8 < longest <= most


def test_a_host_without_a_login_is_not_said_to_be_well_inside():
    lines = report.lines("blog", find("ssh-unreachable"), [])
    assert lines[-1] == "Nobody could log in, so it was seen from outside alone."


# logs


def ago(seconds: float, form: str = "[%Y-%m-%d %H:%M:%S +0000]") -> str:
    return time.strftime(form, time.gmtime(time.time() - seconds))


TRACEBACK = """%s [7] [ERROR] Exception in worker process
Traceback (most recent call last):
  File "/srv/blog/app.py", line 3, in <module>
    import flask_wtf
%s
"""
BOOT = """%s [1] [ERROR] Worker (pid:7) exited with code 3.
Traceback (most recent call last):
  File "arbiter.py", line 270, in run
gunicorn.errors.HaltServer: <HaltServer 'Worker failed to boot.' 3>
"""
REASONS = {
    "ModuleNotFoundError: No module named 'flask_wtf'": ("module-missing", "no module flask_wtf"),
    "KeyError: 'MAIL_TOKEN'": ("settings-missing", "has no MAIL_TOKEN"),
    "sqlalchemy.exc.OperationalError: (2003, \"Can't connect\")": ("database-unreachable", "does not let it in"),
    "RuntimeError: out of pelicans": ("slot-crashing", "says last: RuntimeError: out of pelicans"),
}


@pytest.fixture
def log(tmp_path):
    return tmp_path / "blue.log"


@pytest.mark.parametrize("raised", REASONS)
def test_the_log_says_why_a_slot_does_not_start(raised, log):
    log.write_text(TRACEBACK % (ago(5), raised) + BOOT % ago(4))
    found = logs.reason(str(log), "/srv/blog/shared/.env")
    assert (found.id, REASONS[raised][1] in found.what) == (REASONS[raised][0], True)


def test_a_hanging_slot_is_not_explained_by_an_old_traceback(log):
    log.write_text(TRACEBACK % (ago(900), "RuntimeError: old") + "%s [1] [INFO] Booting worker\n" % ago(500))
    assert logs.reason(str(log), "", 30) is None
    assert logs.reason(str(log), "").id == "slot-crashing"


def test_tracebacks_of_the_last_hour_are_counted(log):
    log.write_text("".join(TRACEBACK % (ago(age), "ValueError: %d" % age) for age in (9000, 4000, 300, 20)))
    (found,) = logs.application_errors({str(log): 0, str(log) + ".missing": 0})
    assert "2 tracebacks" in found.what and found.what.endswith("ValueError: 20")


def test_what_an_earlier_release_has_logged_is_nobodys_fault_now(log):
    log.write_text("".join(TRACEBACK % (ago(age), "ValueError: %d" % age) for age in (900, 300)))
    launched = time.time() - 600
    (found,) = logs.application_errors({str(log): launched})
    assert "1 traceback " in found.what
    assert list(logs.application_errors({str(log): time.time() - 60})) == []
    assert logs.reason(str(log), "", since=time.time() - 60) is None


def test_a_release_that_is_written_to_is_told_of_shared_folders(log):
    raised = "PermissionError: [Errno 13] Permission denied: '/srv/blog/releases/v1-7f7c99a2/uploads/cat.png'"
    log.write_text(TRACEBACK % (ago(5), raised))
    (found,) = logs.application_errors({str(log): 0})
    assert "writes to uploads/cat.png" in found.remedy and "flask_shared_paths" in found.remedy
    assert "flask_shared_paths" in logs.reason(str(log), "").remedy


def test_one_such_error_among_others_is_enough(log):
    raised = "PermissionError: [Errno 13] Permission denied: '/srv/blog/releases/v1-7f7c99a2/uploads/cat.png'"
    log.write_text(TRACEBACK % (ago(9), raised) + TRACEBACK % (ago(5), "ValueError: 1"))
    (found,) = logs.application_errors({str(log): 0})
    assert found.what.endswith("ValueError: 1") and "Add uploads to flask_shared_paths" in found.remedy


def test_a_sqlite_file_in_a_release_is_no_server_that_is_down(log):
    log.write_text(TRACEBACK % (ago(5), "sqlite3.OperationalError: unable to open database file"))
    found = logs.reason(str(log), "")
    assert found.id == "slot-crashing" and "flask_shared_paths, such as instance/" in found.remedy


def test_lines_without_a_time_count_while_the_file_is_fresh(log):
    log.write_text("Traceback (most recent call last):\n  File x\nValueError: one\n")
    assert len(list(logs.application_errors({str(log): 0}))) == 1
    os.utime(log, (time.time() - 7200,) * 2)
    assert list(logs.application_errors({str(log): 0})) == []


def test_what_scanners_do_is_no_error_of_the_proxy(log):
    form = "%Y/%m/%d %H:%M:%S"
    now, old = (time.strftime(form, time.localtime(time.time() - age)) for age in (60, 7200))
    noise = now + " [crit] 1#1: *1 SSL_do_handshake() failed\n" + now + " [error] 1#1: *1 limiting requests, excess\n"
    noise += now + ' [error] 1#1: *1 user "ana": password mismatch\n' + now + ' [error] 1#1: *1 user "x" was not found in "/x"\n'
    noise += now + " [error] 1#1: *1 client intended to send too large body: 9 bytes\n"
    log.write_text(old + " [error] 1#1: *1 connect() failed\n" + noise)
    assert list(logs.proxy_errors(str(log))) == []
    log.write_text(noise + now + " [error] 1#1: *1 connect() to unix:/x failed\n")
    (found,) = logs.proxy_errors(str(log))
    assert "1 error" in found.what and found.what.endswith("says: connect() to unix:/x failed")


def test_what_nginx_missed_before_the_application_was_started_again_is_mended(log):
    moment = time.strftime("%Y/%m/%d %H:%M:%S", time.localtime(time.time() - 60))
    log.write_text(moment + " [error] 1#1: *1 connect() failed while connecting to upstream\n")
    assert list(logs.proxy_errors(str(log), time.time() - 30)) == []
    assert ids(logs.proxy_errors(str(log), time.time() - 90)) == ["proxy-errors"]
    log.write_text(moment + " [crit] 1#1: *1 open() failed (24: Too many open files)\n")
    assert ids(logs.proxy_errors(str(log), time.time() - 30)) == ["proxy-errors"]


@pytest.mark.parametrize("line, seconds", [
    ("[2026-01-02 03:04:05 +0000] x", 1767323045),
    ("[2026-01-02 03:04:05 +0100] x", 1767319445),
    ("2026-01-02T03:04:05.5Z x", 1767323045),
    ("  File of 2026", None),
])
def test_a_line_says_when_it_was_written(line, seconds):
    assert logs.stamp(line) == seconds


NOISE = [
    ("sshd", "error: kex_exchange_identification"),
    ("systemd-networkd", "eth0: Could not set hostname"),
    ("kernel", "[UFW BLOCK] IN=eth0 OUT= SRC=192.0.2.7"),
    ("kernel", "piix4_smbus 0000:00:07.3: SMBus Host Controller not enabled!"),
    ("kernel", "I/O error, dev fd0, sector 0 op 0x0:(READ)"),
    ("kernel", "I/O error, dev vda, sector 2048 op 0x3:(DISCARD)"),
]


def journal(monkeypatch, *lines, states="") -> list:
    """The findings for (identifier, text) or (identifier, text, unit, age in seconds)."""
    said = []
    for identifier, text, *more in NOISE + list(lines):
        unit, age = more or ("", 60)
        about = {"SYSLOG_IDENTIFIER": identifier, "MESSAGE": text, "_SYSTEMD_UNIT": unit}
        said.append(json.dumps(dict(about, __REALTIME_TIMESTAMP=str(int((time.time() - age) * 1e6)))))
    answers = {"journalctl": "\n".join(said), "systemctl": states}
    monkeypatch.setattr(logs, "ask", lambda program, *argv: doctor.Said(0, answers[program], ""))
    return list(logs.journal_errors())


@pytest.mark.parametrize("identifier, text", [
    ("mariadbd", "out of luck"),
    ("systemd-fsck", "fsck failed with exit status 4."),
    ("kernel", "BUG: unable to handle page fault"),
])
def test_the_journal_without_strangers(identifier, text, monkeypatch):
    assert journal(monkeypatch) == []
    (found,) = journal(monkeypatch, (identifier, text))
    said = "1 error of the last hour; the last one is from %s: %s" % (identifier, text)
    assert found.id == "journal-errors" and found.what.endswith(said)


def test_a_message_that_is_no_text_is_one_all_the_same(monkeypatch):
    (found,) = journal(monkeypatch, ("mariadbd", list(b"out of \xff luck")))
    assert found.what.endswith("from mariadbd: out of \ufffd luck")


ENDED = "Id=mariadb.service\nActiveState=%s\nActiveEnterTimestamp=@%d\nNRestarts=%d\n\nId=cron.service\nActiveState=active\n"


@pytest.mark.parametrize("state, age, restarts, said", [
    ("active", 600, 0, []),  # somebody has mended it
    ("active", 1800, 0, ["journal-errors"]),
    ("failed", 600, 0, ["journal-errors"]),
    ("active", 600, 3, ["journal-errors"]),  # systemd starts it again and again
])
def test_an_error_of_a_service_that_was_mended_since_is_not_said(state, age, restarts, said, monkeypatch):
    states = ENDED % (state, time.time() - age, restarts)
    assert ids(journal(monkeypatch, ("mariadbd", "out of luck", "mariadb.service", 900), states=states)) == said


def test_what_systemd_says_of_a_service_is_that_services(monkeypatch):
    about = {"SYSLOG_IDENTIFIER": "systemd", "_SYSTEMD_UNIT": "init.scope", "UNIT": "mariadb.service", "MESSAGE": "Failed"}
    assert logs.entry_of(json.dumps(about)).unit == "mariadb.service"


@pytest.mark.parametrize("text", [
    "blk_update_request: I/O error, dev sda, sector 7 op 0x0:(READ)",
    "Buffer I/O error on dev vda1, logical block 7, lost async page write",
    "EXT4-fs error (device vda1): ext4_find_entry:1455: inode #2: comm gunicorn: reading directory lblock 0",
    "EXT4-fs (vda1): Remounting filesystem read-only",
    "ata1.00: failed command: READ FPDMA QUEUED",
    "nvme nvme0: I/O 7 QID 3 timeout, aborting",
    "critical medium error, dev sda, sector 7",
])
def test_a_disk_that_fails_is_more_than_a_line_in_the_journal(text, monkeypatch):
    found = journal(monkeypatch, ("kernel", text), ("kernel", "Sense Key"))
    assert ids(found) == ["disk-errors", "journal-errors"] and ids(settle(found)) == ["disk-errors"]
    assert found[0].what.endswith(text)
    (said,) = journal(monkeypatch, ("gunicorn", text))  # of whatever it speaks
    assert said.id == "journal-errors"


def test_the_kernel_says_whom_it_ended(monkeypatch):
    said = "Out of memory: Killed process 77 (gunicorn) total-vm:1kB\n"
    monkeypatch.setattr(logs, "ask", lambda *argv: doctor.Said(0, said, ""))
    assert logs.out_of_memory() == "gunicorn"
