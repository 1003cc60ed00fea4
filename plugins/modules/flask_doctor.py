#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flask_doctor
short_description: Says whether a site is healthy, and what to do if it is not
version_added: 0.1.0
description:
  - Looks at a Flask application from the controller, as its visitors and as strangers see it, and on the
    host, as its administrator does. Says for each thing that is wrong what it is and what mends it.
  - Of findings that follow from another one only that one is said.
  - A host that nobody can log in to is looked at from outside all the same.
  - Where the controller is the host itself, its firewall is not seen. Where ssh comes through a jump host and the controller
    can't come to O(address), that is the name's, O(domain); where that leads to no public address, it is a finding.
  - The report is shown by the task itself. The task does not fail for what it finds.
extends_documentation_fragment:
  - selfhost.flask.site
  - selfhost.flask.site.records
  - selfhost.flask.site.migrations
  - selfhost.flask.site.health
  - selfhost.flask.reading
options:
  certificate:
    description: File of the certificate that the proxy should serve.
    type: path
    default: ""
  key:
    description: File of its private key.
    type: path
    default: ""
  static_url:
    description: URL path of the application's static files.
    type: str
    default: /static
  host:
    description: Host name of the health request on the host; the controller sets it to O(domain).
  workers:
    description: Names of the background processes that should run.
    type: list
    elements: str
    default: []
  jobs:
    description: Names of the scheduled jobs.
    type: list
    elements: str
    default: []
  services:
    description: Units of systemd's that the application needs beside its database.
    type: list
    elements: str
    default: []
  required:
    description: Keys that C(.env) needs. Those of the release's C(.env.example) when not set.
    type: list
    elements: str
  jails:
    description: Jails of fail2ban that should be active, where it is installed.
    type: list
    elements: str
    default: [sshd]
  ports:
    description: Ports beside the ssh server's that may be open.
    type: list
    elements: int
    default: [80, 443]
  disk_free:
    description: Megabytes that each file system should have free.
    type: int
    default: 500
  memory_free:
    description: Megabytes of memory that should be available.
    type: int
    default: 50
  backup_hours:
    description: Hours after which the newest backup is too old.
    type: int
    default: 36
  drill_days:
    description: Days after which the last trial of a backup is too old.
    type: int
    default: 10
  brief:
    description: Whether to leave out what takes longest, the question for updates.
    type: bool
    default: false
  domain:
    description: Name under which visitors reach the application. Names without a dot are not looked up.
    type: str
  address:
    description: Where the host is reached from the controller.
    type: str
  aliases:
    description: Further names.
    type: list
    elements: str
    default: []
  tls:
    description: Where the certificate should come from; V(none) where the host does not serve HTTPS.
    type: str
    choices: [self_signed, letsencrypt, provided, none]
    default: self_signed
  profile:
    description: Which versions of TLS should be spoken.
    type: str
    choices: [modern, intermediate]
    default: intermediate
  headers:
    description:
      - Headers that answers should have, beside C(Strict-Transport-Security) and C(X-Content-Type-Options)
        where the proxy's configuration has them.
    type: list
    elements: str
    default: []
  seconds:
    description: Seconds that the health URL may take.
    type: float
    default: 2
  basic_auth:
    description: Names and passwords of which the first one lets visitors in, where the site asks for one.
    type: dict
    default: {}
  proxy:
    description: The proxy that visitors come to.
    type: str
    default: nginx
  http_port:
    description: With O(tls=none), the port of HTTP that the controller should reach as visitors do; 0 where it can't.
    type: int
    default: 0
  listen:
    description: The address and port at which the application should answer on the host itself over HTTP, without a proxy.
    type: str
    default: ""
  ssh_host:
    description: The host's name or address for ssh; O(address) where it is not set.
    type: str
    default: ""
  ssh_port:
    description: The ssh server's port. With V(0), it is that of the controller's ssh configuration, or 22.
    type: int
    default: 0
  ssh_user:
    description: The user for whom the ssh server is asked whether it takes passwords. None is sent.
    type: str
    default: root
  ssh_args:
    description:
      - Arguments of ssh of which those are used that say by which way the host is reached, where the connection is none by
        P(ansible.builtin.ssh#connection) itself.
    type: str
    default: ""
  login_problem:
    description: Why nobody can log in; then only the outside is looked at.
    type: str
    default: ""
  login_remedy:
    description: What to do about that.
    type: str
    default: ""
  ignored:
    description: Findings that are not to be said.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Look at the blog
  selfhost.flask.flask_doctor:
    name: blog
    root: /srv/blog
    log: /var/log/blog
    domain: blog.example.com
    address: 192.0.2.10
  register: doctor
"""

RETURN = r"""
findings:
  description: What is wrong, the worst first.
  type: list
  elements: dict
  returned: always
  contains:
    id:
      description: Name of the finding, which stays the same.
      type: str
    severity:
      description: V(critical), V(warning) or V(notice).
      type: str
    where:
      description: V(inside) or V(outside).
      type: str
    what:
      description: One sentence with the facts.
      type: str
    remedy:
      description: What mends it.
      type: str
    subject:
      description: What tells findings of the same name apart, such as a unit.
      type: str
  sample: [{id: slot-stopped, severity: critical, where: inside}]
checks:
  description: What was looked at, and the names of what each check found before causes were told from effects.
  type: list
  elements: dict
  returned: always
counts:
  description: How many findings of each severity there are, such as C(1 critical, 2 warnings).
  type: str
  returned: always
facts:
  description: The release and the slot that are served, and the host's addresses.
  type: dict
  returned: always
reached:
  description: Whether somebody could log in.
  type: bool
  returned: always
time:
  description: When it was.
  type: str
  returned: always
title:
  description: The host and the application.
  type: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.common.arguments import HEALTH, MIGRATIONS, RECORDS, SITE
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.inside import Inside, Settings

OPTIONS = dict(
    SITE,
    **RECORDS,
    **MIGRATIONS,
    **HEALTH,
    certificate=dict(type="path", default=""),
    key=dict(type="path", default="", no_log=False),
    static_url=dict(type="str", default="/static"),
    workers=dict(type="list", elements="str", default=[]),
    jobs=dict(type="list", elements="str", default=[]),
    services=dict(type="list", elements="str", default=[]),
    required=dict(type="list", elements="str"),
    jails=dict(type="list", elements="str", default=["sshd"]),
    ports=dict(type="list", elements="int", default=[80, 443]),
    disk_free=dict(type="int", default=500),
    memory_free=dict(type="int", default=50),
    backup_hours=dict(type="int", default=36),
    drill_days=dict(type="int", default=10),
    brief=dict(type="bool", default=False),
    listen=dict(type="str", default=""),
)
OUTSIDE = dict(
    domain=dict(type="str"),
    address=dict(type="str"),
    aliases=dict(type="list", elements="str", default=[]),
    tls=dict(type="str", choices=["self_signed", "letsencrypt", "provided", "none"], default="self_signed"),
    profile=dict(type="str", choices=["modern", "intermediate"], default="intermediate"),
    headers=dict(type="list", elements="str", default=[]),
    seconds=dict(type="float", default=2),
    basic_auth=dict(type="dict", default={}, no_log=True),
    proxy=dict(type="str", default="nginx"),
    http_port=dict(type="int", default=0),
    ssh_host=dict(type="str", default=""),
    ssh_port=dict(type="int", default=0),
    ssh_user=dict(type="str", default="root"),
    ssh_args=dict(type="str", default=""),
    login_problem=dict(type="str", default=""),
    login_remedy=dict(type="str", default=""),
    ignored=dict(type="list", elements="str", default=[]),
)


def main() -> None:
    module = AnsibleModule(argument_spec=dict(OPTIONS, **OUTSIDE), supports_check_mode=True)
    settings = Settings(**{name: module.params[name] for name in Settings._fields})
    module.exit_json(changed=False, **Inside(settings).examine())


if __name__ == "__main__":
    main()
