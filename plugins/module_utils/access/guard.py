# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes of the ways into a host, which the host takes back by itself unless they are confirmed.

The folder of the guard is in one of these states, and each step from one to the next is one rename, so that
a confirmation and a deadline that come at the same time can't both win:

    armed      a change was made; `files.tar` has what was there before
    reverting  the deadline came, or the host was restarted: what was there before is brought back
    reverted   it is back
    confirmed  the change stays

Whoever takes a step holds the lock: a host does not go back in the middle of a change that is still being made.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shlex
import shutil
import tarfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import make_folders, sync_folder, write_file

UNIT = "selfhost-guard"
FOLDER = "/var/lib/selfhost/guard"

REVERT = """\
#!/bin/sh
# Puts sshd, the firewall and the administrators' keys back as they were before a change that nobody confirmed.
set -u
cd @folder@ || exit 1
# Who makes a change starts the clock again at each step, which ends this program while it waits here.
exec 9<>lock
flock -w @deadline@ 9 || { kill -KILL "$(cat lock)"; flock 9; }
echo $$ >lock
mv -T armed reverting 2>/dev/null
[ -d reverting ] || exit 0  # it was confirmed in the meantime
. ./reverting/before
if [ "$FIREWALL" = inactive ]; then
    ufw --force disable
    eval "${POLICIES-}"
fi
tar -xpf reverting/files.tar -C /
eval "${MEMBERS-}"
xargs -0 -r rm -f -- <reverting/absent
sync
systemctl daemon-reload
[ "$FIREWALL" != active ] || ufw reload || ufw --force enable
eval "${RULES-}"
if [ "$LISTENER" = ssh.socket ]; then
    systemctl stop ssh.service
    systemctl restart ssh.socket
else
    systemctl reset-failed ssh.service 2>/dev/null
    systemctl restart ssh.service
fi
rm -rf reverted
mv -T reverting reverted
systemctl stop @unit@.timer
"""

SERVICE = """\
# Ansible managed
# Started by the timer of this name; at boot, if the host went down before the change was confirmed.
[Unit]
Description=Take back a change of sshd or the firewall that nobody confirmed
ConditionPathExists=|@folder@/armed
ConditionPathExists=|@folder@/reverting
After=ssh.service ssh.socket ufw.service
StartLimitIntervalSec=0

[Service]
Type=oneshot
ExecStart=/bin/sh @folder@/revert
SuccessExitStatus=SIGTERM

[Install]
WantedBy=multi-user.target
"""

TIMER = """\
# Ansible managed
[Unit]
Description=How long a change of sshd or the firewall may stay unconfirmed
StartLimitIntervalSec=0

[Timer]
OnActiveSec=@deadline@s
AccuracySec=1s
"""


