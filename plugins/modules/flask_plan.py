#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flask_plan
short_description: Says what an update of a Flask application would change
version_added: 0.1.0
description:
  - Compares the release that is served with a version in the git repository. Returns the commits
    between them, the requirements that differ, the database migrations that are pending, and the keys
    that are new or missing in C(.env).
  - Changes nothing. The version is checked out into a temporary folder, and its source is read, not
    run; neither the database nor the application is asked.
  - No value of C(.env) is ever part of a result or a diff.
extends_documentation_fragment:
  - selfhost.flask.site
  - selfhost.flask.site.migrations
  - selfhost.flask.repository
  - selfhost.flask.repository.source
  - selfhost.flask.environment.requirements
  - selfhost.flask.reading
attributes:
  diff_mode:
    description: Shows the plan as a text.
    support: full
options:
  revision:
    description:
      - The revisions that the database is at; an empty list for a new one.
      - Without it, those in the last record of a served release in C(<root>/releases.json), or else
        those that the served release's migrations lead to.
    type: list
    elements: str
  values:
    description: The keys that the deployment sets in C(.env), without their values.
    type: list
    elements: str
    default: []
  required:
    description:
      - The keys that the application needs in C(.env).
      - Without it, those that have a value in the C(.env.example) of the version.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Say what the update would change
  selfhost.flask.flask_plan:
    root: /srv/blog
    repo: https://git.example.com/blog
    version: v1.3
    values: [DATABASE_URL, SECRET_KEY]
  register: plan

- name: Refuse an update that would change the database
  ansible.builtin.assert:
    that: not plan.migrations.pending
    fail_msg: "{{ plan.text }}"
"""

RETURN = r"""
changed:
  description: Whether the version's commit is another one than the served release's.
  type: bool
  returned: always
wanted:
  description: Says that the host needs O(source.bundle), in place of all else, by the commit that is served; empty for none.
  type: str
  returned: when O(source) has none
served:
  description: The release that is served; null where none is yet.
  type: dict
  returned: success
  contains:
    release:
      description: Name of the release.
      type: str
    version:
      description: Name of its version.
      type: str
    commit:
      description: Its full commit; empty where there is no record of it.
      type: str
  sample: {release: v1.2-7f7c99a2, version: v1.2, commit: 7f7c99a2c1e0b7c3d0c0a6f8f3f2f0a4d9f2b611}
version:
  description: Name of the version; the tag where V(latest_tag) was asked for.
  type: str
  returned: success
commit:
  description: The version's full commit; empty where git is not installed yet.
  type: str
  returned: success
direction:
  description:
    - V(forward) where the served commit led to the version's, V(backward) where it is the other way
      round, V(unrelated) where neither did.
    - Null where nothing is served yet or the commit is the same.
  type: str
  returned: success
  sample: forward
commits:
  description:
    - The commits between the served release and the version, from the newest, at most 50. Those that
      would be undone where RV(direction) is V(backward).
    - None where the repository does not have the served commit any more.
  type: list
  elements: dict
  returned: success
  contains:
    commit:
      description: The first 8 characters of the commit.
      type: str
    subject:
      description: First line of its message.
      type: str
  sample: [{commit: 1b7a2dd9, subject: Likes}]
commits_total:
  description: The number of commits between them.
  type: int
  returned: success
requirements:
  description:
    - The requirements and constraints that differ, with the files that are included; without hashes,
      options, and users and queries in URLs.
  type: dict
  returned: success
  contains:
    added:
      description: Requirements of the version alone.
      type: list
      elements: str
    removed:
      description: Requirements of the served release alone.
      type: list
      elements: str
    changed:
      description: The projects that both require, but not alike, with C(name), C(before) and C(after).
      type: list
      elements: dict
  sample: {added: [humanize==4.9], removed: [], changed: [{name: flask, before: 3.0.2, after: 3.0.3}]}
migrations:
  description: What the version's migrations would do to the database.
  type: dict
  returned: success
  contains:
    present:
      description: The revisions that the database is at.
      type: list
      elements: str
    assumed:
      description: Whether that follows only from the served release's migrations.
      type: bool
    pending:
      description: What would be applied, in this order, each with C(revision), C(message) and C(file).
      type: list
      elements: dict
    undone:
      description:
        - What the database has and the version does not know, from the newest. It would have to be
          undone before, with the release that is served.
      type: list
      elements: dict
  sample:
    present: [1f6d0a93b7c1]
    assumed: false
    pending:
      - revision: 2b8e4c75d0f2
        message: likes and languages
        file: migrations/versions/2b8e4c75d0f2_likes_and_languages.py
    undone: []
env:
  description: The keys that differ in C(.env).
  type: dict
  returned: success
  contains:
    added:
      description: Keys in O(values) that C(.env) lacks.
      type: list
      elements: str
    removed:
      description: Keys that Ansible has written to C(.env) and that are not in O(values) any more.
      type: list
      elements: str
    missing:
      description: Keys in O(required) that are neither in C(.env) nor in O(values).
      type: list
      elements: str
  sample: {added: [API_TOKEN], removed: [OLD_TOKEN], missing: [MAIL_KEY]}
text:
  description: All of this for a person to read.
  type: str
  returned: success
  sample: |
    update of blog: v1.2 (7f7c99a2) -> v1.3 (1b7a2dd9)
    1 commit:
      1b7a2dd9 Likes
    requirements: + humanize==4.9, ~ flask 3.0.2 -> 3.0.3
    database: 1 revision pending: 2b8e4c75d0f2 likes and languages
    .env: + API_TOKEN, - OLD_TOKEN; missing: MAIL_KEY
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.build.bundle import SourceWanted
from ansible_collections.selfhost.flask.plugins.module_utils.build.checkout import repository_of
from ansible_collections.selfhost.flask.plugins.module_utils.build.git import GitError
from ansible_collections.selfhost.flask.plugins.module_utils.common.arguments import (
    MIGRATIONS,
    REPOSITORY,
    REQUIREMENTS,
    SITE,
    SOURCE,
)
from ansible_collections.selfhost.flask.plugins.module_utils.common.results import diff_result
from ansible_collections.selfhost.flask.plugins.module_utils.plan.plan import text_of
from ansible_collections.selfhost.flask.plugins.module_utils.plan.served import served_release
from ansible_collections.selfhost.flask.plugins.module_utils.plan.update import plan, without_git
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import ReleaseError


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            SITE,
            **MIGRATIONS,
            **REPOSITORY,
            **SOURCE,
            **REQUIREMENTS,
            revision=dict(type="list", elements="str"),
            values=dict(type="list", elements="str", default=[]),
            required=dict(type="list", elements="str"),
        ),
        supports_check_mode=True,
    )
    repository = repository_of(module)
    if repository.git is None and not module.check_mode:
        module.fail_json(msg="git is not installed. Install the package git.")
    served = served_release(module.params["root"])
    try:
        if repository.git is None:
            result = without_git(module.params)
        else:
            with repository.access():
                result = plan(module, repository, served)
            name = os.path.basename(os.path.normpath(module.params["root"]))
            result["text"] = text_of(name, result)
    except SourceWanted:
        module.exit_json(changed=False, wanted=served.commit if served else "")
    except (GitError, ReleaseError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**diff_result(module, [dict(prepared=result["text"])]), **result)


if __name__ == "__main__":
    main()
