# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The administrators of one host: their accounts, keys and sudo.

Each application has a record of what it gave to whom. A key that leaves its list, or an administrator who does,
loses what no other application gives. What a person did on the host by hand stays.
"""

from __future__ import annotations

import glob
import json
import os
import pwd
import re
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.access.ssh_keys import edited, key_of, short
from ansible_collections.selfhost.flask.plugins.module_utils.access.sshd import NO_SHELLS
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import make_folders, write_file
from ansible_collections.selfhost.flask.plugins.module_utils.host.accounts import (
    content,
    find_group,
    find_user,
    is_member,
    keys_path,
)

FOLDER = "/var/lib/selfhost/admins"
SUDOERS = "/etc/sudoers.d/selfhost-admins"  # by itself, one for all applications of an earlier version
HOST = "_host"  # whose administrators are those of the last application that was removed; the next one takes them over
SUDO = re.compile(r"(?m)^\S+ ALL=\(ALL:ALL\) NOPASSWD: ALL\n")


class Refused(Exception):
    """Why a change is not made, or does not stay."""


class Admins:
    """What one application gives to its administrators, beside what others give."""

    def __init__(self, module: AnsibleModule, folder: str = FOLDER, sudoers: str = SUDOERS) -> None:
        options = module.params["admins"]
        self.module, self.folder, self.sudoers = module, folder, sudoers
        self.owner, self.text = options["owner"], options["sudoers"]
        self.groups = ["sudo"] + [name for name in options["groups"] if name != "sudo"]
        self.listed = {}
        for user in options["users"]:
            self.listed.setdefault(user["name"], []).extend(lines_of(user["ssh_keys"] or [], user["name"]))
        self.login = [line for line in options["login_keys"].splitlines() if key_of(line)]
        records = read_records(folder)
        self.own = {**records.pop(HOST, {}), **records.pop(self.owner, {})}
        self.others = records
        self.left = [name for name in self._known() if name not in self.listed and find_user(name)]
        self.missing = {name: self._missing_groups(name) for name in self.listed}

    def _known(self) -> list:
        """Who was an administrator of this application: by its record, or before there was one."""
        return list(dict.fromkeys([*self.own, *re.findall(r"(?m)^(\S+) ALL=", content(self._sudoers_path()) or "")]))

    def own_paths(self, owner: str = "") -> tuple:
        """The record and the sudoers of this application, or of another owner."""
        owner = owner or self.owner
        return os.path.join(self.folder, owner + ".json"), "%s-%s" % (self.sudoers, owner)

    def _sudoers_path(self) -> str:
        return self.own_paths()[1]

    def _missing_groups(self, name: str) -> list:
        return [group for group in self.groups if not is_member(name, group)]

    def accounts(self) -> list:
        """The commands that make the groups and the accounts what they should be."""
        commands = [["groupadd", "--system", name] for name in self.groups if not find_group(name)]
        for name, groups in self.missing.items():
            user = find_user(name)
            if user is None:
                group = ["-g", name] if find_group(name) else []
                commands.append(["useradd", "-m", "-s", "/bin/bash", *group, "-G", ",".join(groups), name])
            elif groups:
                commands.append(["usermod", "-a", "-G", ",".join(groups), name])
            if user is not None and user.pw_shell in NO_SHELLS:
                commands.append(["usermod", "-s", "/bin/bash", name])
        return commands

    def farewells(self) -> list:
        """The commands that take back the groups of those who left."""
        return [
            ["gpasswd", "-d", name, group]
            for name in self.left
            for group in self.own.get(name, {}).get("groups", [])
            if not self._givers(name) and is_member(name, group)
        ]

    def _givers(self, name: str, key: str = "") -> list:
        """The other applications that give a user something, or this key."""
        return [
            owner
            for owner, record in sorted(self.others.items())
            if name in record and (not key or key in record[name]["keys"])
        ]

    def files(self, final: bool = True) -> dict:
        """What each file should hold; before the end of a change, nobody loses anything."""
        wanted = {self._record_path(): self._record(final)}
        for name in [*self.listed, *self.left]:
            path = keys_path(name)
            old = content(path)
            new = edited(old or "", self._given(name), self._leaving(name) if final else [])
            if new != (old or ""):
                wanted[path] = new
        path = self._sudoers_path()
        staying = [] if final else [line for line in SUDO.findall(content(path) or "") if line not in self.text]
        wanted[path] = self.text + "".join(staying)
        if final:
            wanted.update(dict.fromkeys([self.sudoers, *self.own_paths(HOST)]))
        return wanted

    def _given(self, name: str) -> list:
        """The lines that a user's file should have; those of the login where it has no key at all."""
        given = self.listed.get(name, [])
        if given or name not in self.listed:
            return given
        return [] if any(map(key_of, (content(keys_path(name)) or "").splitlines())) else self.login

    def _leaving(self, name: str) -> list:
        """The keys that this application gave, and that nobody gives any more."""
        if name in self.listed and not self.listed[name]:
            return []  # the host's own file counts
        given = [key_of(line) for line in self._given(name)]
        recorded = self.own.get(name, {}).get("keys", [])
        return [key for key in recorded if key not in given and not self._givers(name, key)]

    def _record_path(self) -> str:
        return self.own_paths()[0]

    def _record(self, final: bool) -> str:
        """What this application gives, as its record says it."""
        names = [*self.listed] if final else [*self.listed, *self.left]
        return json.dumps({name: self._about(name, final) for name in names}, indent=2) + "\n"

    def _about(self, name: str, final: bool) -> dict:
        records = [record[name] for record in (self.own, *self.others.values()) if name in record]
        groups = {group for about in records for group in about["groups"]} | set(self.missing.get(name, []))
        keys = [key_of(line) for line in self._given(name)]
        if not final or not self.listed[name]:
            keys = self.own.get(name, {}).get("keys", []) + keys
        return {"keys": list(dict.fromkeys(keys)), "groups": sorted(groups)}

    def place(self, path: str) -> tuple:
        """The mode and the owner of a file, whose folder is made; nothing where it is none of these."""
        for name in [*self.listed, *self.left]:
            if path == keys_path(name):
                user = pwd.getpwnam(name)
                if not os.path.isdir(os.path.dirname(path)):
                    make_folders(os.path.dirname(path), 0o700)
                    os.chown(os.path.dirname(path), user.pw_uid, user.pw_gid)
                return 0o600, user.pw_uid, user.pw_gid
        if path == self._record_path():
            make_folders(self.folder, 0o700)
            return 0o600, 0, 0
        return (0o440, 0, 0) if path.startswith(self.sudoers) else ()

    def guarded(self) -> list:
        """All paths that a change of any application's administrators writes."""
        records = [self.own, *self.others.values(), self.listed]
        names = dict.fromkeys(name for record in records for name in record)
        paths = [self._record_path(), self.sudoers, self._sudoers_path()]
        paths += glob.glob(self.folder + "/*.json") + glob.glob(self.sudoers + "-*") + [keys_path(name) for name in names]
        return list(dict.fromkeys(paths))

    def check_sudoers(self) -> None:
        """Refuses names that sudo can't read."""
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
            file.write(self.text)
            file.flush()
            code, out, err = self.module.run_command(["visudo", "-c", "-f", file.name])
        if code:
            raise Refused("sudo could not read the administrators' names: %s" % (err or out).strip())

    def add(self) -> list:
        """Gives everything and takes nothing away; the paths that it wrote."""
        self.run(self.accounts())
        changes = self.changes()
        for path, text in changes.items():
            write_file(path, text.encode(errors="surrogateescape"), *self.place(path))
        return list(changes)

    def changes(self) -> dict:
        """The files that lack something."""
        return {path: text for path, text in self.files(final=False).items() if text != content(path)}

    def run(self, commands: list) -> None:
        """Runs commands for accounts, each of which has to succeed."""
        for command in commands:
            code, out, err = self.module.run_command(command)
            if code:
                raise Refused("`%s` failed (exit code %d): %s" % (" ".join(command), code, (err or out).strip()))

    def notes(self) -> list:
        """What a person should know: keys that stay, and who is no administrator any more."""
        return [note for name in self.listed for note in self._stays(name)] + [
            "%s is no longer an administrator, and loses the keys, the groups and the sudo that %s gave. The account "
            "stays%s. To remove it: `sudo userdel -r %s`." % (name, self.owner, self._remains(name), name)
            for name in self.left
            if not self._givers(name)
        ]

    def _stays(self, name: str) -> list:
        """The keys that open an account although this application's list of its keys does not have them.

        What another application lists is a surprise only in the run in which it left this list.
        """
        given = [key_of(line) for line in self.listed[name]]
        lines = (content(keys_path(name)) or "").splitlines() if given else []
        foreign = [line for line in lines if key_of(line) and key_of(line) not in given + self._leaving(name)]
        recorded = self.own.get(name, {}).get("keys", [])
        return [
            "%s also gets in by the key `%s`, which is not in the list of %s%s. Add it there, or remove it from %s."
            % (name, short(line), self.owner, self._by(name, key_of(line)), keys_path(name))
            for line in foreign
            if key_of(line) in recorded or not self._givers(name, key_of(line))
        ]

    def _by(self, name: str, key: str) -> str:
        givers = self._givers(name, key)
        return ", but in that of %s" % " and ".join(givers) if givers else " and was added by hand"

    def _remains(self, name: str) -> str:
        """What an account that has left still has."""
        lines = (content(keys_path(name)) or "").splitlines()
        keys = [short(line) for line in lines if key_of(line) and key_of(line) not in self._leaving(name)]
        leaving = [command[3] for command in self.farewells() if command[2] == name]
        groups = [group for group in self.groups if is_member(name, group) and group not in leaving]
        return (", is still in %s" % " and ".join(groups) if groups else "") + (
            ", and gets in by %s" % " and ".join("`%s`" % key for key in keys) if keys else ""
        )


def lines_of(entries: list, name: str) -> list:
    """The lines of public keys that an inventory gives a user."""
    lines = [line.strip() for entry in entries for line in entry.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    for number, line in enumerate(lines, 1):
        if not key_of(line):
            raise Refused("the %d. of the ssh_keys of %s is no public key" % (number, name))
    return lines


def read_records(folder: str) -> dict:
    """What each application gives to each user."""
    records = {}
    for path in sorted(glob.glob(os.path.join(folder, "*.json"))):
        with open(path, encoding="utf-8") as file:
            records[os.path.basename(path)[: -len(".json")]] = json.load(file)
    return records
