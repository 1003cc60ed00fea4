#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_access
short_description: Configures sshd and the firewall, and takes it back unless a login proves that it works
version_added: 0.1.0
description:
  - Compares sshd's drop-in, port, host keys and moduli and ufw's rules with what is asked for. Where nothing
    differs, nothing is done.
  - Otherwise it keeps what is there, starts a timer on the host, makes all the changes at once and puts them
    into effect. When the timer runs out, or the host is restarted, before O(state=confirmed) says that somebody
    could log in, the host brings back what was there before. It needs nobody for that.
  - sshd itself says what it would do. When a setting is overridden by another file, or when somebody who logs
    in by key today could not do so any more, nothing is changed.
author: The selfhost.flask developers (@selfhost)
attributes:
  check_mode:
    description: Says what would change.
    support: full
  diff_mode:
    description: Shows the files' old and new content, and the commands for the firewall.
    support: full
  idempotent:
    description: A second run changes nothing, once the change is confirmed.
    support: full
options:
  state:
    description:
      - V(applied) changes what differs, until further notice. V(confirmed) lets it be so for good, and
        fails where it was taken back already. V(reverted) takes it back now, and fails where it was confirmed.
      - Where somebody else changed something before the first change was confirmed, only the confirmation of
        the last one counts, for both. That of the first one is a warning.
    type: str
    choices: [applied, confirmed, reverted]
    default: applied
  token:
    description:
      - What V(applied) returned as RV(token). Required for O(state=confirmed). V(reverted) without one takes back
        whatever is not confirmed.
    type: str
  deadline:
    description: After how many seconds the host takes back a change that nobody confirmed.
    type: int
    default: 60
  sshd_path:
    description: Path of sshd's drop-in. It has to sort before others, because sshd takes the first value.
    type: path
    default: /etc/ssh/sshd_config.d/00-selfhost.conf
  sshd_config:
    description: What the drop-in holds. Required for O(state=applied).
    type: str
  port:
    description: The port for sshd. Without one, it is left to the host's other files.
    type: int
  moduli_bits:
    description: The shortest group for Diffie and Hellman that stays in C(/etc/ssh/moduli).
    type: int
    default: 3071
  user:
    description: A user who logs in, for sshd to say what it would do for them.
    type: str
    default: root
  firewall:
    description: What ufw should do. Required for O(state=applied).
    type: dict
    suboptions:
      owner:
        description: Who needs the rules. Those of others stay.
        type: str
        required: true
      incoming:
        description: What is open to everybody, such as V(443/tcp). The port of ssh always is.
        type: list
        elements: str
        default: []
      ssh_limit:
        description: Whether an address that opens more than five connections to ssh in 30 seconds has to wait.
        type: bool
        default: true
      outgoing_policy:
        description: What happens to connections that the host opens.
        type: str
        choices: [allow, deny, reject]
        default: allow
      outgoing:
        description: Where it may connect to if it may not do so in general, such as V(443/tcp) or V(53).
        type: list
        elements: str
        default: []
  folder:
    description: Where the host keeps what was there before.
    type: path
    default: /var/lib/selfhost/guard
"""

EXAMPLES = r"""
- name: Change sshd and the firewall until further notice
  selfhost.flask.host_access:
    sshd_config: "{{ lookup('ansible.builtin.template', 'sshd.conf.j2') }}"
    port: 2222
    firewall: {owner: blog, incoming: [80/tcp, 443/tcp]}
  register: change

- name: Prove that somebody can log in
  selfhost.flask.ssh_login:
    users: [deploy]
    ports: [2222]
    fresh: true
  when: change is changed

- name: Let it be so for good
  selfhost.flask.host_access:
    state: confirmed
    token: "{{ change.token }}"
  when: change is changed
"""

RETURN = r"""
token:
  description: What names the change in its confirmation. Empty where nothing was changed.
  type: str
  returned: when O(state=applied)
  sample: 5bd1e995d3f0c2a1
ports:
  description: The ports at which sshd listens now.
  type: list
  elements: int
  returned: when O(state=applied)
  sample: [22]
port_changed:
  description: Whether sshd listened at other ones before.
  type: bool
  returned: when O(state=applied)
firewall_commands:
  description: The commands that changed the firewall, or would.
  type: list
  elements: str
  returned: when O(state=applied)
  sample: [ufw allow 443/tcp comment selfhost:blog]
