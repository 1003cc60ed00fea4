#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flask_build
short_description: Builds the release of a Flask application that a deployment is to serve
version_added: 0.1.0
description:
  - Begins the deployment as M(selfhost.flask.flask_session) does, checks out the version as
    M(selfhost.flask.flask_release) does, gives it its virtual environment as M(selfhost.flask.flask_venv) does, runs
    the commands in O(commands), writes the settings as M(selfhost.flask.dotenv) does, and compiles the translations as
    M(selfhost.flask.flask_translate) does; then it writes the files that a slot reads. All in one run on the host,
    each step with its own name where it fails.
  - What is served is untouched. Settings wait in C(.env.next), and M(selfhost.flask.flask_deployment) serves the
    release.
  - Where O(serve) says how the release is to be served, and just that is served already, and is healthy, the deployment
    ends here - RV(served) says so, and the application is free for others.
extends_documentation_fragment:
  - selfhost.flask.site
  - selfhost.flask.site.records
  - selfhost.flask.site.migrations
  - selfhost.flask.lock
  - selfhost.flask.repository
  - selfhost.flask.repository.release
  - selfhost.flask.repository.source
  - selfhost.flask.environment
  - selfhost.flask.environment.requirements
  - selfhost.flask.files
attributes:
  check_mode:
    description: Says whether a release would be built and what would be written, and takes no lock.
    support: full
  diff_mode:
    description: Shows the environment, the keys of the settings without their values, and the slots' files.
    support: full
  idempotent:
    description: A version that was launched is not built again; what is as it should be is left as it is.
    support: full
options:
  session:
    description: Identity that M(selfhost.flask.flask_session) returned, where the deployment was begun by it.
    type: str
  reason:
    default: a deployment
  disk_free:
    description: Megabytes that have to be free where the application and its backups are, beside what these need.
    type: int
    default: 500
  cache:
    description: Folder for downloaded packages. It belongs to the application's user.
    type: path
    required: true
  commands:
    description:
      - Commands for a shell to run in the application's folder of a new release, as the
        application's user and with its environment, each as a text, or as C(command) and C(network).
      - They run without the settings, without data, and without the network unless C(network) is V(true). A change of
        them is another release.
    type: list
    elements: raw
    default: []
  node:
    description: The version of Node.js that they have, for which O(extra) or the system has it.
    type: str
    default: ""
  settings:
    description:
      - What the application finds in C(<root>/shared/.env). A key that an earlier run wrote, and that is not asked
        for, goes.
    type: dict
    default: {}
    suboptions:
      values:
        description: The keys with their values.
        type: dict
        default: {}
      files:
        description: Keys whose values are in files on the host, such as a password that was made there, by their paths.
        type: dict
        default: {}
      generate:
        description: Keys of secrets that are made on the host where they are missing.
        type: list
        elements: str
        default: []
      required:
        description: >-
          Keys that have to be there with a value. By default those that the version's C(.env.example) asks for.
        type: list
        elements: str
  config_files:
    description:
      - Files of the release with their contents, by their paths in the application's folder, in place of what the repository has
        there. They are root's, and readable for the application. Other contents make another release.
    type: dict
    default: {}
  files:
    description: The files that a slot reads when it is launched.
    default: []
  serve:
    description:
      - How the release is to be served, as M(selfhost.flask.flask_deployment) takes it. Without it, that module has to
        say whether the release is served already.
    type: dict
    suboptions:
      config:
        description: Files that the application reads at its start.
        type: list
        elements: path
        default: []
      workers:
        description: Names of the background processes that are restarted with the release.
        type: list
        elements: str
        default: []
      health_url:
        description: Path that answers when the application is healthy.
        type: str
        default: /
      health_text:
        description: A text that the answer has, too.
        type: str
        default: ""
      health_status:
        description:
          - Status codes of a healthy application, for the last page that one is led to. Without any, those below 400
            are, and for a page that one is led to, those below 500.
        type: list
        elements: int
        default: []
      health_redirect:
        description: Whether redirects on the same host are followed. One with a status of O(serve.health_status) is not.
        type: bool
        default: true
      host:
        description: Host name of the health request.
        type: str
        default: localhost
      deadline:
        description: Seconds that the release has to become healthy.
        type: int
        default: 60
"""

EXAMPLES = r"""
- name: Build the release
  selfhost.flask.flask_build:
    name: blog
    root: /srv/blog
    log: /var/log/blog
    repo: https://git.example.com/blog
    version: v1.2
    entrypoint: "blog:create_app()"
    extra: [gunicorn]
    cache: /var/cache/blog
    settings:
      values: {MAIL_SERVER: localhost}
      generate: [SECRET_KEY]
  register: release
"""

RETURN = r"""
session:
  description: Identity of the deployment, for M(selfhost.flask.flask_deployment).
  type: str
  returned: always
recovered:
  description: What became of a deployment that had died; empty where there was none.
  type: str
  returned: always
served:
  description: Whether the release is what is served already, so that nothing is left to do.
  type: bool
  returned: always
holder:
  description: Who has the lock.
  type: dict
  returned: when somebody else has it
wanted:
  description: Says that the host needs O(source.bundle), in place of all else but the session.
  type: str
  returned: when O(source) has none, and the host has no release of the commit
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
launched:
  description: Whether the release was launched before, and so does not change any more.
  type: bool
  returned: always
step:
  description: At which step it failed.
  type: str
  returned: failure
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.build.bundle import SourceWanted
from ansible_collections.selfhost.flask.plugins.module_utils.common.arguments import (
    ENVIRONMENT,
    FILES,
    HEALTH,
    MIGRATIONS,
    RECORDS,
    RELEASE,
    REPOSITORY,
    SITE,
    SOURCE,
    lock_options,
)
from ansible_collections.selfhost.flask.plugins.module_utils.common.results import with_diff
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.building import Build
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.session import begin, is_set_up
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

SETTINGS = dict(
    values=dict(type="dict", default={}, no_log=True),
    files=dict(type="dict", default={}),
    generate=dict(type="list", elements="str", default=[]),
    required=dict(type="list", elements="str"),
)
SERVE = dict(
    HEALTH,
    config=dict(type="list", elements="path", default=[]),
    workers=dict(type="list", elements="str", default=[]),
    deadline=dict(type="int", default=60),
)


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            SITE,
            **RECORDS,
            **MIGRATIONS,
            **REPOSITORY,
            **RELEASE,
            **SOURCE,
            **ENVIRONMENT,
            commands=dict(type="list", elements="raw", default=[]),
            node=dict(type="str", default=""),
            **lock_options("a deployment"),
            session=dict(type="str"),
            disk_free=dict(type="int", default=500),
            cache=dict(type="path", required=True),
            config_files=dict(type="dict", default={}, no_log=True),
            settings=dict(type="dict", default={}, apply_defaults=True, options=SETTINGS),
            files=dict(FILES, default=[]),
            serve=dict(type="dict", options=SERVE),
        ),
        supports_check_mode=True,
    )
    site = Site(module.params["name"], module.params["root"], module.params["log"])
    build, recovered = Build(module, site), ""
    if is_set_up(module, site) and not module.params["session"]:
        recovered = begin(module, site, module.params["disk_free"])
    try:
        release = build.run()
    except SourceWanted:
        module.exit_json(changed=bool(recovered), wanted="", session=build.session, recovered=recovered)
    about = dict(release, **build.serves(release), session=build.session, recovered=recovered)
    changed = build.changed or bool(recovered)
    module.exit_json(**with_diff(module, dict(about, changed=changed, diff=build.diffs)))


if __name__ == "__main__":
    main()
