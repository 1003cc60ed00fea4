# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release's folder: who owns it, and whether its building came to an end."""

from __future__ import annotations

import grp
import json
import os
import pwd
import shutil
import stat

from ansible_collections.selfhost.flask.plugins.module_utils.common.files import write_file

SEAL = ".release.json"  # root writes it last: from then on nothing in the release changes
COMPLETE = ".complete"  # the same in a virtual environment


class ReleaseError(Exception):
    """Why a version can't become a release, and what to set."""


def read_link(path: str) -> str:
    """What a link points to; an empty string where there is none."""
    return os.readlink(path) if os.path.islink(path) else ""


def lost_python(venv: str) -> str:
    """The path of the Python that an environment was made with, if that has gone from the host; else an empty string.

    An upgrade of the distribution brings another Python, and takes the one before with what nobody needs any more.
    """
    python = os.path.join(venv, "bin/python")
    return "" if os.path.exists(python) else read_link(python)


def replace_link(path: str, target: str) -> None:
    """Points a link to a target in one step: at no moment is there none."""
    temporary = path + ".new"
    if os.path.lexists(temporary):
        os.unlink(temporary)
    os.symlink(target, temporary)
    os.replace(temporary, path)


def remove(path: str) -> None:
    """Removes a folder, a file or a link where there is one."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def path_inside(folder: str, name: str) -> str:
    """A path in a release; ReleaseError where `..` or a link of the repository leads out of it.

    Root writes there, and what the repository says must not become what root does elsewhere.
    """
    path = os.path.normpath(os.path.join(folder, name))
    expected = os.path.join(os.path.realpath(folder), os.path.relpath(os.path.dirname(path), folder))
    if not path.startswith(folder + os.sep) or os.path.realpath(os.path.dirname(path)) != os.path.normpath(expected):
        raise ReleaseError("%s leads out of its folder, by `..` or by a link. Set a path that stays inside." % name)
    return path


def application_folder(release: str, subfolder: str) -> str:
    """The application's folder in a release; it is not anywhere else by a link."""
    return os.path.dirname(path_inside(release, os.path.join(subfolder, ".env")))


def is_sealed(folder: str) -> bool:
    """Whether root has sealed a release; a file of that name that somebody else brought does not count."""
    try:
        status = os.lstat(os.path.join(folder, SEAL))
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_uid == 0


def read_seal(folder: str) -> dict:
    """What the seal of a release says; nothing where it is not sealed."""
    if not is_sealed(folder):
        return {}
    with open(os.path.join(folder, SEAL), encoding="utf-8") as file:
        return json.load(file)


def write_seal(folder: str, about: dict) -> None:
    write_file(os.path.join(folder, SEAL), json.dumps(about).encode() + b"\n", 0o644)


def keep_application(folder: str, said: dict | None) -> None:
    """Puts what a sealed release said of itself into its seal, or takes it out."""
    before = read_seal(folder)
    about = {key: value for key, value in before.items() if key != "application"}
    if said is not None:
        about["application"] = said
    if is_sealed(folder) and about != before:
        write_seal(folder, about)


def give_tree(folder: str, user: str) -> None:
    """Gives a folder that root made to a user and his group.

    From the leaves up, so that the user can't yet move what is still to be given.
    """
    uid, gid = pwd.getpwnam(user).pw_uid, grp.getgrnam(user).gr_gid
    for path, folders, files in os.walk(folder, topdown=False):
        for name in folders + files:
            os.chown(os.path.join(path, name), uid, gid, follow_symlinks=False)
    os.chown(folder, uid, gid)


def seal_tree(folder: str, private: frozenset = frozenset(), user: str = "") -> None:
    """Gives a folder to root: readable by everybody, whatever the umask was, writable by nobody else.

    What is private only this user's group reads. From the root down: a folder is listed only once its former owner can't
    change it any more.
    """
    _seal(folder)
    for path, folders, files in os.walk(folder):
        for name in folders + files:
            whole = os.path.join(path, name)
            _seal(whole, user if _source(whole) in private else "")


def _source(path: str) -> str:
    """The file that Python has compiled to another; the file itself where it is none."""
    folder, name = os.path.split(path)
    if os.path.basename(folder) != "__pycache__":
        return path
    return os.path.join(os.path.dirname(folder), name.partition(".")[0] + ".py")


def _seal(path: str, user: str = "") -> None:
    """A file that is private belongs to the user's group, too."""
    os.chown(path, 0, grp.getgrnam(user).gr_gid if user else 0, follow_symlinks=False)
    if user and not os.path.islink(path):
        os.chmod(path, 0o640)
    elif not os.path.islink(path):
        mode = stat.S_IMODE(os.lstat(path).st_mode)
        os.chmod(path, (mode & 0o700) | (mode & 0o500) >> 3 | (mode & 0o500) >> 6)
