# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an application leaves behind in the firewall and to its administrators when it leaves the host.

Whom and what other applications need as well, stays theirs. What the last one leaves is the host's: somebody has to get in.
"""

from __future__ import annotations

import os
import shlex
import shutil
from typing import NamedTuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.access import firewall
from ansible_collections.selfhost.flask.plugins.module_utils.access.admins import HOST, Admins, Refused
from ansible_collections.selfhost.flask.plugins.module_utils.access.guard import FOLDER, Guard
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import write_file, write_json
from ansible_collections.selfhost.flask.plugins.module_utils.common.part import Part
from ansible_collections.selfhost.flask.plugins.module_utils.host.accounts import content


class Parting(NamedTuple):
    """What is taken away, or becomes the host's, in words and as it is done."""

    words: list
    notes: list  # what people have to know of it
    stays: list  # what becomes the host's
    commands: list  # of ufw
    admins: Admins

    def make(self) -> None:
        """Refused where the host does not do it."""
        guard = Guard(self.admins.module, FOLDER)
        guard.hold()
        try:
            if guard.pending():
                raise Refused("a change of sshd or the firewall is not confirmed yet. Wait a minute")
            self.admins.run(self.commands + (self.admins.farewells() if self.admins.others else []))
            take_leave(self.admins)
        finally:
            guard.release()


def parting_of(module: AnsibleModule, owner: str) -> Parting:
    """What an application has in the firewall, and gives to administrators."""
    options = dict(owner=owner, users=[], groups=[], login_keys="", sudoers="")
    admins = Admins(Part(module, "", {"admins": options}))
    commands = firewall.farewell_commands(rules(module), owner, is_last=not admins.others)
    words = list(map(in_words, commands))
    words += ["file %s" % path for path in admins.own_paths() if os.path.exists(path)]
    if admins.others:
        return Parting(words, admins.notes(), [], commands, admins)
    stays = ["the administrators %s, who are the host's now" % " and ".join(admins.left)] if admins.left else []
    return Parting(words, [], stays, commands, admins)


def in_words(command: list) -> str:
    """The rule that a command of ufw's takes away, or leaves to others."""
    if "delete" in command:
        return "firewall rule `%s`" % shlex.join(command[3:])
    return "its need of the firewall rule `%s`" % shlex.join(command[1 : command.index("comment")])


def rules(module: AnsibleModule) -> dict:
    """The firewall's rules; none where there is no firewall."""
    if not shutil.which("ufw", path="/usr/sbin:/sbin:" + os.environ.get("PATH", "")):
        return {}
    return firewall.rules_of(module.run_command(["ufw", "show", "added"], check_rc=True)[1])


def take_leave(admins: Admins) -> None:
    """Takes away what nobody else gives; the record goes last, which says what is left to be done."""
    record, sudoers = admins.own_paths()
    if admins.others:
        for path, text in admins.files().items():
            if path not in (record, sudoers) and text is not None:
                write_file(path, text.encode(errors="surrogateescape"), *admins.place(path))
    elif os.path.exists(sudoers):
        heir_record, heir_sudoers = admins.own_paths(HOST)
        write_json(heir_record, admins.own or {name: {"keys": [], "groups": []} for name in admins.left})
        write_file(heir_sudoers, (content(sudoers) or "").encode(), 0o440, 0, 0)
    for path in filter(os.path.exists, (sudoers, record)):
        os.unlink(path)
