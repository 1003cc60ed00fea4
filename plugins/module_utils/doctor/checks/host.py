# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor's look at the machine: disks, memory, units, updates, the clock, listeners."""

from __future__ import annotations

import glob
import os
import re
import time
from typing import Iterable, Iterator

from ansible_collections.selfhost.flask.plugins.module_utils.common.words import count_of
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.findings import Finding, ask

MEGABYTE = 1 << 20
FOLDERS = ("/", "/srv", "/var", "/tmp")
REBOOT = ("/run/reboot-required", "/var/run/reboot-required")
LISTS = "/var/lib/apt/lists"
STALE_DAYS = 7
LOOPBACK = re.compile(r"^(127\.|\[::1\]|\[::ffff:127\.|.*%lo$)")
QUIET_UDP = {53, 67, 68, 123, 323, 546, 547, 5353, 5355}  # a client's own, and names in the local network
EPHEMERAL = 32768
# A job or another unit of an application's, in whose name there is no dot.
UNIT = re.compile(r"flask-([^.]+?)(?:\.[^.]+|-(backup|drill|recover|certificate|listen))\.service")
USER = re.compile(r'\(\("([^"]+)"')


def disks(folders: tuple, free_mb: int) -> Iterator[Finding]:
    """Each file system once."""
    seen = set()
    for folder in folders:
        if not os.path.isdir(folder) or os.stat(folder).st_dev in seen:
            continue
        seen.add(os.stat(folder).st_dev)
        yield from disk(folder, os.statvfs(folder), free_mb)


