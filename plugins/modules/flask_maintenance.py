#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flask_maintenance
short_description: Closes a Flask application for its visitors, and opens it again
version_added: 0.1.0
description:
  - The application's processes answer 503 with C(Retry-After) from the next request on; nothing is restarted or
    reloaded. The deployment's question for the health is answered as ever, so that updates go on.
extends_documentation_fragment: selfhost.flask.site
attributes:
  check_mode:
    description: Says whether something would change.
    support: full
  diff_mode:
    description: Shows what is closed before and after.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
options:
  closed:
    description:
      - V(all) refuses every request, V(writes) those that may change something, which is any but GET, HEAD,
        OPTIONS and TRACE. V(nothing) opens the application.
    type: str
    choices: [all, writes, nothing]
    required: true
  text:
    description: What visitors read.
    type: str
    default: This site is being maintained. Please come back later.
  retry_after:
    description: Seconds after which a visitor should try again.
    type: int
    default: 600
"""

EXAMPLES = r"""
- name: Close the site
  selfhost.flask.flask_maintenance:
    root: /srv/blog
    closed: all
    text: We are back at noon.
"""

RETURN = r"""
closed:
  description: What is closed now, V(all), V(writes) or V(nothing).
  type: str
  returned: always
before:
  description: What was closed before.
  type: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.common.arguments import SITE
from ansible_collections.selfhost.flask.plugins.module_utils.common.results import diff_result
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.gate import Gate
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

FLAGS = {"all": "site", "writes": "writes"}


def establish(gate: Gate, closed: str, retry_after: int, message: str) -> bool:
    """Closes what is to be closed and opens the rest; whether that changed anything."""
    changes = [
        gate.refuse(flag, retry_after, message) if kind == closed else gate.open(flag) for kind, flag in FLAGS.items()
    ]
    return any(changes)


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            SITE,
            closed=dict(type="str", choices=["all", "writes", "nothing"], required=True),
            text=dict(type="str", default="This site is being maintained. Please come back later."),
            retry_after=dict(type="int", default=600),
        ),
        supports_check_mode=True,
    )
    params = module.params
    gate = Gate(Site("", params["root"], ""))
    before = gate.closed()
    if module.check_mode:
        changed = before != params["closed"]
    else:
        changed = establish(gate, params["closed"], params["retry_after"], params["text"])
    diff = dict(before="closed: %s\n" % before, after="closed: %s\n" % params["closed"])
    module.exit_json(changed=changed, closed=params["closed"], before=before, **diff_result(module, diff))


if __name__ == "__main__":
    main()
