#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flask_deployment
short_description: Serves a release of a Flask application, with the database that it needs
version_added: 0.1.0
description:
  - An application has two slots, blue and green. One is live, which is where C(<root>/run/live.sock)
    points to. The release is started in the other one, asked for its health on that slot's own
    socket, and becomes the live one by moving the link. Then the old slot finishes its requests and
    stops.
  - Where database revisions are pending, the database is copied first, and C(flask db upgrade) runs
    before the release is started. From the copy until the switch, requests that write are answered 503
    with C(Retry-After), while reads go on, and the workers are stopped.
  - Settings that M(selfhost.flask.dotenv) has laid beside C(.env) take its place before that, and are taken back with the
    rest. C(.env) is always what the served release runs with.
  - Whatever fails, or whoever is killed, the release is stopped, the database is brought back to the copy, the
    old release goes on serving, and the module fails with what happened.
  - Nothing is started when the live slot already serves this release with these files and is healthy, and no
    worker runs that is not in O(workers). A worker that does not stay up is warned of at each run.
  - A release belongs to root, and nobody else can write to it, before it is started.
  - Older releases beyond O(keep), and virtual environments and copies of the database that none of the kept ones
    needs, are removed.
extends_documentation_fragment:
  - selfhost.flask.site
  - selfhost.flask.site.records
  - selfhost.flask.site.migrations
  - selfhost.flask.site.health
  - selfhost.flask.deployment
attributes:
  check_mode:
    description: Says whether the release would be launched.
    support: full
  diff_mode:
    description: Shows the served release before and after.
    support: full
  idempotent:
    description: A second run launches nothing.
    support: full
options:
  release:
    description: The application's folder in the release.
    type: path
    required: true
  version:
    description: Name of the version, for the record.
    type: str
    default: ""
  commit:
    description: The commit, for the record.
    type: str
    default: ""
  migration:
    description:
      - With V(blocking), nothing but the migration writes to the database while it runs, and a
        migration that fails is undone by the copy.
      - With V(online), requests and workers go on writing. What fails is not undone, because that would
        lose what was written meanwhile; the message names the copy.
    type: str
    choices: [blocking, online]
    default: blocking
"""

EXAMPLES = r"""
- name: Serve the release
  selfhost.flask.flask_deployment:
    name: blog
    root: /srv/blog
    log: /var/log/blog
    app: "blog:create_app()"
    release: /srv/blog/releases/v1.2-7f7c99a2
    config: [/srv/blog/shared/.env, /srv/blog/gunicorn.conf.py]
    health_url: /healthz
    host: blog.example.com
"""

RETURN = r"""
slot:
  description: The live slot, blue or green; empty in check mode where none is live yet.
  type: str
  returned: always
release:
  description: Name of the served release.
  type: str
  returned: always
revision:
  description: The database's revision.
  type: list
  elements: str
  returned: when the release was launched
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

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils._arguments import DEPLOYMENT
from ansible_collections.selfhost.flask.plugins.module_utils._deployment import PROBLEMS, Deployment, seal
from ansible_collections.selfhost.flask.plugins.module_utils._migrations import Migrations
from ansible_collections.selfhost.flask.plugins.module_utils._release import read_link
from ansible_collections.selfhost.flask.plugins.module_utils._results import diff_result
from ansible_collections.selfhost.flask.plugins.module_utils._transaction import Transaction

NO_COPY = (
    "The database has pending migrations and is none that can be copied here. With flask_migration: online they run "
    "without a copy, and what fails is not undone. Nothing was changed."
)


def migrate(deployment: Deployment, transaction: Transaction, pending: Migrations) -> None:
    """Brings the database to the release's revision, with a copy of it from before."""
    online = deployment.params["migration"] == "online"
    live, database = transaction.journal["live"], deployment.database()
    if live and not online:
        transaction.close_writes([live], deployment.params["patience"])
    if database:
        transaction.dump(database, undo=not online)
    with transaction.timed("migrate"):
        pending.run()


def deploy(deployment: Deployment) -> dict:
    """Serves the release; what the module returns."""
    params, slots, folder = deployment.params, deployment.slots, deployment.params["release"]
    about = dict(version=params["version"], commit=params["commit"])
    found = deployment.pending(folder)
    pending = found.pending if found else []
    release = deployment.site.release_name(folder)
    if not pending and deployment.serves(folder):
        deployment.settings.take()  # they are those that it was launched with
        deployment.settings.keep()
        for problem in slots.dead_workers():
            deployment.module.warn(problem)
        return dict(changed=False, slot=slots.live(), release=release)
    if pending and slots.live() and params["migration"] == "blocking" and deployment.database() is None:
        deployment.module.fail_json(msg=NO_COPY)
    seal(deployment.site, folder, **about)
    revision = found.after if found else deployment.revision()
    about.update(deployment.about(), revision=revision, folder=os.path.relpath(folder, deployment.site.root))
    transaction = Transaction.begin(deployment.site, folder, params["keep"], **about)
    try:
        transaction.take_settings()
        if pending:
            migrate(deployment, transaction, found)
        deployment.launch(transaction, folder)
        transaction.switch()
    except PROBLEMS as error:
        deployment.take_back(transaction, error)
    else:
        deployment.complete(transaction)
    return dict(
        changed=True,
        slot=slots.live(),
        release=release,
        revision=revision,
        seconds=transaction.journal["entry"]["seconds"],
        pruned=transaction.journal["pruned"],
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            DEPLOYMENT,
            release=dict(type="path", required=True),
            version=dict(type="str", default=""),
            commit=dict(type="str", default=""),
            migration=dict(type="str", choices=["blocking", "online"], default="blocking"),
        ),
        supports_check_mode=True,
    )
    deployment = Deployment(module)
    folder, root = module.params["release"], module.params["root"]
    before, after = read_link(os.path.join(root, "current")), os.path.relpath(folder, root)
    diff = diff_result(module, dict(before="current: %s\n" % before, after="current: %s\n" % after))
    if module.check_mode:
        serves = os.path.isdir(folder) and deployment.serves(folder)
        release = deployment.site.release_name(folder)
        module.exit_json(changed=not serves, slot=deployment.slots.live(), release=release, **diff)
    with deployment.at_work():
        result = deploy(deployment)
    module.exit_json(**result, **diff)


if __name__ == "__main__":
    main()