"""

import os
import shlex
import shutil
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils import _firewall, _sshd
from ansible_collections.selfhost.flask.plugins.module_utils._files import write_file
from ansible_collections.selfhost.flask.plugins.module_utils._guard import UNIT, Guard
from ansible_collections.selfhost.flask.plugins.module_utils._results import diff_result


class Refused(Exception):
    """Why a configuration is not put into effect."""


class Access:
    """The ways into one host: as they are, and as they should be."""

    def __init__(self, module: AnsibleModule, guard: Guard) -> None:
        self.module = module
        self.params = module.params
        self.guard = guard
        self.config = _sshd.supported(module, module.params["sshd_config"])
        self.unit = _sshd.listener(module)
        self.ports = _sshd.listening_ports(module, self.unit)
        self.has_ufw = shutil.which("ufw", path="/usr/sbin:/sbin:" + os.environ.get("PATH", "")) is not None
        self.files = self._files()
        self.keys = _sshd.needed_keys(module)

    def _files(self) -> dict:
        """(old, new) content of each file that is not as it should be."""
        port = self.params["port"]
        wanted = {self.params["sshd_path"]: self.config}
        if self.unit == "ssh.socket":
            wanted[_sshd.SOCKET_DROP_IN] = _sshd.SOCKET % port if port else None
        moduli = content(_sshd.MODULI)
        if moduli is not None:
            wanted[_sshd.MODULI] = _sshd.strong_moduli(moduli, self.params["moduli_bits"]) or moduli
        if self.has_ufw:
            wanted[_firewall.DEFAULTS] = _firewall.with_ipv6(content(_firewall.DEFAULTS) or "")
        found = {path: (content(path), text) for path, text in wanted.items()}
        return {path: (old, new) for path, (old, new) in found.items() if old != new}

    def firewall_commands(self, ports: list) -> list:
        """The commands that ufw still needs, for sshd at these ports."""
        options = self.params["firewall"]
        if not self.has_ufw and not self.module.check_mode:
            raise Refused("ufw is not installed")
        wanted = _firewall.wanted_rules(options, ports)
        commands = _firewall.rule_commands(self._rules(), wanted, options["owner"])
        commands += _firewall.policy_commands(content(_firewall.DEFAULTS) or "", options["outgoing_policy"])
        return commands + ([] if self.firewall_state() == "active" else [["ufw", "--force", "enable"]])

    def _rules(self) -> dict:
        if not self.has_ufw:
            return {}
        dummy, out, dummy = self.module.run_command(["ufw", "show", "added"], check_rc=True)
        return _firewall.rules_of(out)

    def firewall_state(self) -> str:
        """Whether ufw is at work."""
        if not self.has_ufw:
            return "none"
        dummy, out, dummy = self.module.run_command(["ufw", "status"], check_rc=True)
        return "active" if "Status: active" in out else "inactive"

    def wanted_settings(self) -> dict:
        """What sshd would say if there were only our drop-in."""
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
            file.write(self.config)
            file.flush()
            return _sshd.effective(self.module, self.params["user"], file.name)

    def effective(self) -> dict:
        """What sshd says, with all its files."""
        return _sshd.effective(self.module, self.params["user"])

    def check_overrides(self, wanted: dict) -> None:
        """Refuses a configuration that another file makes void."""
        problems = _sshd.overridden(self.config, wanted, self.effective())
        if problems:
            raise Refused(
                "sshd would not do %s: another file in /etc/ssh says otherwise. Remove these settings there"
                % ", ".join(problems)
            )

    def check_users(self, wanted: dict) -> None:
        """Refuses a configuration that shuts somebody out who is let in today."""
        found = _sshd.shut_out(self.module, self.effective(), wanted)
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
        self.check_users(wanted)
        new_keys = {kind: _sshd.make_key(self.module, kind) for kind in self.keys}
        before = dict(LISTENER=self.unit, FIREWALL=self.firewall_state())
        if before["FIREWALL"] == "inactive":
            before["POLICIES"] = _firewall.policies(self.module)
        token = self.guard.arm(self._guarded_paths(), before, self.params["deadline"])
        try:
            self._write(new_keys)
            self.check_overrides(wanted)
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

    def _step(self) -> None:
        """Nothing is changed any more where the host could not take it back."""
        if not self.guard.start_clock():
            raise Refused("nothing would take the change back any more (see `journalctl -u %s.timer`)" % UNIT)

    def _guarded_paths(self) -> list:
        keys = [path + suffix for path in _sshd.KEYS.values() for suffix in ("", ".pub")]
        return [self.params["sshd_path"], _sshd.SOCKET_DROP_IN, _sshd.MODULI, *keys, *_firewall.FILES]

    def _write(self, new_keys: dict) -> None:
        for path, (dummy, new) in self.files.items():
            if new is None:
                os.unlink(path)
            else:
                os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
                write_file(path, new.encode(), 0o644, 0, 0)
        for kind, path in new_keys.items():
            os.replace(path, _sshd.KEYS[kind])
            os.replace(path + ".pub", _sshd.KEYS[kind] + ".pub")
        self._run(["sshd", "-t"])

    def _future_ports(self) -> list:
        """Where sshd will listen once the new configuration is in effect."""
        if self.unit == "ssh.socket":
            self._run(["systemctl", "daemon-reload"])
            return _sshd.socket_ports(self.module)
        return sorted({int(port) for port in self.effective()["port"]})

    def _put_into_effect(self) -> None:
        """Sessions stay; connections that come in meanwhile wait where systemd listens."""
        if self.unit == "ssh.service":
            self._run(["systemctl", "reload-or-restart", "ssh.service"])
        elif _sshd.SOCKET_DROP_IN in self.files:
            self._run(["systemctl", "stop", "ssh.service"])
            self._run(["systemctl", "restart", "ssh.socket"])
        else:
            self._run(["systemctl", "try-restart", "ssh.service"])

    def _run(self, command: list) -> None:
        code, out, err = self.module.run_command(command)
        if code:
            said = (shlex.join(command), code, (err or out).strip())
            raise Refused("`%s` failed (exit code %d): %s" % said)

    def diff(self, commands: list) -> list:
        """What changes, for a person to read."""
        found = [
            dict(before_header=path, after_header=path, before=old or "", after=new or "")
            for path, (old, new) in self.files.items()
            if path != _sshd.MODULI
        ]
        notes = ["new host key: %s" % _sshd.KEYS[kind] for kind in self.keys]
        notes += ["short moduli removed"] if _sshd.MODULI in self.files else []
        text = "".join(line + "\n" for line in notes + commands)
        return found + ([dict(prepared=text)] if text else [])


def content(path: str) -> str | None:
    """A file's text; None where there is no file."""
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        return file.read()


