#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flask_rollback
short_description: Serves an earlier release of a Flask application again
version_added: 0.1.0
description:
  - Serves the good release before the one that is live, or a named one, after it was asked for its health
    like a new one. The release that was live is marked, and no later rollback chooses it.
  - Where the release was served with another revision of the database, O(database) says what becomes of the
    database. Without it the module refuses, and says what would be lost.
  - While the database is changed, requests that write are answered 503 with C(Retry-After). The database is
    copied before, and brought back to the copy where something fails.
  - A release that changes its database when it is loaded, or can't be loaded without it, is started with the
    same protection where the database stays as it is, too. Where no copy can be made, only O(database=keep) does it.
extends_documentation_fragment:
  - selfhost.flask.site
  - selfhost.flask.site.records
  - selfhost.flask.site.migrations
  - selfhost.flask.site.health
  - selfhost.flask.deployment
  - selfhost.flask.lock
attributes:
  check_mode:
    description: Says which release would be served.
    support: full
  diff_mode:
    description: Shows the served release before and after.
    support: full
  idempotent:
    description: Each run goes back by one release; one to a named release that is served changes nothing.
    support: partial
options:
  release:
    description: Name of a release. Without it, the good one that was served before.
    type: str
    default: ""
  database:
    description:
      - V(downgrade) undoes the revisions that the release does not know, with the migrations of the newer
        one.
      - V(restore) brings back the copy that was made before these revisions were applied. What was written since
        is lost.
      - V(keep) leaves the database as it is.
      - V(refuse) does nothing where the revisions differ.
    type: str
    choices: [refuse, downgrade, restore, keep]
    default: refuse
  reason:
    default: a rollback
"""

EXAMPLES = r"""
- name: Go back
  selfhost.flask.flask_rollback:
    name: blog
    root: /srv/blog
    log: /var/log/blog
    app: "blog:create_app()"
    config: [/srv/blog/shared/.env, /srv/blog/gunicorn.conf.py]
    database: downgrade
"""

RETURN = r"""
holder:
  description: Who has the lock.
  type: dict
  returned: when somebody else has it
slot:
  description: The live slot, blue or green.
  type: str
  returned: always
release:
  description: Name of the served release.
  type: str
  returned: always
before:
  description: Name of the release that was served before.
  type: str
  returned: always
version:
  description: Name of its version.
  type: str
  returned: always
seconds:
  description: What each step took.
  type: dict
  returned: when the release was launched
pruned:
  description: Releases that were removed.
  type: list
  elements: str
  returned: when the release was launched
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.common.arguments import DEPLOYMENT, lock_options
from ansible_collections.selfhost.flask.plugins.module_utils.common.results import diff_result
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.deployment import Deployment
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.rollback import Rollback


def described(rollback: Rollback) -> dict:
    """What the module returns in any case."""
    diff = dict(before="release: %s\n" % rollback.live, after="release: %s\n" % rollback.target)
    module, entry = rollback.deployment.module, rollback.entry
    return dict(
        slot=rollback.deployment.slots.live(),
        release=rollback.target,
        before=rollback.live,
        version=entry.get("version", ""),
        **diff_result(module, diff),
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            DEPLOYMENT,
            **lock_options("a rollback"),
            release=dict(type="str", default=""),
            database=dict(type="str", choices=["refuse", "downgrade", "restore", "keep"], default="refuse"),
        ),
        supports_check_mode=True,
    )
    deployment = Deployment(module)
    if module.check_mode:
        rollback = Rollback(deployment)
        module.exit_json(changed=rollback.target != rollback.live, **described(rollback))
    with deployment.at_work():
        deployment.settings.discard()  # a run that died has left them; they are none of the release's
        rollback = Rollback(deployment)
        result = dict(described(rollback), changed=rollback.target != rollback.live)
        if result["changed"]:
            transaction = rollback.run(rollback.way_back.change())
            result.update(seconds=transaction.journal["entry"]["seconds"], pruned=transaction.journal["pruned"])
            result["slot"] = deployment.slots.live()
    module.exit_json(**result)


if __name__ == "__main__":
    main()
