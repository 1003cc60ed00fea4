#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ssh_login
short_description: Finds the user as whom a host can be administered
version_added: 0.1.0
description:
  - Opens a new connection as one user after the other, with all the settings that the inventory has
    for the host, until one of them can log in and become root.
  - So the same inventory works before and after root was refused, and a changed ssh server is proven
    to let an administrator in before the connection that changed it is given up.
  - Failed logins count for sshd's penalties, for fail2ban and for the firewall's limit. So who worked the last time is
    tried first, as the controller remembers it; root's own hint, such as C(Please login as the user "ubuntu"), and the
    distribution in sshd's greeting decide who is next; and there are pauses where sshd counts.
  - With O(app), and without C(ansible_user), the user of the controller's own ssh configuration (C(~/.ssh/config)) is tried
    behind the first of O(users).
  - Where ssh offers more keys than sshd lets it try, as with many in the agent, the others are offered a few at a time.
  - Where the host refuses connections for the time being, it is asked again after half a minute.
  - Runs on the controller and needs no Python on the host. It says what the host lacks.
author: The selfhost.flask developers (@selfhost)
extends_documentation_fragment: selfhost.flask.reading
options:
  users:
    description: The users to try, in this order.
    type: list
    elements: str
    required: true
  ports:
    description:
      - The ports to try, in this order, each with every user. V(0) is the inventory's or
        the one of the ssh configuration, which is also the one without any.
      - On a port that nobody answers at, no other user is tried.
    type: list
    elements: int
    default: []
  wait:
    description: For how many seconds to try again where nobody could log in.
    type: int
    default: 0
  fresh:
    description:
      - Whether to open a connection of its own instead of using one that is already open.
      - A host that does not answer is then a failure, and not one that can't be reached.
    type: bool
    default: false
  app:
    description: Name of an application, to look whether it is something else on the host.
    type: str
    default: ""
  domains:
    description: The host names of this application, to look whether another site has them.
    type: list
    elements: str
    default: []
  taken_paths:
    description: Files that the parts of the stack would give the name O(app).
    type: list
    elements: str
    default: []
  taken_scripts:
    description:
      - Lines for a shell that print C(taken) and what else of the parts has the name C($app).
      - What only root can do follows C($root).
    type: list
    elements: str
    default: []
  site_scripts:
    description:
      - Lines for a shell that print a site of others for each of the host names in C($@), as
        C(site <place> <kind> <domain> <path>). The place is C(first) or C(other) among its names, the kind C(application)
        or C(foreign).
    type: list
    elements: str
    default: []
  used_scripts:
    description:
      - Lines for a shell that print C(used) and what a part of the stack would do to what others have on the host, such as
        C(replace /etc/postfix/main.cf), or C(blocked) and a sentence on what can't be at the same time.
      - They are run where no run of this collection has begun its work.
    type: list
    elements: str
    default: []
  open_ports:
    description: The ports that the firewall is to leave open, so that nobody needs to know who listens there.
    type: list
    elements: int
    default: []
  web_ports:
    description: The ports that visitors come to. They are open, too, and whoever has them is said.
    type: list
    elements: int
    default: [80, 443]
  since:
    description:
      - With O(fresh), a connection will do that was opened for another inventory name of this host after this moment,
        in seconds since 1970. One proof is enough for all that were changed before it.
    type: float
    default: 0
  required:
    description: Whether it is a failure that nobody can log in, or that the host can't be reached.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Find the login that works
  selfhost.flask.ssh_login:
    users: [deploy, root, debian]
  register: login
"""

RETURN = r"""
connect_port:
  description:
    - The port that the controller connected to. Behind a router, it is not the one on the host.
    - Nothing where neither O(ports) nor the inventory has one.
  type: int
  returned: success
  sample: 22
problem:
  description: Why nobody can log in.
  type: str
  returned: when nobody can log in, and O(required=false)
