# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor's look at the logs: tracebacks, the proxy's errors, the system's, and why a slot ended."""

from __future__ import annotations

import calendar
import json
import os
import re
import time
from typing import Iterator, NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.common.advice import advice
from ansible_collections.selfhost.flask.plugins.module_utils.common.words import count_of
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.findings import Finding, ask, clipped

TAIL = 512 << 10  # bytes of a log that are read
HOUR = 3600
TRACEBACK = "Traceback (most recent call last)"
STAMP = re.compile(r"(\d{4})[-/](\d\d)[-/](\d\d)[ T](\d\d):(\d\d):(\d\d)(?:[.,]\d+)?(?: ?([+-]\d\d):?(\d\d)|Z)?")
RAISED = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Warning|Fault|Missing|Invalid\w*)\b.*|[A-Za-z_]\w*(?:\.\w+)+: .*")
EFFECT = re.compile(r"gunicorn\.errors\.HaltServer|SystemExit|KeyboardInterrupt")  # what raised is in the one before
MISSING_MODULE = re.compile(r"(?:ModuleNotFoundError|ImportError): No module named '?([\w.]+)")
MISSING_KEY = re.compile(r"KeyError: '([A-Z][A-Z0-9_]*)'")
DATABASE_DOWN = re.compile(r"OperationalError|InterfaceError|Can't connect to (?:local )?(?:MySQL|MariaDB)|Access denied for user")
UPSTREAM = re.compile(r"\bupstream\b")
PROXY_ERROR = re.compile(r"\[(?:error|crit|alert|emerg)\]")
PROXY_NOISE = re.compile(
    r"SSL_do_handshake|limiting (?:requests|connections)|access forbidden|no live upstreams hint"
    r"|password mismatch|was not found in|too large body"
)
# Whose errors are strangers', or are said elsewhere; and those of the kernel that are no fault of a host.
JOURNAL_NOISE = re.compile(
    r"^(sshd\S*|systemd-(?!fsck|remount-fs|coredump|oomd)\S*|dbus-daemon|sudo|audit\S*|\S+\.(?:pre|post)(?:inst|rm))$"
)
KERNEL_NOISE = re.compile(
    r"\[UFW |martian |ll header: |ACPI.* Error|firmware load|X\.509|i8042|piix4_smbus|shpchp|Assuming drive cache|\[drm"
    r"|\b(?:fd|sr|loop)\d+\b|DISCARD|WRITE_ZEROES"
)
DISK_ERROR = re.compile(
    r"I/O error|medium error|EXT4-fs error|remounting filesystem read-only|XFS.*corrupt|BTRFS (?:error|critical)"
    r"|unrecovered read error|failed command: (?:READ|WRITE|FLUSH)|md/raid.*fail|nvme\S* .*timeout",
    re.I,
)


class Line(NamedTuple):
    """A line of a log, and when it was written; a traceback's lines have the time of the line before."""

    time: float | None
    text: str


def lines_of(path: str, size: int = TAIL) -> Iterator[Line]:
    """The end of a log; nothing where there is none."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - size))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return
    last = None
    for line in text.splitlines():
        last = stamp(line) or last
        yield Line(last, line)


def stamp(line: str) -> float | None:
    """When a line says that it was written; a time without a zone is the host's own."""
    found = STAMP.search(line[:60])
    if not found:
        return None
    moment = tuple(int(part) for part in found.groups()[:6])
    if not found.group(0).endswith("Z") and found.group(7) is None:
        return time.mktime(moment + (0, 0, -1))
    shift = int((found.group(7) or "+0") + "1") // 10 * 3600 if found.group(7) else 0
    shift += (1 if shift >= 0 else -1) * int(found.group(8) or 0) * 60
    return calendar.timegm(moment + (0, 0, 0)) - shift


def recent(path: str, seconds: float = HOUR, since: float = 0) -> list:
    """The lines of the last hour, and since a moment; those without any time where the file was written to since."""
    begin = max(time.time() - seconds, int(since))  # a log has whole seconds
    lines = list(lines_of(path))
    fresh = bool(lines) and os.path.getmtime(path) >= begin
    return [line.text for line in lines if (fresh if line.time is None else line.time >= begin)]


def tracebacks(lines: list) -> list:
    """The last line of each traceback, which says what was raised."""
    found, inside = [], False
    for line in lines:
        if TRACEBACK in line:
            inside = True
        elif inside and line[:1] not in ("", " ", "\t"):
            inside = False
            found += [] if EFFECT.match(line) else [line]
    return found


def application_errors(paths: dict) -> Iterator[Finding]:
    """Exceptions that the application did not catch, in the last hour, since what writes each log was started."""
    for path, since in paths.items():
        raised = tracebacks(recent(path, since=since))
        if raised:
            yield Finding(
                "application-errors",
                "%s has %d traceback%s of the last hour; the last one says: %s"
                % (path, len(raised), "s" * (len(raised) > 1), clipped(raised[-1])),
                advice("\n".join(raised)) or "Read it: `sudo tail -n 50 %s`." % path,
                subject=os.path.basename(path),
            )


