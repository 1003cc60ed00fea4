# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways into one host, by sshd, the firewall and keys: how they are, how they should be, and the change.

It is made under the guard, so that the host takes it back unless somebody proves that he can log in.
"""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.access import firewall, sshd, sshd_exceptions, sshd_match
from ansible_collections.selfhost.flask.plugins.module_utils.access.admins import Admins, Refused
from ansible_collections.selfhost.flask.plugins.module_utils.access.foreign_rules import ForeignRules
from ansible_collections.selfhost.flask.plugins.module_utils.access.guard import UNIT, Guard
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import write_file
from ansible_collections.selfhost.flask.plugins.module_utils.host.accounts import content


class Access:
    """The ways into one host: as they are, and as they should be."""

    foreign: ForeignRules | None = None

    def __init__(self, module: AnsibleModule, guard: Guard) -> None:
        self.module = module
        self.params = module.params
        self.guard = guard
        self.admins = Admins(module)
        self.config = sshd.supported(module, module.params["sshd_config"])
        self.unit = sshd.listener(module)
        self.ports = sshd.listening_ports(module, self.unit)
        wanted = module.params["firewall"]["enabled"]
        self.has_ufw = wanted and shutil.which("ufw", path="/usr/sbin:/sbin:" + os.environ.get("PATH", "")) is not None
        self.keys = sshd.needed_keys(module)
        self.rules = {}
        if wanted and module.params["firewall"]["take_over"]:
            self.foreign = ForeignRules(module.run_command)
        self._look_at_files()

    def _look_at_files(self) -> None:
        self.files = self._files()
        # ufw shows them by its settings, so before these change.
        self.without_ipv6 = self._rules() if firewall.DEFAULTS in self.files else {}

    def _files(self) -> dict:
        """(old, new) content of each file that is not as it should be."""
        port = self.params["port"]
        wanted = {self.params["sshd_path"]: self.config}
        main = content(sshd_match.MAIN)
        if main is not None:
            wanted[sshd_match.MAIN] = sshd.with_part(main, self.params["main_config"])
        if self.unit == "ssh.socket":
            wanted[sshd.SOCKET_DROP_IN] = sshd.SOCKET % port if port else None
        moduli = content(sshd.MODULI)
        if moduli is not None:
            wanted[sshd.MODULI] = sshd.strong_moduli(moduli, self.params["moduli_bits"]) or moduli
        if self.has_ufw:
            wanted[firewall.DEFAULTS] = firewall.with_ipv6(content(firewall.DEFAULTS) or "")
        wanted.update(self.admins.files())
        found = {path: (content(path), text) for path, text in wanted.items()}
        return {path: (old, new) for path, (old, new) in found.items() if old != new}

    def firewall_commands(self, ports: list) -> list:
        """The commands that ufw still needs, for sshd at these ports."""
        options = self.params["firewall"]
        if not options["enabled"]:
            return []
        if not self.has_ufw and not self.module.check_mode:
            raise Refused("ufw is not installed: run `selfhost.flask.site` without --tags")
        try:
            wanted = firewall.wanted_rules(options, ports)
        except ValueError as error:  # no network, which its pattern does not tell
            raise Refused(error) from error
        self.rules = self._rules()
        commands = firewall.rule_commands(self.rules, wanted, options["owner"])
        commands = firewall.both_families(self.without_ipv6, commands) + commands
        commands += firewall.policy_commands(content(firewall.DEFAULTS) or "", options["outgoing_policy"])
        commands += [] if self.firewall_state() == "active" else [["ufw", "--force", "enable"]]
        return commands + (self.foreign.commands() if self.foreign else [])

    def _rules(self) -> dict:
        if not self.has_ufw:
            return {}
        return firewall.rules_of(self._run(["ufw", "show", "added"]))

    def firewall_state(self) -> str:
        """Whether ufw is at work."""
        if not self.has_ufw:
            return "none"
        return "active" if "Status: active" in self._run(["ufw", "status"]) else "inactive"

    def wanted_settings(self) -> dict:
        """What sshd would say if there were only our drop-in."""
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
            file.write(self.config)
            file.write("\nAuthorizedKeysCommandUser root\n")  # sshd refuses the command without; others may have it
            file.flush()
            return sshd.effective(self.module, self.params["user"], file.name)

    def effective(self) -> dict:
        """What sshd says, with all its files."""
        return sshd.effective(self.module, self.params["user"])

    def check_overrides(self, wanted: dict) -> None:
        """Refuses a configuration that another file makes void."""
        problems = sshd.overridden(self.config, wanted, self.effective())
        if problems:
            raise Refused(
                "sshd would not do %s: another file in /etc/ssh says otherwise. Remove these settings there"
                % ", ".join(problems)
            )

    def warnings(self, wanted: dict, ports: list) -> list:
        """What others left open, for a person to judge."""
        exceptions = sshd_exceptions.exceptions(wanted)
        limited = self.params["firewall"]["enabled"] and self.params["firewall"]["ssh_limit"]
        void = firewall.void_limits(self.module, self.rules, ports) if limited else []
        return [
            "sshd lets some in otherwise than all the others: %s has `%s`, and in it %s. Remove that, unless you mean "
            "it." % about
            for about in exceptions
        ] + [
            "`%s` comes first for everybody, so that `%s` does not limit password guessers. Remove it with "
            "`sudo ufw delete %s`, or set hardening_ssh_limit to false."
            % (shlex.join(("ufw", *rule)), shlex.join(("ufw", *limit)), shlex.join(rule))
            for limit, rule in void
        ]

    def check_users(self, wanted: dict) -> None:
        """Refuses a configuration that shuts somebody out who is let in today."""
        before = self.effective()
        elsewhere = sshd.unknown_users(self.config, before, wanted)
        if elsewhere:
            raise Refused(
                "sshd takes keys by %s, and could shut out users who log in by these today: only members of the groups "
                "in hardening_ssh_groups could log in any more. Set it to [] to let all of them in. Where nobody else "
                "needs to, name %s in hardening_ssh_settings, as it is or as none"
                % (" and ".join(elsewhere), " and ".join(setting.split()[0] for setting in elsewhere))
            )
        found = sshd.shut_out(self.module, before, wanted)
        if found:
            raise Refused(
                "it would shut out users who log in by key today: %s. Add them to a group of "
                "hardening_ssh_groups or list one of theirs in it, give them another key or set hardening_ssh_settings "
                "(such as RequiredRSASize: 2048), or remove their authorized_keys"
                % "; ".join("%s %s" % item for item in sorted(found.items()))
            )

    def apply(self) -> tuple:
        """Makes the changes, guarded; the token, the ports and what was done to the firewall.

        Who calls it holds the lock. The deadline counts from the last step.
        """
        wanted = self.wanted_settings()
        self._make_accounts()
        self.check_users(wanted)
        new_keys = {kind: sshd.make_key(self.module, kind) for kind in self.keys}
        before = dict(LISTENER=self.unit, FIREWALL=self.firewall_state())
        if before["FIREWALL"] == "inactive":
            before["POLICIES"] = firewall.policies(self.module)
        farewells = self.admins.farewells()
        before["RULES"] = self.foreign.restoring() if self.foreign else ""
        before["MEMBERS"] = "".join("gpasswd -a %s %s; " % tuple(command[2:]) for command in farewells)
        token = self.guard.arm(self._guarded_paths(), before, self.params["deadline"])
        try:
            self._write(new_keys)
            self.admins.run(farewells)
            self.check_overrides(wanted)
            if before["FIREWALL"] == "active" and firewall.DEFAULTS in self.files:
                self._step()
                self._run(["ufw", "reload"])  # ufw refuses to work where it has no chains for IPv6 yet
            ports = self._future_ports()
            commands = self.firewall_commands(ports)
            for command in commands:
                self._step()
                self._run(command)
            self._step()
            self._put_into_effect()
            self._step()
        except (Refused, OSError) as error:
            self.guard.release()
            self.guard.revert()
            raise Refused(str(error)) from error
        return token, ports, commands

    def _make_accounts(self) -> None:
        """An account by itself opens nothing; nobody is shut out of a group that he is about to be in."""
        self.admins.check_sudoers()
        self.admins.run(self.admins.accounts())
        self._look_at_files()

    def _step(self) -> None:
        """Nothing is changed any more where the host could not take it back."""
        if not self.guard.start_clock():
            raise Refused("nothing would undo the change any more (see `journalctl -u %s.timer`)" % UNIT)

    def _guarded_paths(self) -> list:
        keys = [path + suffix for path in sshd.KEYS.values() for suffix in ("", ".pub")]
        ours = [self.params["sshd_path"], sshd_match.MAIN, sshd.SOCKET_DROP_IN, sshd.MODULI]
        return [*ours, *keys, *firewall.FILES, *self.admins.guarded()]

    def _write(self, new_keys: dict) -> None:
        for path, (dummy, new) in self.files.items():
            if new is None:
                os.unlink(path)
            else:
                write_file(path, new.encode(errors="surrogateescape"), *self._place(path))
        for kind, path in new_keys.items():
            os.replace(path, sshd.KEYS[kind])
            os.replace(path + ".pub", sshd.KEYS[kind] + ".pub")
        self._run(["sshd", "-t"])

    def _place(self, path: str) -> tuple:
        """The mode and the owner of a file, whose folder is made."""
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        mode = stat.S_IMODE(os.stat(path).st_mode) if os.path.exists(path) else 0o644
        return self.admins.place(path) or (mode, 0, 0)

    def _future_ports(self) -> list:
        """Where sshd will listen once the new configuration is in effect."""
        if self.unit == "ssh.socket":
            self._run(["systemctl", "daemon-reload"])
            return sshd.socket_ports(self.module)
        return sorted({int(port) for port in self.effective()["port"]})

    def _put_into_effect(self) -> None:
        """Sessions stay; connections that come in meanwhile wait where systemd listens."""
        if self.unit == "ssh.service":
            self._run(["systemctl", "reload-or-restart", "ssh.service"])
        elif sshd.SOCKET_DROP_IN in self.files:
            self._run(["systemctl", "stop", "ssh.service"])
            self._run(["systemctl", "restart", "ssh.socket"])
        else:
            self._run(["systemctl", "try-restart", "ssh.service"])

    def _run(self, command: list) -> str:
        code, out, err = self.module.run_command(command)
        if code:
            said = (shlex.join(command), code, (err or out).strip())
            raise Refused("`%s` failed (exit code %d): %s" % said)
        return out

    def diff(self, commands: list) -> list:
        """What changes, for a person to read."""
        found = [
            dict(before_header=path, after_header=path, before=shown(old), after=shown(new))
            for path, (old, new) in self.files.items()
            if path != sshd.MODULI and not path.startswith(self.admins.folder)
        ]
        notes = ["new host key: %s" % sshd.KEYS[kind] for kind in self.keys]
        notes += [shlex.join(command) for command in self.admins.accounts() + self.admins.farewells()]
        notes += ["short moduli removed"] if sshd.MODULI in self.files else []
        text = "".join(line + "\n" for line in notes + commands)
        return found + ([dict(prepared=text)] if text else [])


def shown(text: str | None) -> str:
    """A file's text for a person, whatever it is encoded in."""
    return (text or "").encode(errors="surrogateescape").decode(errors="replace")