def disk(folder: str, about: os.statvfs_result, free_mb: int) -> Iterator[Finding]:
    free, total = about.f_bavail * about.f_frsize // MEGABYTE, about.f_blocks * about.f_frsize // MEGABYTE
    facts = "The file system of %s has %d MB free of %d MB" % (folder, free, total)
    remedy = "See what takes the room with `sudo du -xhd1 %s | sort -h`, or enlarge the disk." % folder
    least = min(free_mb, total // 10)  # a small one of its own, such as /tmp, is never to have as much
    if free < least:
        yield Finding("disk-full", "%s, and less than %d MB is too little." % (facts, least), remedy, subject=folder)
    elif free < min(2 * free_mb, total // 10):
        yield Finding("disk-filling", facts + ".", remedy, subject=folder)
    if about.f_flag & os.ST_RDONLY:
        yield Finding(
            "filesystem-readonly",
            "The file system of %s takes no writes: it is mounted read-only." % folder,
            "See why with `sudo dmesg --level=err`: after errors of the disk, have it checked (fsck) by the provider's "
            "rescue system; else `sudo mount -o remount,rw %s`." % folder,
            subject=folder,
        )
    if about.f_files and about.f_favail * 20 < about.f_files:
        yield Finding(
            "inodes-low",
            "The file system of %s has room for only %d more files of %d." % (folder, about.f_favail, about.f_files),
            "Find the folder with too many with `sudo du --inodes -xd2 %s | sort -n`." % folder,
            subject=folder,
        )


def memory(text: str, free_mb: int) -> Iterator[Finding]:
    """By /proc/meminfo."""
    found = {name: int(kilobytes) // 1024 for name, kilobytes in re.findall(r"^(\w+):\s+(\d+) kB", text, re.M)}
    if "MemAvailable" in found and found["MemAvailable"] < free_mb:
        yield Finding(
            "memory-low",
            "Only %d MB of the memory's %d MB can still be had." % (found["MemAvailable"], found.get("MemTotal", 0)),
            "See who has it with `ps aux --sort=-rss | head`; lower gunicorn_workers, or give the host more.",
        )
    swap, left = found.get("SwapTotal", 0), found.get("SwapFree", 0)
    if swap and left * 10 < swap:
        yield Finding(
            "swap-full",
            "Only %d MB of the swap's %d MB are free: the host has too little memory." % (left, swap),
            "Lower gunicorn_workers, or give the host more memory.",
        )


def services(units: Iterable[str]) -> Iterator[Finding]:
    """Those that the application needs."""
    for unit in units:
        state = ask("systemctl", "is-active", unit).out.strip() or "unknown"
        if state not in ("active", "reloading"):
            yield Finding(
                "service-stopped",
                "The application needs the service %s, which is %s." % (unit, state),
                "`sudo systemctl restart %s`; see `journalctl -u %s`." % (unit, unit),
                subject=unit,
            )


def units(name: str, elsewhere: Iterable[str] = ()) -> Iterator[Finding]:
    """What systemd could not start or keep, but for what is said elsewhere; another application's doctor says it of its own."""
    said = ask("systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "--no-pager")
    for line in said.out.splitlines():
        unit = line.split()[0]
        whose = UNIT.fullmatch(unit)
        if unit in elsewhere or whose and whose.group(1) != name:
            continue
        own = whose.group(2) if whose else None
        yield Finding(
            "unit-failed", "The unit %s has failed." % unit,
            "See why with `systemctl status %s`; `sudo systemctl restart %s` tries again." % (unit, unit),
            subject=own or unit,
        )


def timers(name: str, expected: list) -> Iterator[Finding]:
    """The timers of the backups."""
    for what in expected:
        unit = "flask-%s-%s.timer" % (name, what)
        if ask("systemctl", "is-active", unit).code:
            yield Finding(
                "backup-timer-stopped", "The timer %s does not run, so there will be no %s." % (unit, what),
                "`sudo systemctl enable --now %s`" % unit, subject=what,
            )


def is_container() -> bool:
    return ask("systemd-detect-virt", "--container", "--quiet").code == 0


def reboot(flags: tuple, boot: str, release: str) -> Iterator[Finding]:
    """What only takes effect after a reboot."""
    remedy = "`sudo reboot` when it suits; the site is back by itself."
    if any(os.path.exists(flag) for flag in flags):
        yield Finding("reboot-required", "Updates wait for a reboot.", remedy)
        return
    kernels = [os.path.basename(path)[len("vmlinuz-"):] for path in glob.glob(os.path.join(boot, "vmlinuz-*"))]
    flavour = release.rpartition("-")[2]
    newer = [one for one in kernels if one.endswith("-" + flavour) and in_order(one) > in_order(release)]
    if release in kernels and newer:
        newest = max(newer, key=in_order)
        yield Finding("reboot-required", "The kernel %s runs, and %s is installed." % (release, newest), remedy)


def in_order(version: str) -> list:
    """A version's numbers, by which it is older or newer than another one."""
    return [int(number) for number in re.findall(r"\d+", version)]


def updates() -> Iterator[Finding]:
    """Security updates that apt knows of and that are not installed; whether it looked for any."""
    said = ask("apt-get", "--simulate", "-o", "Debug::NoLocking=true", "dist-upgrade", timeout=60)
    pending = re.findall(r"^Inst (\S+) .*-[Ss]ecurity", said.out, re.M)
    if pending:
        yield Finding(
            "updates-pending",
            "%s not installed yet: %s." % (count_of(len(pending), "security update"), ", ".join(pending[:8])),
            "`sudo apt-get update && sudo apt-get upgrade`, or wait for the night's automatic ones.",
        )
    if os.path.isdir(LISTS):
        days = (time.time() - max(os.stat(LISTS).st_mtime, os.stat(LISTS + "/partial").st_mtime)) / 86400
        if days > STALE_DAYS:
            yield Finding(
                "updates-stale", "Nobody looked for updates for %d days." % days,
                "`sudo systemctl status apt-daily.timer`, then `sudo apt-get update`.",
            )


def clock() -> Iterator[Finding]:
    """In a container it is the machine's, and systemd does not know."""
    if is_container():
        return
    said = ask("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if said.code == 0 and said.out.strip() == "no":
        yield Finding(
            "clock-not-synchronised", "The clock is not synchronised with any other.",
            "`sudo timedatectl set-ntp true`; see `timedatectl timesync-status`.",
        )


def listeners(text: str, allowed: list) -> list:
    """(protocol, port, program) of what others could reach and is not expected, by `ss -Htlnup`."""
    found = {}
    for line in text.splitlines():
        words = line.split(None, 6)
        if len(words) < 5 or LOOPBACK.match(words[4]):
            continue
        protocol, port = words[0], int(words[4].rpartition(":")[2])
        quiet = protocol == "udp" and (port in QUIET_UDP or port >= EPHEMERAL)
        if port in allowed or quiet:
            continue
        user = USER.search(line)
        program = user.group(1) if user else "some program"
        if program != "sshd":  # whatever its configuration has become
            found[(protocol, port)] = program
    return [dict(protocol=protocol, port=port, program=program) for (protocol, port), program in sorted(found.items())]
