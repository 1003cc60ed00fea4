#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flask_venv
short_description: Gives a release of a Flask application its virtual environment
version_added: 0.1.0
description:
  - Makes C(<root>/venvs/<key>), and links C(.venv) in the release to it. The key stands for all that
    the content follows from - the requirements with the files that they include, the extra packages,
    the version of Python, the package indexes, the content of local projects such as C(./lib), and the
    commits of git repositories. Releases that need the same share one, so an update of the code alone
    installs nothing.
  - An editable package, such as C(-e .), stays in the release, so its environment is that release's alone.
  - Reads C(requirements.txt) with the files that it includes, a lock of uv, Poetry, PDM or Pipenv, C(pylock.toml),
    C(pyproject.toml), C(Pipfile), the production file of a folder C(requirements), or C(setup.py).
  - Packages are built and installed by O(user), not by root, in a sandbox that has the network, but neither
    C(<root>/shared) nor a database server's socket; the finished environment belongs to
    root. One whose making was interrupted is made again.
  - C(uv) installs them. It is taken from the package index once for each host.
  - Flask before 2.1 finds its commands by C(pkg_resources), and packages such as gunicorn before 21 import it. An environment
    with one of them gets a setuptools that has it.
extends_documentation_fragment:
  - selfhost.flask.site
  - selfhost.flask.environment
  - selfhost.flask.environment.requirements
attributes:
  check_mode:
    description: Says whether an environment would be made.
    support: full
  diff_mode:
    description: Shows the environment that the release uses and will use.
    support: full
  idempotent:
    description: An environment that is complete is used as it is.
    support: full
options:
  release:
    description: The application's folder in the release.
    type: path
    required: true
  user:
    description: System user who installs the packages.
    type: str
    required: true
  commits:
    description:
      - The commits of the git repositories in the requirements, as M(selfhost.flask.flask_release)
        returns them.
    type: dict
    default: {}
  scm_version:
    description: The release's version, for a project that takes its own from git.
    type: str
    default: ""
  repo:
    description: The application's git repository; a user in its URL opens others of the same server, too.
    type: str
  key:
    description: Private ssh key that may read the git repositories in the requirements.
    type: str
  cache:
    description: Folder for downloaded packages. It belongs to O(user).
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Install the requirements
  selfhost.flask.flask_venv:
    root: /srv/blog
    release: /srv/blog/releases/v1.2-7f7c99a2
    user: blog
    extra: [gunicorn, pymysql]
    cache: /var/cache/blog
"""

RETURN = r"""
path:
  description: The virtual environment.
  type: str
  returned: always
  sample: /srv/blog/venvs/3f1d0c7a52e9
requirements:
  description: The file that the packages were read from.
  type: str
  returned: when the release is there
"""

import contextlib
import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.build.installation import establish_environment, tree_of
from ansible_collections.selfhost.flask.plugins.module_utils.build.needs_check import check_needs
from ansible_collections.selfhost.flask.plugins.module_utils.common.arguments import ENVIRONMENT, SITE
from ansible_collections.selfhost.flask.plugins.module_utils.common.results import diff_result
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import Busy, step
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import ReleaseError


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            SITE,
            **ENVIRONMENT,
            release=dict(type="path", required=True),
            user=dict(type="str", required=True),
            commits=dict(type="dict", default={}),
            scm_version=dict(type="str", default=""),
            repo=dict(type="str"),
            key=dict(type="str", no_log=True),
            cache=dict(type="path", required=True),
        ),
        supports_check_mode=True,
    )
    if module.check_mode and not os.path.isdir(module.params["release"]):
        module.exit_json(changed=True, path="")
    release = module.params["release"]
    tree = tree_of(module.params["root"], release)
    try:
        needs = check_needs(tree, module.params)
        with contextlib.nullcontext() if module.check_mode else step(module.params["root"]):
            path, changed, diff = establish_environment(module, tree)
    except (Busy, ReleaseError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, path=path, requirements=needs.path, **diff_result(module, diff))


if __name__ == "__main__":
    main()
