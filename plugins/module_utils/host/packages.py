# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's packages: what is installed, what an interrupted installation has left behind, and a new one.

Services do not start while packages are installed: their configuration comes later. policy-rc.d says so for as
long as somebody holds a lock, so that it forbids nothing any more when the installation is killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import fnmatch
import os
import re
import time
from typing import NamedTuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import make_folders, write_file
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import locked

LISTS = "/var/lib/apt/lists"
JOURNAL = "/var/lib/dpkg/updates"  # dpkg has files in it from its beginning to its end
LOCKS = ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", LISTS + "/lock", "/var/cache/apt/archives/lock")
BEGUN = "/var/lib/selfhost"  # by which a run knows that an earlier one has looked at the host, and gone on
OWN_LOCK = "/run/selfhost-packages.lock"
POLICY = "/usr/sbin/policy-rc.d"
KEPT = POLICY + ".before-selfhost"
POLICY_TEXT = """\
#!/bin/sh
# Ansible managed
# Services start when they are configured, not when their packages are installed. This holds for as long as
# the installation runs; the next run of the playbook removes the file where that was killed.
flock --nonblock --conflict-exit-code 101 @lock@ true
[ $? != 101 ] || exit 101
[ ! -x @kept@ ] || exec @kept@ "$@"
"""
ANSIBLE_POLICY = b"#!/bin/sh\nexit 101\n"  # of Ansible's own module, which leaves it behind when it is killed

QUERY = "${db:Status-Abbrev}\t${Package}\t${Architecture}\t${Version}\t${Provides}\n"
HALF = "UFHWt"  # unpacked, half configured, half installed, waiting for a trigger
OPTIONS = ["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"]
ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "APT_LISTCHANGES_FRONTEND": "none", "LC_ALL": "C"}
FRESH = 3600  # seconds for which the lists of packages are good

LOCKED = re.compile("Could not get lock|Unable to (acquire|lock)")
SPOILT = re.compile(r"dpkg-deb: error|lzma error|unexpected end of file")
FULL = re.compile("No space left on device|enough free space")
ADVICE = (
    (FULL.pattern, "A disk of this host is full. Make room (`df -h` shows where)"),
    ("resolving|[Cc]ould ?n.t connect|[Uu]nable to connect|unreachable|timed out|Failed to fetch|Unable to locate",
     "The host does not get them from its package mirror. Check its network, and the sources in /etc/apt"),
    ("", "Put right what apt complains of"),
)
FAILED = "The packages %s are not installed on this host: %s\n%s, then run the playbook again: it goes on from here."

OTHERS = (
    "The installation of %s was interrupted at some time and can't be brought to its end; nothing of what is asked "
    "for depends on that. What apt says: %s Put it right with `dpkg --configure -a` or `apt-get purge`."
)


class PackageError(Exception):
    """Why packages are not installed, what the host is like, and what to do."""


class Package(NamedTuple):
    """What dpkg says of a package."""

    state: str
    version: str

    def is_installed(self) -> bool:
        return self.state[1:2] == "i"

    def is_half(self) -> bool:
        return self.state[1:2] in HALF or self.state[2:3] == "R"


