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
  - Settings that M(selfhost.flask.dotenv) has laid beside C(.env) take its place before that, and are rolled back with the
    rest. C(.env) is always what the served release runs with.
  - A release that was not served yet is loaded first in a sandbox, without a way to live data - no network, no
    socket that somebody listens on, and what it writes to its database, to C(<root>/shared) and to itself is
    thrown away. One that reaches for its database when it is loaded, or can't be loaded without it, always gets
    the copy and the time in which nobody else writes, also where no revision is pending. It is loaded in that
    time, alone, before it is started.
  - The database's revision, tables and columns are compared before and after the start. What changed although no
    revision was pending is warned of and recorded.
  - Whatever fails, or whoever is killed, the release is stopped, the database is brought back to the copy, the
    old release goes on serving, and the module fails with what happened.
  - Nothing is started when the live slot already serves this release with these files and is healthy, and no
    worker runs that is not in O(workers). A worker that does not stay up is warned of at each run.
  - A release belongs to root, and nobody else can write to it, before it is started.
  - What the release's repository has at a shared path is brought to C(<root>/shared) where it is missing there, or
    where the file there is still as an earlier release brought it. What the host has changed stays, with a warning.
  - C(<root>/current) points to what is served; where somebody removed it, it is there again.
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
  migration_command:
    description:
      - A line for the shell that migrates the database in the release's environment, with the settings of C(.env). It takes
        the place of Flask-Migrate, so O(migrations) is empty then.
      - Nobody knows before whether it has something to do. So it runs for each release that is not served yet, and with
        V(blocking), nobody writes meanwhile.
    type: str
    default: ""
  first_run:
    description:
      - Lines for the shell that are run once, before the first release is launched, if the database has no tables, or if the
        application without a database has no files. They run again where that deployment fails.
    type: list
    elements: str
    default: []
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
before:
  description: Name of the release whose place it took; empty where none was served.
  type: str
  returned: when the release was launched
revision:
  description: The database's revision.
  type: list
  elements: str
  returned: when the release was launched
revision_before:
  description: The revision before that. Empty where the application has no database, or none that is migrated.
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
from ansible_collections.selfhost.flask.plugins.module_utils.common.arguments import DEPLOYMENT
from ansible_collections.selfhost.flask.plugins.module_utils.common.results import diff_result
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.change import Change
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.deployment import Deployment, seal
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.ending import PROBLEMS
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.transaction import Transaction
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import read_link


def deploy(deployment: Deployment) -> dict:
    """Serves the release; what the module returns."""
    params, slots, folder = deployment.params, deployment.slots, deployment.params["release"]
    settled, release = deployment.is_settled(folder), deployment.site.release_name(folder)
    result = deployment.stay(folder) if settled else None
    if result:
        return result
    change = Change(deployment, folder, settled)
    if slots.live() and params["migration"] == "blocking" and deployment.database() is None and change.refusal():
        deployment.module.fail_json(msg=change.refusal())
    about = dict(version=params["version"], commit=params["commit"])
    seal(deployment.site, folder, **about)
    about.update(deployment.about(), revision=change.revision(), folder=os.path.relpath(folder, deployment.site.root))
    deployment.warn_of(folder, change.loading)
    transaction = Transaction.begin(deployment.site, folder, params["keep"], **about)
    try:
        serve(deployment, transaction, change)
    except PROBLEMS as error:
        deployment.take_back(transaction, error)
    else:
        deployment.complete(transaction)
        change.first_run.end()
    return dict(
        changed=True,
        slot=slots.live(),
        release=release,
        before=transaction.journal["entry"]["from"],
        revision=transaction.journal["entry"]["revision"],
        revision_before=transaction.journal.get("before", {}).get("revision", change.known_revision()),
        seconds=transaction.journal["entry"]["seconds"],
        pruned=transaction.journal["pruned"],
    )


def serve(deployment: Deployment, transaction: Transaction, change: Change) -> None:
    """Brings the database to where the release wants it, launches the release, and moves the visitors."""
    transaction.keep_application(change.folder, change.loading.to_keep())
    transaction.observe(deployment.data().database)
    transaction.take_settings()
    transaction.bring_shared(change.folder)
    if change.needs_copy():
        change.make(transaction)
    deployment.launch(transaction, change.folder, asked=change.is_pending)
    deployment.note_revision(transaction)
    transaction.switch()


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            DEPLOYMENT,
            release=dict(type="path", required=True),
            version=dict(type="str", default=""),
            commit=dict(type="str", default=""),
            migration=dict(type="str", choices=["blocking", "online"], default="blocking"),
            migration_command=dict(type="str", default=""),
            first_run=dict(type="list", elements="str", default=[]),
        ),
        supports_check_mode=True,
    )
    deployment = Deployment(module)
    folder, root = module.params["release"], module.params["root"]
    before, after = read_link(os.path.join(root, "current")), os.path.relpath(folder, root)
    diff = diff_result(module, dict(before="current: %s\n" % before, after="current: %s\n" % after))
    if module.check_mode:
        slots = deployment.slots
        serves = os.path.isdir(folder) and deployment.serves(folder) and slots.is_followed(slots.live())
        release = deployment.site.release_name(folder)
        module.exit_json(changed=not serves, slot=slots.live(), release=release, **diff)
    with deployment.at_work():
        result = deploy(deployment)
    module.exit_json(**result, **diff)


if __name__ == "__main__":
    main()
