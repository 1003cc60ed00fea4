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
  - Asks Flask-Migrate which revision the database has and which ones are pending, and upgrades it. The
    application's own C(env.py) decides what database that is.
  - Works with an application and with a factory.
extends_documentation_fragment:
  - selfhost.flask.flask
attributes:
  check_mode:
    description: Says which revisions are pending.
    support: full
  diff_mode:
    description: Shows the revision before and after.
    support: full
  idempotent:
    description: A database that has the revision is left alone.
    support: full
options:
  revision:
    description: The revision that the database is to have; V(heads) where there are several.
    type: str
    default: head
  directory:
    description: Folder of the migrations, relative to the application's.
    type: str
    default: migrations
  allow_downgrade:
    description: Whether the database may go back to an earlier revision, which can lose data.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Upgrade the database
  selfhost.flask.flask_db:
    chdir: /srv/blog/current
    app: "blog:create_app()"
  become: true
  become_user: blog
"""

RETURN = r"""
before:
  description: Revisions that the database had; none in a new one.
  type: list
  elements: str
  returned: always
after:
  description: Revisions that it has, or would have.
  type: list
  elements: str
  returned: always
pending:
  description: The migrations that were run, or would be, in their order.
  type: list
  elements: dict
  returned: always
  contains:
    revision:
      description: Its identifier.
      type: str
    message:
      description: The first line of what its author wrote.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils._flask import OPTIONS, Flask, Result

# One start of the interpreter observes, moves the database and observes again.
SCRIPT = r"""
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory

act, directory, revision, may_downgrade = sys.argv[1:]

def current():
    found = []
    def collect(revisions, context):
        found.extend([revisions] if isinstance(revisions, str) else revisions or [])
        return []
    with EnvironmentContext(config, script, fn=collect, dont_mutate=True):
        script.run_env()
    return sorted(found)

def steps(upper, lower):
    return [{"revision": step.revision, "message": (step.doc or "").splitlines()[0] if step.doc else ""}
            for step in script.iterate_revisions(upper, lower or None)]

with app.app_context():
    if "migrate" not in app.extensions:
        answer(problem="The application does not use Flask-Migrate.")
        sys.exit()
    config = app.extensions["migrate"].migrate.get_config(directory)
    script = ScriptDirectory.from_config(config)
    target = sorted(step.revision for step in script.get_revisions(revision))
    before = current()
    unknown = [name for name in before if name not in {step.revision for step in script.walk_revisions()}]
    if unknown:
        answer(before=before, problem="The database has the revision %s, which this version does not know. "
               "Deploy a version that has it." % ", ".join(unknown))
        sys.exit()
    down = set(target) < {step["revision"] for step in steps(before, ())} and not set(before) & set(target)
    pending = steps(before, target) if down else steps(target, before)[::-1]
    if down and may_downgrade != "True":
        answer(before=before, problem="The database is ahead of %s. Going back can lose data; allow_downgrade "
               "permits it." % revision)
        sys.exit()
    answer(before=before, after=target, pending=pending, down=down)
    if act == "True" and pending:
        import flask_migrate
        (flask_migrate.downgrade if down else flask_migrate.upgrade)(directory=directory, revision=revision)
        answer(now=current())
"""


def move(flask: Flask, act: bool) -> tuple[dict, Result]:
    """What the database had, and has where it was to move."""
    params = flask.module.params
    result = flask.script(SCRIPT, str(act), params["directory"], params["revision"], str(params["allow_downgrade"]))
    found = {}
    for answer in result.answers():
        found.update(answer)
    return found, result


def fail(flask: Flask, found: dict, result: Result) -> None:
    """Says at which point it failed, and what the database has now."""
    if "problem" in found:
        flask.module.fail_json(msg=found["problem"], before=found.get("before", []))
    if "before" not in found:
        flask.fail(
            "The application can't be loaded, or its database can't be reached; the database was not changed.", result
        )
    now = move(flask, act=False)[0].get("before", ["unknown"])
    text = "The upgrade of the database from %s to %s failed; its revision is now %s." % tuple(
        ", ".join(revisions) or "none" for revisions in (found["before"], found["after"], now)
    )
    flask.fail(text, result, before=found["before"], after=now, pending=found["pending"])


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            OPTIONS,
            revision=dict(type="str", default="head"),
            directory=dict(type="str", default="migrations"),
            allow_downgrade=dict(type="bool", default=False),
        ),
        supports_check_mode=True,
    )
    flask = Flask(module)
    found, result = move(flask, act=not module.check_mode)
    done = module.check_mode or not found.get("pending") or found.get("now") == found["after"]
    if result.code != 0 or "problem" in found or "before" not in found or not done:
        fail(flask, found, result)
    lines = ["%(revision)s %(message)s" % step for step in found["pending"]]
    module.exit_json(
        changed=bool(found["pending"]),
        before=found["before"],
        after=found["after"],
        pending=found["pending"],
        diff=dict(
            before="revision: %s\n" % ", ".join(found["before"]),
            after="revision: %s\n" % ", ".join(found["after"]) + "".join(line + "\n" for line in lines),
        ),
    )


if __name__ == "__main__":
    main()
