#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flask_release
short_description: Puts one version of a Flask application's source into a release folder
version_added: 0.1.0
description:
  - Finds the commit of a tag, branch or commit in a git repository and checks it out, with its
    submodules, into C(<root>/releases/<id>). No other release is touched.
  - The new folder belongs to O(user) until the release is launched, so that what builds it runs
    without privileges; M(selfhost.flask.flask_deployment) then gives it to root.
  - A release whose building was interrupted is built again.
  - A release that was launched never changes. Where the settings that shape one are other ones, or
    where it or its environment was damaged by hand, the version becomes another release, C(<id>-2).
  - C(.env) and the paths in O(shared) become links to C(<root>/shared), which every release uses.
  - What the repository has at such a path is brought to C(<root>/shared) where it is missing there.
    M(selfhost.flask.flask_deployment) brings later changes of it.
  - The source is read, not run, to see that O(entrypoint) can be right. In check mode that is done
    in a temporary folder, so the module also answers on the controller whether a version exists.
extends_documentation_fragment:
  - selfhost.flask.site
  - selfhost.flask.site.migrations
  - selfhost.flask.repository
  - selfhost.flask.repository.release
  - selfhost.flask.environment
  - selfhost.flask.environment.requirements
attributes:
  check_mode:
    description: Resolves the version and checks the entrypoint.
    support: full
  diff_mode:
    description: Shows the current and the new release.
    support: full
  idempotent:
    description: A release that was launched once is not built again while its settings stay.
    support: full
options:
  user:
    description: System user who builds the release. Needed where a release is built.
    type: str
  written:
    description: Paths of files that are written into the release later. The entrypoint's module may be one of them.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Check out the version
  selfhost.flask.flask_release:
    root: /srv/blog
    repo: https://git.example.com/blog
    version: v1.2
    entrypoint: "blog:create_app()"
    user: blog
    shared: [instance]

- name: Say at once when a version does not exist
  selfhost.flask.flask_release:
    root: /srv/blog
    repo: https://git.example.com/blog
    version: v1.2
    entrypoint: "blog:create_app()"
  check_mode: true
  delegate_to: localhost
"""

RETURN = r"""
id:
  description: Name of the release, from its version and commit.
  type: str
  returned: always
  sample: v1.2-7f7c99a2
path:
  description: The application's folder in the release.
  type: str
  returned: always
  sample: /srv/blog/releases/v1.2-7f7c99a2
version:
  description: Name of the version; the tag where V(latest_tag) was asked for.
  type: str
  returned: always
commit:
  description: The full commit.
  type: str
  returned: always
commits:
  description: The commits of the git repositories that the requirements name by a branch or tag.
  type: dict
  returned: always
  sample: {"https://git.example.com/lib@main": 1b7a2dd9e0c14b2f8a6d5c3e9f7081a2b4c6d8e0}
launched:
  description: Whether the release was launched before, and so does not change any more.
  type: bool
  returned: always
built:
  description: Whether the release's folder is there. False in check mode where it would be made.
  type: bool
  returned: always
migrations:
  description: Whether the release has database migrations.
  type: bool
  returned: when the release is there
translations:
  description: Whether the release has message catalogues.
  type: bool
  returned: when the release is there
reachable:
  description: V(false) where it failed because this machine has no way to the repository's server; another one may.
  type: bool
  returned: failure
"""

import contextlib
import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.build.build import establish
from ansible_collections.selfhost.flask.plugins.module_utils.build.git import GitError, Repository, Unreachable
from ansible_collections.selfhost.flask.plugins.module_utils.common.arguments import (
    ENVIRONMENT,
    MIGRATIONS,
    RELEASE,
    REPOSITORY,
    SITE,
)
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.common.results import diff_result
from ansible_collections.selfhost.flask.plugins.module_utils.flask.entrypoint import EntrypointError
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import Busy, step
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import ReleaseError, read_link


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            SITE,
            **MIGRATIONS,
            **REPOSITORY,
            **RELEASE,
            **ENVIRONMENT,
            user=dict(type="str"),
            written=dict(type="list", elements="str", default=[]),
        ),
        supports_check_mode=True,
    )
    repository = Repository(module, module.params["repo"], module.params["key"])
    if repository.git is None:
        if not module.check_mode:
            module.fail_json(msg="git is not installed. Install the package git.")
        release = os.path.join(module.params["root"], "releases", module.params["version"])
        about = dict(id="", path=release, version=module.params["version"], commit="", commits={}, built=False, launched=False)
        module.exit_json(changed=True, **about)
    current = os.path.basename(read_link(os.path.join(module.params["root"], "current")))
    try:
        with repository.access(), contextlib.nullcontext() if module.check_mode else step(module.params["root"]):
            result = establish(module, repository)
    except Unreachable as error:
        module.fail_json(msg=str(error), reachable=False)
    except (GitError, EntrypointError, ReleaseError, Busy, CommandError) as error:
        module.fail_json(msg=str(error))
    diff = dict(before="release: %s\n" % current, after="release: %s\n" % result["id"])
    module.exit_json(**diff_result(module, diff), **result)


if __name__ == "__main__":
    main()
