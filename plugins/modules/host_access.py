#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_access
short_description: Configures who gets in, and undoes it unless a login proves that it works
version_added: 0.1.0
description:
  - Compares sshd's drop-in, port, host keys and moduli, ufw's rules, and the administrators' accounts, keys and sudo
    with what is asked for. Where nothing differs, nothing is done.
  - Otherwise it keeps what is there, starts a timer on the host, makes all the changes at once and puts them
    into effect. When the timer runs out, or the host is restarted, before O(state=confirmed) says that somebody
    could log in, the host brings back what was there before. It needs nobody for that.
  - sshd itself says what it would do. When a setting is overridden by another file, or when somebody who logs
    in by key today could not do so any more, nothing is changed.
  - A key that leaves the list of an administrator is taken away, and so is all that an administrator got who leaves the
    list, unless another application gives it, too. A key that somebody added by hand stays, and is a warning.
  - A C(Match) block that lets some log in by password, or as root, where nobody else may, is a warning. So is a
    rule of ufw that makes the limit for ssh void.
author: The selfhost.flask developers (@selfhost)
extends_documentation_fragment: selfhost.flask.admins
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
        fails if it was undone already. V(reverted) undoes it now, and fails if it was confirmed.
      - Where somebody else changed something before the first change was confirmed, only the confirmation of
        the last one counts, for both. That of the first one is a warning.
    type: str
    choices: [applied, confirmed, reverted]
    default: applied
  token:
    description:
      - What V(applied) returned as RV(token). Required for O(state=confirmed). V(reverted) without one undoes
        whatever is not confirmed.
    type: str
  deadline:
    description: After how many seconds the host undoes a change that nobody confirmed.
    type: int
    default: 60
  sshd_path:
    description: Path of sshd's drop-in. It has to sort before others, because sshd takes the first value.
    type: path
    default: /etc/ssh/sshd_config.d/00-selfhost.conf
  sshd_config:
    description: What the drop-in holds. Required for O(state=applied).
    type: str
  main_config:
    description:
      - What C(/etc/ssh/sshd_config) itself says before all else, for programs that read no other file. It has to
        repeat what the drop-in says, without the keywords of which each adds to the others, such as C(Port).
      - Without it, that file is as others left it.
    type: str
    default: ""
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
      enabled:
        description: Whether it should do anything. Without, ufw and the kernel's rules stay as they are.
        type: bool
        default: true
      owner:
        description: Who needs the rules. Those of others stay.
        type: str
        required: true
      incoming:
        description: >-
          What is open to everybody, such as V(443/tcp), or to one network, such as V(8000/tcp from 192.0.2.0/24). The port of
          ssh always is.
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
      take_over:
        description:
          - Whether rules of iptables and tables of nftables go away that decide for everybody before ufw's do, such as an
            image's that lets in ssh and rejects the rest. The host brings them back with all else.
          - Those for single addresses stay, and so do the chains of other programs.
        type: bool
        default: false
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
    sshd_config: "{{ lookup('selfhost.flask.template', 'sshd.conf.j2') }}"
    port: 2222
    firewall: {owner: blog, incoming: [80/tcp, 443/tcp]}
    admins:
      owner: blog
      users: [{name: deploy, ssh_keys: [ssh-ed25519 AAAA… alice@laptop]}]
      sudoers: "deploy ALL=(ALL:ALL) NOPASSWD: ALL\n"
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

import shlex

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.access.access import Access, Refused
from ansible_collections.selfhost.flask.plugins.module_utils.access.guard import FOLDER, Guard
from ansible_collections.selfhost.flask.plugins.module_utils.common import arguments
from ansible_collections.selfhost.flask.plugins.module_utils.common.results import diff_result

BECAME = {
    "reverted": "the deadline had passed, and the host has undone the change",
    "confirmed": "the change was confirmed in the meantime, and stays",
    "unknown": "the host does not know this change any more; others have changed it since then",
}


def applied(module: AnsibleModule) -> dict:
    """Changes what differs; what the module returns."""
    guard = Guard(module, module.params["folder"])
    if not module.check_mode:
        guard.hold()
    access = Access(module, guard)
    commands = access.firewall_commands([module.params["port"]] if module.params["port"] else access.ports)
    accounts = access.admins.accounts() + access.admins.farewells()
    changed = bool(access.files or access.keys or commands or accounts or guard.pending())
    before, token, wanted = access.ports, "", access.wanted_settings()
    notes = access.admins.notes()
    ports = [module.params["port"]] if changed and module.params["port"] else before
    if not changed:
        access.check_overrides(wanted)
    elif not module.check_mode:
        token, ports, commands = access.apply()
    for text in notes + access.warnings(wanted, ports):
        module.warn(text)
    lines = [shlex.join(command) for command in commands]
    return dict(
        changed=changed,
        token=token,
        ports=ports,
        port_changed=ports != before,
        firewall_commands=lines,
        **diff_result(module, access.diff(lines)),
    )


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
            "confirmation counts for both. Without it, the host undoes both changes."
        )
    elif state != "confirmed":
        module.fail_json(msg="This can't be confirmed: %s. Run the playbook again." % BECAME[state])
    return dict(changed=pending and state == "confirmed")


def reverted(module: AnsibleModule) -> dict:
    """Takes the change back."""
    guard, token = Guard(module, module.params["folder"]), module.params["token"] or ""
    changed = guard.pending(token) if module.check_mode else guard.revert(token)
    state = guard.fate(token) if token and not module.check_mode else "reverted"
    if state != "reverted":
        module.fail_json(msg="This can't be undone: %s. Run the playbook again with the settings that you want." % BECAME[state])
    return dict(changed=changed)


def main() -> None:
    firewall = dict(
        enabled=dict(type="bool", default=True),
        owner=dict(type="str", required=True),
        incoming=dict(type="list", elements="str", default=[]),
        ssh_limit=dict(type="bool", default=True),
        take_over=dict(type="bool", default=False),
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
            main_config=dict(type="str", default=""),
            port=dict(type="int"),
            moduli_bits=dict(type="int", default=3071),
            user=dict(type="str", default="root"),
            firewall=dict(type="dict", options=firewall),
            folder=dict(type="path", default=FOLDER),
            **arguments.ADMINS,
        ),
        required_if=[("state", "applied", ("sshd_config", "firewall", "admins")), ("state", "confirmed", ("token",))],
        supports_check_mode=True,
    )
    module.run_command_environ_update = {"LC_ALL": "C", "LANGUAGE": "C"}
    states = dict(applied=applied, confirmed=confirmed, reverted=reverted)
    try:
        result = states[module.params["state"]](module)
    except Refused as error:
        module.fail_json(
            msg="sshd, the firewall and the administrators' keys are as they were before, because %s. Put that right, and "
            "run the playbook again." % str(error).rstrip(".")
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