class Guard:
    """The guard of one host."""

    def __init__(self, module: AnsibleModule, folder: str, units: str = "/etc/systemd/system") -> None:
        self.module = module
        self.folder = folder
        self.units = units
        self.lock = -1

    def own(self, name: str) -> str:
        """A path in the guard's folder."""
        return os.path.join(self.folder, name)

    def pending(self, token: str = "") -> bool:
        """Whether there is a change that was not confirmed yet, or whether this one was not."""
        if token:
            return self.fate(token) in ("armed", "reverting")
        return self.armed() or os.path.isdir(self.own("reverting"))

    def armed(self) -> bool:
        """Whether the host would take a change back."""
        return os.path.isdir(self.own("armed"))

    def hold(self) -> None:
        """Nobody else takes a step until release() or the end of the process; what they began is done.

        Programs that are started meanwhile don't inherit the lock.
        """
        make_folders(self.folder, 0o700)
        self._lock()
        while os.path.isdir(self.own("reverting")):
            self.release()
            self.revert()
            self._lock()

    def _lock(self) -> None:
        self.lock = os.open(self.own("lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        os.ftruncate(self.lock, 0)
        os.write(self.lock, b"%d\n" % os.getpid())

    def release(self) -> None:
        """Others may take their steps."""
        if self.lock >= 0:
            os.close(self.lock)
        self.lock = -1

    def arm(self, paths: list, before: dict, deadline: int) -> str:
        """Starts the clock and keeps what is there, by who holds the lock; what names this change later.

        Where the last change was not confirmed, what was there before that one is what counts.
        """
        token = secrets.token_hex(8)
        self._write_units(deadline)
        if not self._restart_timer():
            self.module.fail_json(
                msg="Nothing was changed: %s.timer does not start. See `journalctl -u %s.timer`, and run the playbook "
                "again." % (UNIT, UNIT)
            )
        if self.armed():
            self._keep_also(paths, {name: before.get(name, "") for name in ("MEMBERS", "RULES")})
            with open(self.own("armed/tokens"), "a", encoding="ascii") as file:
                file.write(token + "\n")
        else:
            self._keep(paths, before, token)
        return token

    def start_clock(self) -> bool:
        """The deadline counts from now on, also where it had just passed; whether the change is still guarded."""
        return self._restart_timer() and self.armed()

    def _restart_timer(self) -> bool:
        code, dummy, dummy = self.module.run_command(["systemctl", "restart", UNIT + ".timer"])
        self._systemctl("stop", UNIT + ".service")  # it could only wait for the lock
        return code == 0

    def confirm(self, token: str) -> str:
        """Lets the change be for good, by who holds the lock; what became of it.

        Only the last of several unconfirmed changes was proven to work together with the others.
        """
        armed = self._tokens("armed")
        if token in armed[:-1]:
            return "unproven"
        if token not in armed:
            return self.fate(token)
        self._forget("confirmed")
        os.sync()  # ufw does not see to its files itself
        os.rename(self.own("armed"), self.own("confirmed"))
        sync_folder(self.folder)
        self._systemctl("stop", UNIT + ".timer")
        for name in ("confirmed", "reverted"):  # with private keys in it
            if os.path.exists(self.own(name + "/files.tar")):
                os.unlink(self.own(name + "/files.tar"))
        return "confirmed"

    def fate(self, token: str) -> str:
        """What became of a change, as far as the host knows."""
        states = ("armed", "reverting", "reverted", "confirmed")
        return next((state for state in states if token in self._tokens(state)), "unknown")

    def revert(self, token: str = "") -> bool:
        """Takes the change back now, by who does not hold the lock; whether there was one.

        With a token, it is this change and those since then, and not one of somebody else alone.
        """
        pending = self.pending(token)
        if pending:
            self._systemctl("start", UNIT + ".service")
        if self.pending(token):
            self.module.fail_json(
                msg="The old configuration of sshd and the firewall could not be restored. It is in %s; "
                "see `journalctl -u %s` for the reason, and unpack it there as root." % (self.own("reverting/files.tar"), UNIT)
            )
        return pending

    def _keep(self, paths: list, before: dict, token: str) -> None:
        """Copies the files, and notes which were not there, before anything says so."""
        self._forget("arming")
        os.mkdir(self.own("arming"), 0o700)
        with tarfile.open(self.own("arming/files.tar"), "w") as archive:
            for path in filter(os.path.lexists, paths):
                archive.add(path, arcname=path.lstrip("/"))
        absent = "".join(path + "\0" for path in paths if not os.path.lexists(path))
        lines = "".join("%s=%s\n" % (name, shlex.quote(value)) for name, value in sorted(before.items()))
        for name, text in (("absent", absent), ("before", lines), ("tokens", token + "\n")):
            write_file(self.own("arming/" + name), text.encode(), 0o600)
        os.sync()
        os.rename(self.own("arming"), self.own("armed"))
        sync_folder(self.folder)

    def _keep_also(self, paths: list, commands: dict) -> None:
        """Copies what the changes before had no reason to touch, such as another application's keys."""
        archive, absent = self.own("armed/files.tar"), self.own("armed/absent")
        with tarfile.open(archive) as kept, open(absent, encoding="utf-8") as file:
            known, gone = {"/" + name for name in kept.getnames()}, file.read()
        new = [path for path in paths if path not in known.union(gone.split("\0"))]
        shutil.copy2(archive, archive + ".new")
        with tarfile.open(archive + ".new", "a") as more:
            for path in filter(os.path.lexists, new):
                more.add(path, arcname=path.lstrip("/"))
        os.replace(archive + ".new", archive)
        gone += "".join(path + "\0" for path in new if not os.path.lexists(path))
        write_file(absent, gone.encode(), 0o600)
        with open(self.own("armed/before"), "a", encoding="utf-8") as file:
            file.write("".join("%s=${%s-}%s\n" % (name, name, shlex.quote(text)) for name, text in commands.items()))
        os.sync()

    def _write_units(self, deadline: int) -> None:
        """The program and its units; at boot, the service runs where a change is pending."""
        texts = {
            self.own("revert"): (REVERT, 0o700),
            os.path.join(self.units, UNIT + ".service"): (SERVICE, 0o644),
            os.path.join(self.units, UNIT + ".timer"): (TIMER, 0o644),
        }
        words = {"@folder@": self.folder, "@unit@": UNIT, "@deadline@": str(deadline)}
        for path, (text, mode) in texts.items():
            for word, value in words.items():
                text = text.replace(word, value)
            write_file(path, text.encode(), mode)
        self._systemctl("daemon-reload")
        self._systemctl("enable", "--quiet", UNIT + ".service")

    def _tokens(self, state: str) -> list:
        """The changes that are in a state, in their order."""
        try:
            with open(self.own(state + "/tokens"), encoding="ascii") as file:
                return file.read().split()
        except FileNotFoundError:
            return []

    def _forget(self, *names: str) -> None:
        for name in names:
            shutil.rmtree(self.own(name), ignore_errors=True)

    def _systemctl(self, *words: str) -> None:
        self.module.run_command(["systemctl", *words], check_rc=True)
