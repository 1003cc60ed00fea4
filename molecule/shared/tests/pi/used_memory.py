"""How much memory the processes of an emulated host have, and how much of it is the emulator's."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from machine import TOP

sys.path.insert(0, str(TOP / "molecule/shared"))

from testhost.host import memory_folder  # noqa: E402

MEMORY = 512  # MB; what a Pi Zero 2 W has
PAUSE = 2.0  # seconds between two looks
MAPPING = re.compile(r"^([0-9a-f]+)-[0-9a-f]+ ")
PROGRAMS_END = 1 << 40  # qemu has the emulated program's memory below this address, and its own above
MB = 1024 * 1024


class Used(NamedTuple):
    """Memory in MB."""

    all: float  # of the host's processes, the emulator's included; over time without what is a file's
    emulated: float  # what the emulated programs themselves have mapped, files as well (PSS)


class Process(NamedTuple):
    """One process of the host: its name, and its memory in MB."""

    name: str
    used: Used


class Kernel:
    """The counters of the host's cgroup, of whichever version."""

    def __init__(self, name: str) -> None:
        self.folder = memory_folder(name)
        self.is_second = (self.folder / "memory.current").exists()

    def killed(self) -> int:
        """How many processes were ended for want of memory."""
        text = (self.folder / ("memory.events" if self.is_second else "memory.oom_control")).read_text()
        return int(dict(line.split() for line in text.splitlines())["oom_kill"])

    def used(self) -> float:
        """What its processes have, in MB, without the cache of files."""
        lines = (self.folder / "memory.stat").read_text().splitlines()
        return int(dict(line.split() for line in lines)["anon" if self.is_second else "total_rss"]) / MB

    def processes(self) -> Iterator[Path]:
        """Their folders in /proc."""
        for path in self.folder.rglob("cgroup.procs"):
            yield from (Path("/proc", pid) for pid in path.read_text().split())


def process_of(folder: Path) -> Process:
    """By what the kernel says of each of its mappings; shared ones count in part."""
    total = emulated = 0
    is_programs = False
    for line in (folder / "smaps").read_text().splitlines():
        if line.startswith("Pss:"):
            size = int(line.split()[1])
            total += size
            emulated += size if is_programs else 0
        elif found := MAPPING.match(line):
            is_programs = int(found.group(1), 16) < PROGRAMS_END
    return Process((folder / "comm").read_text().strip(), Used(total / 1024, emulated / 1024))


def processes_of(name: str) -> list[Process]:
    """The host's processes, from the largest."""
    found = []
    for folder in Kernel(name).processes():
        with suppress(OSError):  # it has ended meanwhile
            found.append(process_of(folder))
    return sorted(found, key=lambda one: -one.used.emulated)


class Watch(threading.Thread):
    """The most that a host used while the block ran, by a look every two seconds."""

    def __init__(self, name: str) -> None:
        super().__init__(daemon=True)
        self.name_of_host, self.ended = name, threading.Event()
        self.kernel = Kernel(name)
        self.killed_before = self.kernel.killed()
        self.most = Used(0, 0)

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.ended.set()
        self.join(timeout=30)

    @property
    def killed(self) -> int:
        """How many processes were ended for want of memory since the block began."""
        return self.kernel.killed() - self.killed_before

    def run(self) -> None:
        while not self.ended.wait(PAUSE):
            emulated = sum(one.used.emulated for one in processes_of(self.name_of_host))
            self.most = Used(max(self.most.all, self.kernel.used()), max(self.most.emulated, emulated))