reason:
  description: What kind of problem it is, such as V(denied), V(keys), V(limit), V(penalty) or V(silent).
  type: str
  returned: when nobody can log in
remedy:
  description: What to do about it.
  type: str
  returned: when nobody can log in
ssh_extra_args:
  description: The inventory's C(ansible_ssh_extra_args), with what this login needs beside them.
  type: str
  returned: success
  sample: -o IdentitiesOnly=yes
user:
  description: The user who can log in; empty where nobody can.
  type: str
  returned: success
  sample: deploy
ansible_facts:
  description: >-
    The facts C(distribution), C(distribution_version) and C(distribution_major_version), as M(ansible.builtin.setup)
    would gather them in a run of its own.
  type: dict
  returned: success
authorized_keys:
  description: The public keys that open this login, one for each line.
  type: str
  returned: success
client:
  description: The address that the connection came from. Empty where it was not made by ssh.
  type: str
  returned: success
  sample: 192.0.2.7
port:
  description: The port on the host that the connection came in by.
  type: str
  returned: success
distribution:
  description: C(ID) of the host's C(/etc/os-release).
  type: str
  returned: success
  sample: debian
distribution_version:
  description: C(VERSION_ID) of the host's C(/etc/os-release). Empty on a rolling release.
  type: str
  returned: success
  sample: "12"
memory_mb:
  description: Megabytes of memory that the host has.
  type: int
  returned: success
missing:
  description: Which of the packages that Ansible needs on the host are not installed.
  type: list
  elements: str
  returned: success
git:
  description: Whether git is installed.
  type: bool
  returned: success
deployed:
  description: Whether a version of O(app) was deployed there before.
  type: bool
  returned: success
taken:
  description:
    - What on the host has the name O(app), and is not this application's from an earlier run.
  type: list
  elements: str
  returned: success
  sample: [the group disk, /var/log/journal]
sites:
  description: The sites of others on the host that have one of O(domains).
  type: list
  elements: dict
  returned: success
  contains:
    domain:
      description: The name.
      type: str
    path:
      description: The file that has it.
      type: str
    kind:
      description: V(application) of this collection, or V(foreign).
      type: str
    place:
      description: Whether it is the V(first) name there, or another one, V(other).
      type: str
new:
  description: Whether no run of this collection has begun its work on the host. Of others, the next four are empty.
  type: bool
  returned: success
listeners:
  description: What others can connect to by now, and could not if the firewall had O(open_ports) and O(web_ports) alone.
  type: list
  elements: dict
  returned: success
  contains:
    protocol:
      description: V(tcp) or V(udp).
      type: str
    port:
      description: The port.
      type: int
    program:
      description: The program that listens.
      type: str
published:
  description: The ports of containers, which the firewall does not close.
  type: list
  elements: int
  returned: success
rules:
  description: Rules of the kernel's firewall that are not ufw's, and that decide for everybody before ufw's do.
  type: list
  elements: str
  returned: success
  sample: [-A INPUT -j REJECT --reject-with icmp-host-prohibited]
used:
  description: What O(used_scripts) said.
  type: list
  elements: str
  returned: success
blocked:
  description: What O(used_scripts) said that can't be at the same time.
  type: list
  elements: str
  returned: success
web:
  description: Who listens at O(web_ports).
  type: list
  elements: dict
  returned: success
  contains:
    port:
      description: The port, such as V(443).
      type: str
    unit:
      description: The unit of systemd.
      type: str
clock_seconds:
  description: By how many seconds the host's clock is ahead of the controller's.
  type: int
  returned: success
room_mb:
  description: Megabytes that are free on each file system.
  type: dict
  returned: success
  sample: {/: 15000}
ipv6:
  description: Whether the host's kernel has IPv6.
  type: bool
  returned: success
unconfined:
  description: The kind of a container in which systemd can't confine a service, such as V(lxc); empty elsewhere.
  type: str
  returned: success
cloud_init:
  description: Whether cloud-init is still at work on the host.
  type: bool
  returned: success
"""
