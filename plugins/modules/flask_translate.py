#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flask_translate
short_description: Compiles the translations of a Flask application
version_added: 0.1.0
description:
  - Looks for catalogues (C(LC_MESSAGES/*.po)) and compares their texts with the compiled ones. Where
    one is missing or has other texts, the application's own command compiles them.
  - Where the application has no such command, or can't be loaded without its database, the release's Babel
    compiles them, without any code of the application.
  - With O(user), the application runs in a sandbox - without network, without a socket that somebody listens on,
    and what it writes to C(<root>/shared) is thrown away. It may be a version that changes its data when it is
    loaded, before there is a copy of them.
extends_documentation_fragment: selfhost.flask.flask
attributes:
  check_mode:
    description: Says which catalogues would be compiled.
    support: full
  diff_mode:
    description: Shows the catalogues that are compiled.
    support: full
  idempotent:
    description: Runs nothing where every catalogue is compiled.
    support: full
options:
  command:
    description: The application's command that compiles its catalogues.
    type: list
    elements: str
    default: [translate, compile]
  directory:
    description: Folder in which to look for catalogues, relative to O(chdir).
    type: str
    default: .
  settings:
    description: Settings that are not in C(.env) yet, and win over it. The file may be missing.
    type: path
  user:
    description: System user who runs the application in a sandbox, which only root can make.
    type: str
  root:
    description: The application's folder, such as V(/srv/blog). Needed with O(user).
    type: path
"""

EXAMPLES = r"""
- name: Compile the translations
  selfhost.flask.flask_translate:
    chdir: /srv/blog/releases/v1.2-7f7c99a2
    app: blog:app
    user: blog
    root: /srv/blog
"""

RETURN = r"""
available:
  description: Whether there is something that compiles them.
  type: bool
  returned: when a catalogue is not compiled
compiler:
  description: What compiled them, the application's V(command) or V(babel).
  type: str
  returned: when catalogues were compiled
reason:
  description: Why it was not the application's command.
  type: str
  returned: when Babel compiled them
compiled:
  description: The compiled catalogues that were or would be written, relative to O(chdir).
  type: list
  elements: str
  returned: success
  sample: [app/translations/es/LC_MESSAGES/messages.mo]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.common.results import with_diff
from ansible_collections.selfhost.flask.plugins.module_utils.flask.application import OPTIONS
from ansible_collections.selfhost.flask.plugins.module_utils.flask.translations import establish_translations


def main() -> None:
    options = dict(
        command=dict(type="list", elements="str", default=["translate", "compile"]),
        directory=dict(type="str", default="."),
        settings=dict(type="path"),
        user=dict(type="str"),
        root=dict(type="path"),
    )
    module = AnsibleModule(
        argument_spec=dict(OPTIONS, **options), required_by=dict(user="root"), supports_check_mode=True
    )
    module.exit_json(**with_diff(module, establish_translations(module)))


if __name__ == "__main__":
    main()
