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
from ansible_collections.selfhost.flask.plugins.module_utils._flask import OPTIONS, FlaskApp
from ansible_collections.selfhost.flask.plugins.module_utils._results import diff_result


def question(module: AnsibleModule) -> dict:
    """What to ask the application about its database."""
    return dict(question="database", directory=module.params["directory"], revision=module.params["revision"])


def name(revisions: list) -> str:
    """Revisions as alembic and a person write them."""
    return ", ".join(revisions) or "base"


def migrate(app: FlaskApp, state: dict) -> None:
    """Applies what is pending; the database is at the desired revision, or the module fails."""
    verb = "downgrade" if state["downgrade"] else "upgrade"
    params = app.module.params
    result = app.run("flask", state["command"], verb, "--directory", params["directory"], params["revision"])
    now = app.answer(**question(app.module))
    if result.code == 0 and now.get("pending") == []:
        return
    now = dict(dict(current=["an unknown one"], pending=[]), **now)
    revisions = [name(state["current"]), name(now["current"]), name(state["desired"])]
    app.fail(
        result,
        "The database was at revision %s and is at %s now, not at %s. Mend the migration, and see whether it "
        "left something half done: not every database undoes a failed one." % tuple(revisions),
        before=state["current"],
        after=now["current"],
        pending=now["pending"],
    )


def described(state: dict, after: list) -> str:
    """The revision afterwards and the way to it, for the diff."""
    verb = "undo" if state["downgrade"] else "apply"
    lines = ["%s %s %s" % (verb, item["revision"], item["message"]) for item in state["pending"]]
    return "\n".join(["revision: " + name(after)] + lines) + "\n"


def main() -> None:
    options = dict(
        revision=dict(type="str", default="head"),
        directory=dict(type="str", default="migrations"),
        allow_downgrade=dict(type="bool", default=False),
    )
    module = AnsibleModule(argument_spec=dict(OPTIONS, **options), supports_check_mode=True)
    app = FlaskApp(module)
    state = app.ask(**question(module))
    before, pending = state["current"], state["pending"]
    after = state["desired"] if pending else before
    if state["downgrade"] and not module.params["allow_downgrade"]:
        module.fail_json(
            msg="The database is at revision %s, beyond %s. Set allow_downgrade to undo what lies between; the "
            "data in it is lost." % (name(before), name(after))
        )
    if pending and not module.check_mode:
        migrate(app, state)
    diff = dict(before="revision: %s\n" % name(before), after=described(state, after))
    module.exit_json(changed=bool(pending), before=before, after=after, pending=pending, **diff_result(module, diff))


if __name__ == "__main__":
    main()
