#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flask_info
short_description: Tells what a Flask application is
version_added: 0.1.0
description:
  - Loads the application as the flask command does and lists what it has. Values of its configuration
    are not read.
extends_documentation_fragment:
  - selfhost.flask.flask
attributes:
  check_mode:
    description: The module changes nothing.
    support: full
  diff_mode:
    description: The module changes nothing.
    support: none
  idempotent:
    description: The module changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Ask the application what it is
  selfhost.flask.flask_info:
    chdir: /srv/blog/current
    app: "blog:create_app()"
  become: true
  become_user: blog
  register: blog
"""

RETURN = r"""
flask_version:
  description: Version of Flask.
  type: str
  returned: always
python_version:
  description: Version of Python.
  type: str
  returned: always
name:
  description: Import name of the application.
  type: str
  returned: always
commands:
  description: Names of its flask commands.
  type: list
  elements: str
  returned: always
routes:
  description: Its routes.
  type: list
  elements: dict
  returned: always
  contains:
    rule:
      description: The path.
      type: str
    methods:
      description: HTTP methods.
      type: list
      elements: str
    endpoint:
      description: Name of the endpoint.
      type: str
config_keys:
  description: Keys of its configuration, without values.
  type: list
  elements: str
  returned: always
extensions:
  description: Names under which extensions registered.
  type: list
  elements: str
  returned: always
static_folder:
  description: Folder of its static files; null where it has none.
  type: str
  returned: always
static_url_path:
  description: Path in the URL under which they are served; null where it has none.
  type: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils._flask import OPTIONS, Flask

SCRIPT = r"""
import platform
from flask.cli import FlaskGroup
try:
    from importlib.metadata import version
except ImportError:
    from importlib_metadata import version

group = FlaskGroup(create_app=lambda *arguments: app, add_version_option=False)
group._load_plugin_commands()
answer(
    flask_version=version("flask"),
    python_version=platform.python_version(),
    name=app.import_name,
    commands=sorted(set(group.commands) | set(app.cli.commands)),
    routes=sorted(
        ({"rule": rule.rule, "methods": sorted(rule.methods - {"HEAD", "OPTIONS"}), "endpoint": rule.endpoint}
         for rule in app.url_map.iter_rules()), key=lambda route: (route["rule"], route["endpoint"])),
    config_keys=sorted(app.config),
    extensions=sorted(app.extensions),
    static_folder=app.static_folder,
    static_url_path=app.static_url_path if app.has_static_folder else None,
)
"""


def main() -> None:
    module = AnsibleModule(argument_spec=dict(OPTIONS), supports_check_mode=True)
    flask = Flask(module)
    result = flask.script(SCRIPT)
    answers = result.answers()
    if result.code != 0 or not answers:
        flask.fail("The application can't be loaded.", result)
    module.exit_json(changed=False, **answers[-1])


if __name__ == "__main__":
    main()
