# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of an old installation: whether it is still the one that was moved, and its own alone.

Its user may rename what is in it and above it at any time, so that no path of it may be trusted later on.
"""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import stat

from ansible_collections.selfhost.flask.plugins.module_utils.adoption import in_use
from ansible_collections.selfhost.flask.plugins.module_utils.host.foreign_programs import is_in
from ansible_collections.selfhost.flask.plugins.module_utils.process.foreign import MANAGERS
from ansible_collections.selfhost.flask.plugins.module_utils.proxy.foreign import SITES

# Where applications are, each with how many folders deep: /home/ana is nobody's application, and /opt/blog is one.
PLACES = {"/home": 2, "/root": 1, "/opt": 1, "/srv": 1, "/var/www": 1}
NO_APPLICATIONS = ("/var/www/html",)
SOURCE = ("*.py", ".git", "pyproject.toml")  # what the folder of an application has at its top
OPENED = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW

ANOTHER = "which is not the one that was moved"
LINKED = "whose path has a link in it"
ELSEWHERE = "which is where more than applications may be"
HOME = "which has the home of %s in it"
MOUNTED = "which has the file system %s in it"
NO_SOURCE = "which has no source of an application at its top"
REPOSITORIES = "which is no repository, and has repositories in it"
USED = "which %s may use"


def identity_of(path: str) -> dict:
    """What tells a folder from another one that takes its place. Numbers of devices change with a reboot."""
    status = os.lstat(path)
    return dict(real=os.path.realpath(path), inode=status.st_ino, owner=status.st_uid)


def reason_to_stay(path: str, identity: dict, own: list) -> str:
    """Why a folder is not removed, in words; empty where it is. `own` are the files that describe its programs and sites."""
    if identity != identity_of(path):
        return ANOTHER
    if os.path.realpath(path) != path:
        return LINKED
    depths = [len(path[len(top):].split(os.sep)) - 1 - depth for top, depth in PLACES.items() if is_in(path, top)]
    if path in NO_APPLICATIONS or max(depths, default=-1) < 0:
        return ELSEWHERE
    homes = [one.pw_name for one in pwd.getpwall() if is_in(os.path.realpath(one.pw_dir), path)]
    if homes:
        return HOME % homes[0]
    mounted = [point for point in mount_points() if is_in(point, path)]
    if mounted:
        return MOUNTED % mounted[0]
    escaped = glob.escape(path)
    if not any(glob.glob(os.path.join(escaped, pattern)) for pattern in SOURCE):
        return NO_SOURCE
    if not os.path.lexists(os.path.join(path, ".git")) and glob.glob(os.path.join(escaped, "*", ".git")):
        return REPOSITORIES
    users = users_of(path, own)
    return USED % " and ".join(users[:3]) if users else ""


def users_of(path: str, own: list) -> list:
    """What else of this host has something in a folder, in words."""
    programs = [one for manager in MANAGERS.values() for one in manager().programs() if one.file not in own]
    found = ["the program " + one.name for one in programs if is_in(one.folder, path) or path + os.sep in one.command]
    found += ["the site " + site for proxy in SITES for site in proxy().with_files(path) if site not in own]
    found += [site.name for site in in_use.sites() if names(site, path) or is_in(os.path.realpath(site.root), path)]
    return found + ["process %s" % pid for pid in processes_in(path)]


def names(site: in_use.Site, path: str) -> bool:
    """Whether a setting of an application has a path in a folder, or a database of its is a file there."""
    files = [one.name for one in in_use.databases_of(site) if one.kind == "sqlite"]
    return any(path + os.sep in value + os.sep for value in in_use.settings_of(site)) or any(is_in(one, path) for one in files)


def processes_in(path: str) -> list:
    """What works in a folder, or was started from it."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            places = [os.readlink("/proc/%s/%s" % (pid, name)) for name in ("cwd", "exe")]
        except OSError:
            continue  # it has ended, or is the kernel's
        found += [pid] if any(is_in(place, path) for place in places) else []
    return found


def mount_points() -> list:
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        return [line.split()[4].encode().decode("unicode_escape") for line in file]


def remove_folder(path: str, identity: dict) -> None:
    """Removes the very folder that was moved, by no link; OSError where something else is at its place by now."""
    parent = os.open(os.sep, OPENED)
    try:
        for name in os.path.dirname(path).split(os.sep)[1:]:
            inner = os.open(name, OPENED, dir_fd=parent) if name else os.dup(parent)
            os.close(parent)
            parent = inner
        status = os.stat(os.path.basename(path), dir_fd=parent, follow_symlinks=False)
        if (status.st_ino, status.st_uid) != (identity["inode"], identity["owner"]):
            raise OSError("%s is %s, so it stays" % (path, ANOTHER[len("which is "):]))
        shutil.rmtree("/proc/self/fd/%d/%s" % (parent, os.path.basename(path)))
    finally:
        os.close(parent)


def is_safe(path: str) -> bool:
    """Whether nobody but root can put something else at a file's path: each folder above it is root's, and no link."""
    folder = os.path.dirname(path)
    while True:
        status = os.lstat(folder)
        is_open = status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or is_open:
            return False
        if folder == os.sep:
            return True
        folder = os.path.dirname(folder)
