#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flask_db
short_description: Brings the database of a Flask application to a revision
version_added: 0.1.0
description:
  - Compares the revision that the database is at with the desired one, using the application's own
    migrations, and runs C(flask db upgrade) only where revisions are pending.
  - Needs Flask-Migrate in the application.
extends_documentation_fragment: selfhost.flask.flask
attributes:
  check_mode:
    description: Says which revisions are pending.
    support: full
  diff_mode:
    description: Shows the revision before and after, and what lies between them.
    support: full
  idempotent:
    description: Runs nothing where the database is at the revision.
    support: full
options:
  revision:
    description:
      - The desired revision, V(head), V(heads) where the migrations have several branches, or V(base)
        for none.
    type: str
    default: head
  directory:
    description: Folder of the migrations, relative to O(chdir).
    type: str
    default: migrations
  allow_downgrade:
    description: Whether revisions may be undone where the database is beyond O(revision).
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Upgrade the database
  selfhost.flask.flask_db:
    chdir: /srv/blog/releases/v1.2-7f7c99a2
    app: "blog:create_app()"
  become_user: blog
"""

RETURN = r"""
before:
  description: The database's revision before; none in a new one, several where migrations have branches.
  type: list
  elements: str
  returned: success, and when a migration failed
  sample: [9f2c1ab34d5e]
after:
  description: The revision after, or the one that it would be in check mode.
  type: list
  elements: str
  returned: success, and when a migration failed
  sample: [1b7a2dd90c11]
pending:
  description: The revisions that were or would be applied, or undone by a downgrade, in this order.
  type: list
  elements: dict
  returned: success, and when a migration failed
  contains:
    revision:
      description: Identifier of the revision.
      type: str
    message:
      description: First lines of its migration.
      type: str
  sample: [{revision: 1b7a2dd90c11, message: users and posts}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.common.results import diff_result
from ansible_collections.selfhost.flask.plugins.module_utils.flask.application import OPTIONS, FlaskApp
from ansible_collections.selfhost.flask.plugins.module_utils.flask.migrations import MigrationError, Migrations, named


def described(migrations: Migrations) -> str:
    """The revision afterwards and the way to it, for the diff."""
    verb = "undo" if migrations.downgrade else "apply"
    lines = ["%s %s %s" % (verb, item["revision"], item["message"]) for item in migrations.pending]
    return "\n".join(["revision: " + named(migrations.after)] + lines) + "\n"


def main() -> None:
    options = dict(
        revision=dict(type="str", default="head"),
        directory=dict(type="str", default="migrations"),
        allow_downgrade=dict(type="bool", default=False),
    )
    module = AnsibleModule(argument_spec=dict(OPTIONS, **options), supports_check_mode=True)
    app = FlaskApp(module)
    found = Migrations(app, module.params["directory"], module.params["revision"])
    if found.downgrade and not module.params["allow_downgrade"]:
        module.fail_json(
            msg="The database is at revision %s, beyond %s. Set allow_downgrade to undo what lies between; the "
            "data in it is lost." % (named(found.before), named(found.after))
        )
    if found.pending and not module.check_mode:
        try:
            found.run()
        except MigrationError as error:
            state = dict(before=found.before, after=error.state["current"], pending=error.state["pending"])
            app.fail(error.result, str(error), **state)
    diff = dict(before="revision: %s\n" % named(found.before), after=described(found))
    module.exit_json(
        changed=bool(found.pending),
        before=found.before,
        after=found.after,
        pending=found.pending,
        **diff_result(module, diff),
    )


if __name__ == "__main__":
    main()
