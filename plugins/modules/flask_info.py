#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flask_info
short_description: Says what a Flask application is
version_added: 0.1.0
description:
  - Loads the application once and returns its commands, routes, extensions and the names of its
    settings, without their values.
extends_documentation_fragment:
  - selfhost.flask.flask
  - selfhost.flask.reading
"""

EXAMPLES = r"""
- name: Look at the application
  selfhost.flask.flask_info:
    chdir: /srv/blog/current
    app: blog:app
  become_user: blog
  register: blog

- name: Refuse to serve it without a health URL
  ansible.builtin.assert:
    that: "'/healthz' in blog.routes | map(attribute='rule')"
"""

RETURN = r"""
python_version:
  description: Version of the virtual environment's Python.
  type: str
  returned: success
  sample: 3.11.2
flask_version:
  description: Version of Flask.
  type: str
  returned: success
  sample: 3.1.1
import_name:
  description: The application's import name.
  type: str
  returned: success
  sample: blog
commands:
  description: Names of the commands that C(flask) has for this application.
  type: list
  elements: str
  returned: success
  sample: [db, routes, run, shell, translate]
routes:
  description: The URL rules, by their path.
  type: list
  elements: dict
  returned: success
  contains:
    rule:
      description: Pattern of the path.
      type: str
    methods:
      description: HTTP methods, without HEAD and OPTIONS.
      type: list
      elements: str
    endpoint:
      description: Name of the endpoint.
      type: str
  sample: [{rule: /user/<username>, methods: [GET], endpoint: main.user}]
config_keys:
  description: Names of the settings in the application's configuration.
  type: list
  elements: str
  returned: success
  sample: [DEBUG, SECRET_KEY, SQLALCHEMY_DATABASE_URI]
static_folder:
  description: Absolute path of the static files.
  type: str
  returned: when the application has static files
static_url_path:
  description: Path under which Flask serves them.
  type: str
  returned: when the application has static files
  sample: /static
extensions:
  description: Names of the extensions that registered with the application.
  type: list
  elements: str
  returned: success
  sample: [babel, migrate, sqlalchemy]
migrations:
  description: Whether the application has migrations of its database.
  type: bool
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.flask.application import OPTIONS, FlaskApp


def main() -> None:
    module = AnsibleModule(argument_spec=dict(OPTIONS), supports_check_mode=True)
    module.exit_json(changed=False, **FlaskApp(module).ask("about"))


if __name__ == "__main__":
    main()
