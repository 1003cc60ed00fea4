#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: config_files
short_description: Writes a set of configuration files, and has the services that read them run with them
version_added: 0.1.0
description:
  - Writes, links and removes all the files that one service reads, in one run on the host.
  - Where O(validate) is given, it is run once after all the files are in place. When it fails, every
    file is put back as it was, so that a proxy's or a daemon's configuration is valid as a whole or
    not changed at all.
  - The O(services) that read the files are started where they don't run, and load the files where they don't
    run with them yet. What counts is when a service has loaded which files, not what this run has changed. So a run
    makes up for one that was killed between writing and loading, and for files that somebody has changed by hand.
author: The selfhost.flask developers (@selfhost)
extends_documentation_fragment: [selfhost.flask.files]
attributes:
  check_mode:
    description: >-
      Says which files would change and what would be loaded; O(validate) is not run then. A service that
      is not installed yet counts as one that would be started.
    support: full
  diff_mode:
    description: Shows the files' old and new content. Files with secrets want C(diff) set to V(false).
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
options:
  files:
    description: The files, in the order in which they are written.
    required: true
  validate:
    description:
      - Command that ends with 0 when the new files are good, such as V(nginx -t).
      - It is run where something was changed or is to be loaded; without O(services), it is run each time.
    type: str
  services:
    description:
      - Who reads the files, in the order in which they load them. Where one fails, the module fails, and the next
        run tries it again.
      - systemd itself is told of new files in C(/etc/systemd/system) before that, with no need to be listed.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - The unit of systemd's, such as V(nginx) or V(flask-blog-backup.timer). It is started now and at each boot.
          - With O(services[].command), a name of your own that no other task uses.
        type: str
        required: true
      files:
        description: >-
          Those of the files that it reads; a folder stands for all of the files in it. Without any, it reads
          all of them.
        type: list
        elements: path
        default: []
      action:
        description: >-
          How it loads its files. After a change of the unit itself, in C(/etc/systemd/system), it is restarted in any
          case.
        type: str
        choices: [reload, restart]
        default: restart
      state:
        description: V(stopped) stops it, and leaves it to the task's links whether it starts at boot.
        type: str
        choices: [started, stopped]
        default: started
      command:
        description: >-
          What loads the files where there is no service, such as V(augenrules --load). At a boot, the system
          loads them by itself.
        type: str
  ask:
    description:
      - Commands for a shell that ask the host something once the services run, such as V(fail2ban-client status). They
        are run each time, also in check mode, so they must change nothing.
      - What they answer is RV(stdout). Whether they fail is not looked at.
    type: str
  identity:
    description: >-
      What tells these arguments from others. The action plugin sets it, and the host notes under it what the task has left.
      It leaves out the run on the host where M(selfhost.flask.host_packages) of the role C(base) has seen in this run that all
      of that still is as it was left.
    type: str
"""

EXAMPLES = r"""
- name: Publish the site
  selfhost.flask.config_files:
    files:
      - dest: /etc/nginx/sites-available/blog
        content: "{{ lookup('selfhost.flask.template', 'vhost.conf.j2') }}"
      - {dest: /etc/nginx/sites-enabled/blog, link: ../sites-available/blog}
      - {dest: /etc/nginx/sites-enabled/default, state: absent}
    validate: nginx -t
    services:
      - {name: nginx, action: reload}

- name: Let nobody but root read the jobs
  selfhost.flask.config_files:
    files:
      - {dest: /etc/tmpfiles.d/jobs.conf, content: "z /etc/crontab 0600 root root\n"}
    services:
      - {name: permissions of jobs, command: systemd-tmpfiles --create /etc/tmpfiles.d/jobs.conf}
"""

RETURN = r"""
changed_files:
  description: The paths that were written, linked or removed, or would be.
  type: list
  elements: str
  returned: always
  sample: [/etc/nginx/sites-available/blog]
loaded:
  description: What was done so that the services run with the files, or would be.
  type: list
  elements: str
  returned: always
  sample: [daemon-reload systemd, restart nginx]
stdout:
  description: What O(ask) has printed.
  type: str
  returned: when O(ask) is given
"""

import contextlib

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.common.arguments import FILES
from ansible_collections.selfhost.flask.plugins.module_utils.common.results import diff_result
from ansible_collections.selfhost.flask.plugins.module_utils.host.files import bring_about, diff_of
from ansible_collections.selfhost.flask.plugins.module_utils.host.services import alone
from ansible_collections.selfhost.flask.plugins.module_utils.host.settled import answer, note


def answer_of(module: AnsibleModule) -> dict:
    """What the host says to the task's question, if it has one."""
    return {"stdout": answer(module, module.params["ask"])} if module.params["ask"] else {}


def main() -> None:
    service_options = dict(
        name=dict(type="str", required=True),
        files=dict(type="list", elements="path", default=[]),
        action=dict(type="str", choices=["reload", "restart"], default="restart"),
        state=dict(type="str", choices=["started", "stopped"], default="started"),
        command=dict(type="str"),
    )
    module = AnsibleModule(
        argument_spec=dict(
            files=dict(FILES, required=True),
            validate=dict(type="str"),
            services=dict(type="list", elements="dict", default=[], options=service_options),
            ask=dict(type="str"),
            identity=dict(type="str"),
        ),
        supports_check_mode=True,
    )
    with alone() if module.params["services"] and not module.check_mode else contextlib.nullcontext():
        changes, loaded = bring_about(module)
        if module.params["identity"] and not module.check_mode:
            note(module)
    module.exit_json(
        changed=bool(changes or loaded),
        changed_files=[path for path, dummy, dummy in changes],
        loaded=loaded,
        **answer_of(module),
        **diff_result(module, diff_of(changes, loaded)),
    )


if __name__ == "__main__":
    main()
