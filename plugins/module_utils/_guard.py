# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes of the ways into a host, which the host takes back by itself unless they are confirmed.

The folder of the guard is in one of these states, and each step from one to the next is one rename, so that
a confirmation and a deadline that come at the same time can't both win:

    armed      a change was made; `files.tar` has what was there before
    reverting  the deadline came, or the host was restarted: what was there before is brought back
    reverted   it is back
    (nothing)  the change was confirmed, or there never was one
"""

from __future__ import annotations

import os
import secrets
import shutil
import tarfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils._files import sync_folder, write_file

UNIT = "selfhost-guard"

REVERT = """\
#!/bin/sh
# Puts sshd and the firewall back as they were before a change that nobody confirmed.
set -u
cd @folder@ || exit 1
mv -T armed reverting 2>/dev/null
[ -d reverting ] || exit 0  # it was confirmed in the meantime
. ./reverting/before
[ "$FIREWALL" != inactive ] || ufw --force disable
tar -xpf reverting/files.tar -C /
xargs -0 -r rm -f -- <reverting/absent
sync
systemctl daemon-reload
[ "$FIREWALL" != active ] || ufw reload || ufw --force enable
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

[Service]
Type=oneshot
ExecStart=/bin/sh @folder@/revert

[Install]
WantedBy=multi-user.target
"""

TIMER = """\
# Ansible managed
[Unit]
Description=How long a change of sshd or the firewall may stay unconfirmed

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

    def own(self, name: str) -> str:
        """A path in the guard's folder."""
        return os.path.join(self.folder, name)

    def pending(self) -> bool:
        """Whether there is a change that was not confirmed yet."""
        return os.path.isdir(self.own("armed")) or os.path.isdir(self.own("reverting"))

    def arm(self, paths: list, before: dict, deadline: int) -> str:
        """Keeps what is there, and starts the clock; what names this change in a confirmation.

        Where the last change was not confirmed, what was there before that one is what counts.
        """
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        if os.path.isdir(self.own("reverting")):
            self.revert()
        if not self.pending():
            self._keep(paths, before)
        token = secrets.token_hex(8)
        with open(self.own("armed/tokens"), "a", encoding="ascii") as file:
            file.write(token + "\n")
        self._write_units(deadline)
        self.start_clock()
        return token

    def start_clock(self) -> None:
        """The deadline counts from now on."""
        self._systemctl("restart", UNIT + ".timer")

    def confirm(self, token: str) -> bool:
        """Whether the change stays; it does not where it was taken back before."""
        try:
            os.rename(self.own("armed"), self.own("confirmed"))
        except FileNotFoundError:
            return not self.pending() and token not in self._reverted()
        self._systemctl("stop", UNIT + ".timer")
        self._forget("confirmed", "reverted")
        return True

    def revert(self) -> bool:
        """Takes the change back now; whether there was one."""
        pending = self.pending()
        if pending:
            self._systemctl("start", UNIT + ".service")
        if self.pending():
            self.module.fail_json(
                msg="The old configuration of sshd and the firewall could not be brought back. It is in %s; "
                "`journalctl -u %s` says why." % (self.own("reverting/files.tar"), UNIT)
            )
        return pending

    def _keep(self, paths: list, before: dict) -> None:
        """Copies the files, and notes which were not there, before anything says so."""
        self._forget("arming", "confirmed")
        os.mkdir(self.own("arming"), 0o700)
        with tarfile.open(self.own("arming/files.tar"), "w") as archive:
            for path in filter(os.path.lexists, paths):
                archive.add(path, arcname=path.lstrip("/"))
        absent = "".join(path + "\0" for path in paths if not os.path.lexists(path))
        lines = "".join("%s=%s\n" % item for item in sorted(before.items()))
        for name, text in (("absent", absent), ("before", lines)):
            write_file(self.own("arming/" + name), text.encode(), 0o600)
        os.sync()
        os.rename(self.own("arming"), self.own("armed"))
        sync_folder(self.folder)

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

    def _reverted(self) -> list:
        """The changes that were taken back last."""
        try:
            with open(self.own("reverted/tokens"), encoding="ascii") as file:
                return file.read().split()
        except FileNotFoundError:
            return []

    def _forget(self, *names: str) -> None:
        for name in names:
            shutil.rmtree(self.own(name), ignore_errors=True)

    def _systemctl(self, *words: str) -> None:
        self.module.run_command(["systemctl", *words], check_rc=True)