def proxy_errors(path: str, since: float = 0) -> Iterator[Finding]:
    """What the proxy could not do for visitors, in the last hour; for want of the application, since it can be reached."""
    mended = set(recent(path)) - set(recent(path, since=since + 1))  # the rest of that second is from before, too
    lines = [line for line in recent(path) if PROXY_ERROR.search(line) and not PROXY_NOISE.search(line)]
    found = [line for line in lines if not (line in mended and UPSTREAM.search(line))]
    if found:
        said = re.sub(r"^.*?\[\w+\] \d+#\d+: (?:\*\d+ )?", "", found[-1])
        yield Finding(
            "proxy-errors",
            "%s has %s of the last hour; the last one says: %s" % (path, count_of(len(found), "error"), clipped(said)),
            "Read them: `sudo tail -n 50 %s`." % path,
        )


class Entry(NamedTuple):
    """An error in the system's journal: whose it is, by its name and by its unit, and when it was written."""

    identifier: str
    unit: str
    time: float
    text: str


def journal_errors() -> Iterator[Finding]:
    """Errors that the kernel and the services wrote into the system's journal, in the last hour, and that still matter."""
    fields = "--output-fields=SYSLOG_IDENTIFIER,_SYSTEMD_UNIT,UNIT,MESSAGE"
    said = ask("journalctl", "--priority=err", "--since=-1h", "--quiet", "--no-pager", "--output=json", fields, "--lines=400")
    found = [entry for entry in map(entry_of, said.out.splitlines()) if not is_noise(entry)]
    broken = [entry for entry in found if entry.identifier == "kernel" and DISK_ERROR.search(entry.text)]
    if broken:
        yield Finding(
            "disk-errors",
            "The kernel had %s of a disk in the last hour; the last one says: %s"
            % (count_of(len(broken), "error"), clipped(broken[-1].text)),
            "Run `selfhost.flask.backup` now, and fetch the backup. Then see `sudo dmesg --level=err` and the provider's "
            "console: the disk has to be replaced, or its file system mended.",
        )
    rest = without_mended([entry for entry in found if entry not in broken])
    if rest:
        yield Finding(
            "journal-errors",
            "The journal has %s of the last hour; the last one is from %s: %s"
            % (count_of(len(rest), "error"), rest[-1].identifier, clipped(rest[-1].text)),
            "Read them: `sudo journalctl --priority=err --since=-1h`.",
        )


def entry_of(line: str) -> Entry:
    """A line of the journal; what is no text in it is there as a list of bytes."""
    found = json.loads(line)
    text = found.get("MESSAGE") or ""
    text = text if isinstance(text, str) else bytes(text).decode("utf-8", "replace")
    unit = found.get("UNIT") or found.get("_SYSTEMD_UNIT", "")  # what systemd says is of another one
    moment = int(found.get("__REALTIME_TIMESTAMP", 0)) / 1e6
    return Entry(found.get("SYSLOG_IDENTIFIER", ""), unit, moment, text)


def is_noise(entry: Entry) -> bool:
    kernel = entry.identifier == "kernel" and KERNEL_NOISE.search(entry.text)
    return bool(kernel or JOURNAL_NOISE.match(entry.identifier))


def without_mended(entries: list) -> list:
    """Without the errors of services that were started since, and run."""
    units = sorted({entry.unit for entry in entries if entry.unit.endswith(".service")})
    if not units:
        return entries
    said = ask("systemctl", "show", "--timestamp=unix", "--property=Id,ActiveState,ActiveEnterTimestamp,NRestarts", *units)
    shown = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in said.out.split("\n\n")]
    since = {
        one.get("Id"): float(one["ActiveEnterTimestamp"].lstrip("@")) for one in shown
        if one.get("ActiveState") == "active" and one.get("NRestarts", "0") == "0"  # else it ends again and again
        and one.get("ActiveEnterTimestamp", "").startswith("@")
    }
    return [entry for entry in entries if entry.time >= since.get(entry.unit, 0)]


def out_of_memory() -> str:
    """Which process the kernel ended last, in the last hour, because the memory ran out."""
    said = ask("journalctl", "--dmesg", "--since=-1h", "--quiet", "--no-pager", "--output=cat", "--grep=Killed process")
    found = re.findall(r"Killed process \d+ \(([^)]+)\)", said.out)
    return found[-1] if found else ""


def reason(path: str, env_path: str, seconds: float = 0, since: float = 0) -> Finding | None:
    """Why a slot does not stay up, by the last of what it said since a moment, or in the last seconds; None for nothing."""
    lines = recent(path, seconds or time.time(), since)[-200:]
    raised = tracebacks(lines) or [line for line in lines if RAISED.fullmatch(line.strip())]
    if not raised:
        return None
    last = clipped(raised[-1])
    module, key = MISSING_MODULE.search(last), MISSING_KEY.search(last)
    if module:
        return Finding(
            "module-missing",
            "The application can't start: there is no module %s in its environment." % module.group(1),
            advice(last) or "Add it to the requirements, or to app_extra_packages, and run `selfhost.flask.update`.",
        )
    if key:
        return Finding(
            "settings-missing",
            "The application can't start: %s has no %s." % (env_path, key.group(1)),
            "Set %s in flask_env, and run `selfhost.flask.update`." % key.group(1),
        )
    if DATABASE_DOWN.search(last) and not advice(last):
        return Finding(
            "database-unreachable",
            "The application can't start, because its database does not let it in: %s" % last,
            advice(last)
            or "See that the server runs and DATABASE_URL in %s is right, then run `selfhost.flask.update`." % env_path,
        )
    return Finding(
        "slot-crashing",
        "The application ends at its start; %s says last: %s" % (path, last),
        advice(last) or "Fix that and run `selfhost.flask.update`, or run `selfhost.flask.rollback`.",
    )