def applied(module: AnsibleModule) -> dict:
    """Changes what differs; what the module returns."""
    guard = Guard(module, module.params["folder"])
    if not module.check_mode:
        guard.hold()
    access = Access(module, guard)
    commands = access.firewall_commands([module.params["port"]] if module.params["port"] else access.ports)
    changed = bool(access.files or access.keys or commands or guard.pending())
    before, token = access.ports, ""
    ports = [module.params["port"]] if changed and module.params["port"] else before
    if not changed:
        access.check_overrides(access.wanted_settings())
    elif not module.check_mode:
        token, ports, commands = access.apply()
    lines = [shlex.join(command) for command in commands]
    return dict(
        changed=changed,
        token=token,
        ports=ports,
        port_changed=ports != before,
        firewall_commands=lines,
        **diff_result(module, access.diff(lines)),
    )


BECAME = {
    "reverted": "the deadline had passed, and the host has taken the change back",
    "confirmed": "the change was confirmed in the meantime, and stays",
    "unknown": "the host does not know this change any more; others have changed it since then",
}


def confirmed(module: AnsibleModule) -> dict:
    """Lets the change be for good."""
    guard, token = Guard(module, module.params["folder"]), module.params["token"] or ""
    if module.check_mode:
        return dict(changed=guard.pending(token))
    guard.hold()
    pending = guard.pending(token)
    state = guard.confirm(token)
    if state == "unproven":
        module.warn(
            "Another run, or another inventory name of this host, changed sshd or the firewall after this one. Its "
            "confirmation counts for both. Without it, the host takes both changes back."
        )
    elif state != "confirmed":
        module.fail_json(msg="This can't be confirmed: %s." % BECAME[state])
    return dict(changed=pending and state == "confirmed")


def reverted(module: AnsibleModule) -> dict:
    """Takes the change back."""
    guard, token = Guard(module, module.params["folder"]), module.params["token"] or ""
    changed = guard.pending(token) if module.check_mode else guard.revert(token)
    state = guard.fate(token) if token and not module.check_mode else "reverted"
    if state != "reverted":
        module.fail_json(msg="This can't be taken back: %s." % BECAME[state])
    return dict(changed=changed)


def main() -> None:
    firewall = dict(
        owner=dict(type="str", required=True),
        incoming=dict(type="list", elements="str", default=[]),
        ssh_limit=dict(type="bool", default=True),
        outgoing_policy=dict(type="str", choices=["allow", "deny", "reject"], default="allow"),
        outgoing=dict(type="list", elements="str", default=[]),
    )
    module = AnsibleModule(
        argument_spec=dict(
            state=dict(type="str", choices=["applied", "confirmed", "reverted"], default="applied"),
            token=dict(type="str", no_log=False),
            deadline=dict(type="int", default=60),
            sshd_path=dict(type="path", default="/etc/ssh/sshd_config.d/00-selfhost.conf"),
            sshd_config=dict(type="str"),
            port=dict(type="int"),
            moduli_bits=dict(type="int", default=3071),
            user=dict(type="str", default="root"),
            firewall=dict(type="dict", options=firewall),
            folder=dict(type="path", default="/var/lib/selfhost/guard"),
        ),
        required_if=[("state", "applied", ("sshd_config", "firewall")), ("state", "confirmed", ("token",))],
        supports_check_mode=True,
    )
    module.run_command_environ_update = {"LC_ALL": "C", "LANGUAGE": "C"}
    states = dict(applied=applied, confirmed=confirmed, reverted=reverted)
    try:
        result = states[module.params["state"]](module)
    except Refused as error:
        module.fail_json(msg="sshd and the firewall are as they were before, because %s." % error)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
