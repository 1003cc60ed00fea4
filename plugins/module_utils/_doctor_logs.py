# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor's look at the logs: tracebacks, the proxy's errors, the system's, and why a slot ended."""

from __future__ import annotations

import calendar
import os
import re
import time
from typing import Iterator, NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils._doctor import Finding, ask, clipped

TAIL = 512 << 10  # bytes of a log that are read
HOUR = 3600
TRACEBACK = "Traceback (most recent call last)"
STAMP = re.compile(r"(\d{4})[-/](\d\d)[-/](\d\d)[ T](\d\d):(\d\d):(\d\d)(?:[.,]\d+)?(?: ?([+-]\d\d):?(\d\d)|Z)?")
RAISED = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Warning|Fault|Missing|Invalid\w*)\b.*|[A-Za-z_]\w*(?:\.\w+)+: .*")
EFFECT = re.compile(r"gunicorn\.errors\.HaltServer|SystemExit|KeyboardInterrupt")  # what raised is in the one before
MISSING_MODULE = re.compile(r"(?:ModuleNotFoundError|ImportError): No module named '?([\w.]+)")
MISSING_KEY = re.compile(r"KeyError: '([A-Z][A-Z0-9_]*)'")
DATABASE_DOWN = re.compile(r"OperationalError|InterfaceError|Can't connect to (?:local )?(?:MySQL|MariaDB)|Access denied for user")
PROXY_ERROR = re.compile(r"\[(?:error|crit|alert|emerg)\]")
PROXY_NOISE = re.compile(r"SSL_do_handshake|limiting (?:requests|connections)|access forbidden|no live upstreams hint")
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


def recent(path: str, seconds: float = HOUR) -> list:
    """The lines of the last hour; those without any time where the file was written to since."""
    begin = time.time() - seconds
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


def application_errors(paths: list) -> Iterator[Finding]:
    """Exceptions that the application did not catch, in the last hour."""
    for path in paths:
        raised = tracebacks(recent(path))
        if raised:
            yield Finding(
                "application-errors",
                "%s has %d traceback%s of the last hour; the last one says: %s"
                % (path, len(raised), "s" * (len(raised) > 1), clipped(raised[-1])),
                "Read it: `sudo tail -n 50 %s`." % path,
                subject=os.path.basename(path),
            )


def proxy_errors(path: str) -> Iterator[Finding]:
    """What nginx could not do for visitors, in the last hour."""
    found = [line for line in recent(path) if PROXY_ERROR.search(line) and not PROXY_NOISE.search(line)]
    if found:
        said = re.sub(r"^.*?\[\w+\] \d+#\d+: (?:\*\d+ )?", "", found[-1])
        yield Finding(
            "proxy-errors",
            "%s has %d errors of the last hour; the last one says: %s" % (path, len(found), clipped(said)),
            "Read them: `sudo tail -n 50 %s`." % path,
        )


def journal_errors() -> Iterator[Finding]:
    """Errors that the kernel and the services wrote into the system's journal, in the last hour."""
    said = ask("journalctl", "--priority=err", "--since=-1h", "--quiet", "--no-pager", "--output=short", "--lines=400")
    found = [line for line in said.out.splitlines() if not is_noise(line)]
    broken = [line for line in found if identifier(line) == "kernel" and DISK_ERROR.search(line)]
    if broken:
        yield Finding(
            "disk-errors",
            "The kernel has %d errors of a disk in the last hour; the last one says: %s"
            % (len(broken), clipped(broken[-1].partition(": ")[2])),
            "Run backup.yml now, and fetch the backup. Then see `sudo dmesg --level=err` and the provider's console: "
            "the disk has to be replaced, or its file system mended.",
        )
    rest = [line for line in found if line not in broken]
    if rest:
        yield Finding(
            "journal-errors",
            "The journal has %d errors of the last hour; the last one is from %s: %s"
            % (len(rest), identifier(rest[-1]), clipped(rest[-1].partition(": ")[2])),
            "Read them: `sudo journalctl --priority=err --since=-1h`.",
        )


def is_noise(line: str) -> bool:
    whose = identifier(line)
    return bool(JOURNAL_NOISE.match(whose) or (whose == "kernel" and KERNEL_NOISE.search(line)))


def identifier(line: str) -> str:
    """Whose line of the journal it is."""
    words = line.split(None, 4)
    return re.split(r"[\[:]", words[4])[0] if len(words) > 4 else ""


def out_of_memory() -> str:
    """Which process the kernel ended last, in the last hour, because the memory ran out."""
    said = ask("journalctl", "--dmesg", "--since=-1h", "--quiet", "--no-pager", "--output=cat", "--grep=Killed process")
    found = re.findall(r"Killed process \d+ \(([^)]+)\)", said.out)
    return found[-1] if found else ""


def reason(path: str, env_path: str, seconds: float = 0) -> Finding | None:
    """Why a slot does not stay up, by the last of what it said, or said in the last seconds; None for nothing."""
    lines = recent(path, seconds) if seconds else [line.text for line in lines_of(path, 64 << 10)][-200:]
    raised = tracebacks(lines) or [line for line in lines if RAISED.fullmatch(line.strip())]
    if not raised:
        return None
    last = clipped(raised[-1])
    module, key = MISSING_MODULE.search(last), MISSING_KEY.search(last)
    if module:
        return Finding(
            "module-missing",
            "The application can't start: there is no module %s in its environment." % module.group(1),
            "Add it to the requirements, or to app_extra_packages, and run update.yml.",
        )
    if key:
        return Finding(
            "settings-missing",
            "The application can't start: %s has no %s." % (env_path, key.group(1)),
            "Set %s in flask_env, and run update.yml." % key.group(1),
        )
    if DATABASE_DOWN.search(last):
        return Finding(
            "database-unreachable",
            "The application can't start, because its database does not let it in: %s" % last,
            "See whether the server runs and DATABASE_URL in %s is right, then run update.yml." % env_path,
        )
    return Finding(
        "slot-crashing",
        "The application ends at its start; %s says last: %s" % (path, last),
        "Mend that and run update.yml, or run rollback.yml.",
    )
