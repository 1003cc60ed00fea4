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

import functools
import io
import json
import os
import shutil
import sqlite3
import stat
import sys
import tarfile
from typing import Iterator

from ansible_collections.selfhost.flask.plugins.module_utils.database.sqlite_owner import (
    TEMPORARY,
    copied,
    is_database,
    replace,
)

NEW, OLD = ".restored", ".replaced"
COMPANIONS = ("-wal", "-shm", "-journal")  # of a SQLite file; what is in them is in a copy of that


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
                folders[:] = sorted(name for name in folders if name not in (NEW, OLD) and not TEMPORARY.match(name))
                for full in (os.path.join(path, name) for name in folders + sorted(files)):
                    relative = os.path.relpath(full, folder)
                    if relative not in kept and not is_companion(full):
                        (add_database if is_database(full) else add)(archive, full, relative)


def is_companion(path: str) -> bool:
    return any(path.endswith(end) and is_database(path[:-len(end)]) for end in COMPANIONS)


def add_database(archive: tarfile.TarFile, path: str, name: str) -> None:
    """A SQLite file as it is at one moment, whoever writes to it."""
    archive.inodes.clear()
    try:
        with copied(path) as copy, open(copy, "rb") as file:
            info = archive.gettarinfo(path, name)
            info.size = os.path.getsize(copy)
            archive.addfile(info, file)
    except sqlite3.OperationalError as error:  # it is locked, or there is no room
        raise SystemExit("The SQLite file %s can't be copied: %s" % (path, error)) from error
    except sqlite3.DatabaseError:  # it is damaged; better so than not at all
        add(archive, path, name)
    except OSError as error:
        refuse(error)


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
    done = []  # what takes each step back
    try:
        for place in places:
            path = os.path.join(folder, place)
            os.mkdir(os.path.join(path, OLD), 0o700)
            spared = [os.path.relpath(os.path.join(folder, name), path) for name in kept]
            open_ones = [name for name in databases_in(path) if name not in spared]
            exchange(path, "", spared + [name + end for name in open_ones for end in ("", *COMPANIONS)], done)
            for name in open_ones:
                overwrite(path, name, done)
    except BaseException:
        for undo in reversed(done):
            undo()
        raise


def databases_in(place: str) -> Iterator[str]:
    """The SQLite files that were laid there, and are in the place as well: the application may have them open."""
    for path, dummy, files in os.walk(os.path.join(place, NEW)):
        for name in files:
            inner = os.path.relpath(os.path.join(path, name), os.path.join(place, NEW))
            here = os.path.join(place, inner)
            if is_database(os.path.join(path, name)) and is_database(here) and os.path.realpath(here) == os.path.join(
                os.path.realpath(place), inner
            ):
                yield inner


def overwrite(place: str, name: str, done: list) -> None:
    """Gives a SQLite file the content of the one that was laid there. A new file would not reach who has the old one open."""
    here, new, old = (os.path.join(place, top, name) for top in ("", NEW, OLD))
    replace(old, here)
    done.append(functools.partial(replace, here, old))
    replace(here, new)


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
    done.append(functools.partial(rename, target, source))


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