class Packages:
    """The packages of one host."""

    def __init__(self, module: AnsibleModule, patience: int) -> None:
        self.module = module
        self.end = time.monotonic() + patience
        self.known = self._look()

    def _look(self) -> dict:
        """What dpkg knows, by the names under which one can ask for it."""
        dummy, out, dummy = self.module.run_command(["dpkg-query", "-W", "-f", QUERY], check_rc=True)
        found = {}
        for line in out.splitlines():
            state, name, architecture, version, provides = line.split("\t")
            package = Package(state, version)
            found[name + ":" + architecture] = found[name] = package
            if package.is_installed():
                virtual = re.findall(r"(?:^|, )([^ ,]+)", provides)
                found.update({name: package for name in virtual if name not in found})
        return found

    def missing(self, names: list) -> list:
        """Those that are not installed, or not in the version that is asked for."""
        return [name for name in names if not self._has(name)]

    def _has(self, wanted: str) -> bool:
        name, dummy, version = wanted.partition("=")
        package = self.known.get(name)
        return bool(package and package.is_installed() and fnmatch.fnmatch(package.version, version or "*"))

    def is_interrupted(self) -> bool:
        """Whether an installation has not come to its end."""
        return bool(os.listdir(JOURNAL)) or any(package.is_half() for package in self.known.values())

    def complete(self, names: list) -> None:
        """Ends an interrupted installation, and installs what is missing."""
        make_folders(BEGUN)
        with self.alone() as lock, services_stay_down():
            self.known = self._look()  # somebody else may have been at work until now
            if self.is_interrupted():
                self._run(["dpkg", "--force-confdef", "--force-confold", "--configure", "-a"], lock)
                self.known = self._look()
            if self.missing(names) or self.is_interrupted():
                self._install(self.missing(names), lock)

    @contextlib.contextmanager
    def alone(self):
        """No other run, and no other package manager, is at work."""
        with locked(OWN_LOCK, max(0, self.end - time.monotonic())) as lock:
            self._wait_for_others()
            yield lock

    def _wait_for_others(self) -> None:
        for path in filter(os.path.exists, LOCKS):
            while not is_free(path):
                if time.monotonic() > self.end:
                    raise PackageError(
                        "%s is locked by %s. Wait until that has ended, then run the playbook again. "
                        "Nothing was installed." % (path, holder_of(path))
                    )
                time.sleep(0.5)

    def _install(self, names: list, lock: int) -> None:
        """With new lists where the old ones don't do, and without what an interrupted download has spoilt."""
        argv = ["apt-get", "install", "--fix-broken", "--yes", "--no-install-recommends", *OPTIONS, *names]
        fresh = lists_are_fresh()
        problem = "" if fresh else self._update(lock)
        code, said = self._run(argv, lock)
        spoilt = code and SPOILT.search(said)
        if spoilt:
            self._run(["apt-get", "clean"], lock)
        if spoilt or (code and fresh and not FULL.search(said)):
            problem = self._update(lock)
            code, said = self._run(argv, lock)
        self.known = self._look()
        if self.missing(names):
            raise PackageError(failure(self.missing(names), "%s\n%s" % (problem, said)))
        if self.is_interrupted():
            self.module.warn(OTHERS % (", ".join(self.half()), said))

    def half(self) -> list:
        """The packages whose installation has not come to its end."""
        return sorted(name for name, package in self.known.items() if package.is_half() and ":" not in name)

    def _update(self, lock: int) -> str:
        """Fetches the lists; what went wrong with it, which may not matter for what is to be installed."""
        code, said = self._run(["apt-get", "update", "-o", "APT::Update::Error-Mode=any"], lock)
        return said if code else ""

    def _run(self, argv: list, lock: int) -> tuple:
        """A command that inherits the lock, once nobody else is at work; its exit code and the errors it has."""
        while True:
            self._wait_for_others()
            code, out, err = self.module.run_command(argv, environ_update=ENVIRONMENT, pass_fds=[lock])
            if not code or not LOCKED.search(err) or time.monotonic() > self.end:
                lines = re.findall(r"(?m)^(?:E:|W:|Err:|dpkg).*", out + "\n" + err)
                return code, "\n".join(lines[-12:] or err.strip().splitlines()[-12:])


def failure(names: list, said: str) -> str:
    """Says which packages are missing, why, and what to do."""
    advice = next(text for pattern, text in ADVICE if re.search(pattern, said))
    return FAILED % (", ".join(names), said.strip(), advice)


def lists_are_fresh() -> bool:
    """Whether the lists were fetched a short time ago. Who empties their folder makes it look like that, too."""
    return time.time() - os.stat(LISTS).st_mtime < FRESH


def is_free(path: str) -> bool:
    """Whether no package manager holds a lock of this path."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)


def holder_of(path: str) -> str:
    """The program that holds a lock, as the kernel knows it."""
    with open("/proc/locks", encoding="ascii") as file:
        found = re.search(r"WRITE (\d+) \S+:%d " % os.stat(path).st_ino, file.read())
    if not found:
        return "another program"
    with contextlib.suppress(OSError), open("/proc/%s/comm" % found.group(1), encoding="utf-8") as file:
        return "%s (process %s)" % (file.read().strip(), found.group(1))
    return "process %s" % found.group(1)


@contextlib.contextmanager
def services_stay_down():
    """No package starts its service meanwhile. Where the host has a policy of its own, that one comes back."""
    remove_policy()
    if os.path.lexists(POLICY):
        os.rename(POLICY, KEPT)
    try:
        text = POLICY_TEXT.replace("@lock@", OWN_LOCK).replace("@kept@", KEPT)
        write_file(POLICY, text.encode(), 0o755)
        yield
    finally:
        remove_policy()


def has_left_policy() -> bool:
    """Whether a killed installation has left its policy behind, or has taken the host's away."""
    return os.path.lexists(KEPT) or _is_left_behind()


def remove_policy() -> None:
    """Puts the host's own policy back, which mostly is none; one that came in the meantime stays."""
    if _is_left_behind():
        os.unlink(POLICY)
    if os.path.lexists(KEPT) and os.path.lexists(POLICY):
        os.unlink(KEPT)
    elif os.path.lexists(KEPT):
        os.rename(KEPT, POLICY)


def _is_left_behind() -> bool:
    if not os.path.isfile(POLICY):
        return False
    with open(POLICY, "rb") as file:
        text = file.read()
    return text == ANSIBLE_POLICY or OWN_LOCK.encode() in text
