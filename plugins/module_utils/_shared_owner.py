# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the owner of an application's files does with them, in an interpreter of the system's own.

Root never opens what the application could replace by a link at that moment.

  FOLDER pack ABOUT    writes the files of the places as a tar to standard output
  FOLDER stage ABOUT   reads such a tar, and lays the files of each place beside those that are there
  FOLDER swap ABOUT    puts them in place of those that are there, all or none
  FOLDER clean ABOUT   removes what was laid there

ABOUT is {"places": [folders in FOLDER], "kept": [paths that are left alone]}.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import sys
import tarfile

NEW, OLD = ".restored", ".replaced"


class Exactly(io.RawIOBase):
    """As many bytes of a file as its header says, also where it shrinks meanwhile."""

    def __init__(self, file, size: int) -> None:
        super().__init__()
        self.file = file
        self.left = size

    def read(self, size: int = -1) -> bytes:
        wanted = self.left if size < 0 else min(size, self.left)
        self.left -= wanted
        return self.file.read(wanted).ljust(wanted, b"\0")


def pack(folder: str, places: list, kept: list) -> None:
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for place in places:
            for path, folders, files in os.walk(os.path.join(folder, place), onerror=refuse):
                folders[:] = sorted(name for name in folders if name not in (NEW, OLD))
                for name in folders + sorted(files):
                    relative = os.path.relpath(os.path.join(path, name), folder)
                    if relative not in kept:
                        add(archive, os.path.join(path, name), relative)


def refuse(error: OSError) -> None:
    """A file that can't be copied is said, and not left out."""
    if not isinstance(error, FileNotFoundError):  # it was removed meanwhile
        said = "%s can't be read by the application's user. Give it to that user, or move it away."
        raise SystemExit(said % error.filename)


def add(archive: tarfile.TarFile, path: str, name: str) -> None:
    """Links stay links, and sockets are left out."""
    archive.inodes.clear()  # a hard link is a file of its own
    try:
        info = archive.gettarinfo(path, name)
        if info is None or not (info.isreg() or info.isdir() or info.issym()):
            return
        if not info.isreg():
            return archive.addfile(info)
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        return refuse(error)
    with open(descriptor, "rb") as file:
        archive.addfile(info, Exactly(file, info.size))


def stage(folder: str, places: list) -> None:
    clean(folder, places)
    for place in places:
        os.mkdir(os.path.join(folder, place, NEW), 0o700)
    modes = []
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
        for member in archive:
            place = next((place for place in places if member.name.startswith(place + "/")), None)
            rest = os.path.normpath(member.name[len(place) + 1:]) if place else ""
            if place and not os.path.isabs(rest) and rest.split("/")[0] != "..":
                path = os.path.join(folder, place, NEW, rest)
                lay(archive, member, path)
                modes += [(path, member)] if not member.issym() else []
    for path, member in reversed(modes):
        os.chmod(path, stat.S_IMODE(member.mode) & 0o777)
        os.utime(path, (member.mtime, member.mtime))


def lay(archive: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
    if member.isdir():
        os.mkdir(path, 0o700)
    elif member.issym():
        os.symlink(member.linkname, path)
    else:
        with open(path, "xb") as file:
            shutil.copyfileobj(archive.extractfile(member), file)


def swap(folder: str, places: list, kept: list) -> None:
    done = []
    try:
        for place in places:
            path = os.path.join(folder, place)
            os.mkdir(os.path.join(path, OLD), 0o700)
            spared = [os.path.relpath(os.path.join(folder, name), path) for name in kept]
            exchange(path, "", spared, done)
    except BaseException:
        for before, after in reversed(done):
            rename(after, before)
        raise


def exchange(place: str, inner: str, spared: list, done: list) -> None:
    """Moves what is in a folder away, and what was laid beside it there; what is spared stays."""
    here, new, old = (os.path.join(place, top, inner) for top in ("", NEW, OLD))
    os.makedirs(old, exist_ok=True)
    inside = [name for name in os.listdir(here) if inner or name not in (NEW, OLD)]
    for name in inside:
        relative = os.path.join(inner, name)
        if any(path.startswith(relative + "/") for path in spared):
            exchange(place, relative, spared, done)
        elif relative not in spared:
            move(os.path.join(here, name), os.path.join(old, name), done)
    for name in os.listdir(new) if os.path.isdir(new) else ():
        if not os.path.lexists(os.path.join(here, name)):
            move(os.path.join(new, name), os.path.join(here, name), done)


def move(source: str, target: str, done: list) -> None:
    rename(source, target)
    done.append((source, target))


def rename(source: str, target: str) -> None:
    """Also a folder that its owner has closed for himself."""
    status = os.lstat(source)
    closed = stat.S_ISDIR(status.st_mode) and not status.st_mode & stat.S_IWUSR
    if closed:
        os.chmod(source, 0o700)
    os.rename(source, target)
    if closed:
        os.chmod(target, stat.S_IMODE(status.st_mode))


def clean(folder: str, places: list) -> None:
    for place in places:
        for top in (os.path.join(folder, place, name) for name in (NEW, OLD)):
            for path, folders, dummy in os.walk(top):
                for name in folders:
                    if not os.path.islink(os.path.join(path, name)):
                        os.chmod(os.path.join(path, name), 0o700)
            shutil.rmtree(top, ignore_errors=True)


def main() -> None:
    folder, action, about = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    os.umask(0o027)
    if action in ("pack", "swap"):
        {"pack": pack, "swap": swap}[action](folder, about["places"], about["kept"])
    else:
        {"stage": stage, "clean": clean}[action](folder, about["places"])


if __name__ == "__main__":
    main()
