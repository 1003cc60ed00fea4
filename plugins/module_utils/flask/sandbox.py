# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How root runs code of a version that is not served yet: as the application's user, without a way to live data.

A mount namespace of its own has no socket that somebody listens on, and a network namespace of its own nobody else.
The command is a child like any other: it has the environment, the standard input and the descriptors of its parent.
"""

from __future__ import annotations

import os
import shutil
from typing import NamedTuple

TOOLS = "/usr/sbin:/usr/bin:/sbin:/bin"  # root runs none of a virtual environment's programs
# Also what is not listening at this moment, because its server starts just now.
SERVERS = ("/run/mysqld", "/run/postgresql", "/run/redis", "/run/memcached", "/run/valkey", "/run/mongodb")
SYSTEM = ("/run/systemd/", "/run/dbus/", "/run/udev/", "/run/nscd/", "/run/user/")  # names, times, logs
LISTENS = 0x10000  # the flag of such a socket in /proc/net/unix
SCRIPT = """
set -eu
path=$PATH PATH=%s
here=$(pwd -P)  # PWD is what whoever started root's shell was in
owner=$(stat -c %%u:%%g .)
discard() {
    mount -t tmpfs -o size=64m tmpfs /root  # nothing of an application is in there
    mkdir /root/upper /root/work
    chown --reference="$1" /root/upper
    chmod --reference="$1" /root/upper
    mount -t overlay -o "lowerdir=$1,upperdir=/root/upper,workdir=/root/work" overlay "$1" 2>/dev/null ||
        mount --bind -o ro "$1" "$1"
    umount /root
}
hide() {
    if [ -d "$1" ]; then
        mount -t tmpfs -o ro,size=4k,mode=555 tmpfs "$1"
    elif [ -e "$1" ]; then
        mount --bind /dev/null "$1"
    fi
}
empty() {  # and the user's, who the folder that the command runs in belongs to
    if [ -d "$1" ]; then
        mount -t tmpfs -o size=64m,mode=755 tmpfs "$1"
    else
        mkdir -p "$1"
    fi
    chown "$owner" "$1"
}
while [ "$1" != -- ]; do
    "$1" "$2"
    shift 2
done
shift
cd "$here"
PATH=$path
exec "$@"
""" % TOOLS


class Sandbox(NamedTuple):
    """What a command may do as a user, beside what that user may do anyway.

    What it writes to the folders in `discarded` is gone when it ends; those in `hidden` are empty for it. Those in `empty` are
    both: the first of them, and then the folders that are to be in it.
    """

    user: str
    discarded: tuple = ()
    hidden: tuple = ()
    empty: tuple = ()
    network: bool = False

    def prefix(self) -> list:
        """What comes before the command's own words."""
        hidden = [*self.hidden, *SERVERS]
        hidden += [path for path in listening_sockets() if not path.startswith(SYSTEM)]
        words = [word for folder in self.discarded for word in ("discard", folder)]
        words += [word for path in hidden for word in ("hide", path)]
        words += [word for path in self.empty for word in ("empty", path)]
        namespaces = ["--mount"] if self.network else ["--mount", "--net"]
        shell = [_tool("sh"), "-c", SCRIPT, "sandbox", *words, "--"]
        return [_tool("unshare"), *namespaces, "--", *shell, _tool("runuser"), "-u", self.user, "--"]


def listening_sockets() -> list:
    """The paths of all sockets of this host that somebody listens on."""
    with open("/proc/net/unix", encoding="utf-8", errors="surrogateescape") as file:
        rows = [line.rstrip("\n").split(None, 7) for line in file.readlines()[1:]]
    listening = {row[7] for row in rows if len(row) == 8 and int(row[3], 16) & LISTENS}
    return sorted(path for path in listening if path.startswith("/"))


def _tool(name: str) -> str:
    """A program of the system by its path; by its name where there is none, so that the error says it."""
    return shutil.which(name, path=TOOLS) or os.path.join("/usr/bin", name)
