#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flask_status
short_description: Says what a Flask application serves, and what was deployed when
version_added: 0.1.0
description:
  - Reads what the deployments recorded, the slots, the workers, the lock and the database's revision.
extends_documentation_fragment:
  - selfhost.flask.site
  - selfhost.flask.site.records
  - selfhost.flask.reading
options:
  entries:
    description: How many deployments to list, the newest first.
    type: int
    default: 15
"""

EXAMPLES = r"""
- name: Ask what is served
  selfhost.flask.flask_status:
    name: blog
    root: /srv/blog
    log: /var/log/blog
  register: status
"""

RETURN = r"""
release:
  description: Name of the release that is served; empty where none is.
  type: str
  returned: always
slot:
  description: The live slot.
  type: str
  returned: always
programs:
  description: The state of each slot and worker, in the words of the process manager.
  type: dict
  returned: always
ends:
  description: How often a slot or worker ended by itself in the last hour, since the release was launched.
  type: dict
  returned: always
starting:
  description: The slots and workers that were started a moment ago.
  type: list
  elements: str
  returned: always
revision:
  description: The database's revision.
  type: list
  elements: str
  returned: always
databases:
  description: The databases of this host that the application keeps its data in; a SQLite file by its path.
  type: list
  elements: str
  returned: always
not_copied:
  description: Its other databases, in words, which neither backups nor updates copy.
  type: list
  elements: str
  returned: always
notes:
  description: What has to be said of its databases.
  type: list
  elements: str
  returned: always
closed:
  description: What maintenance has closed, V(all), V(writes) or V(nothing).
  type: str
  returned: always
lock:
  description: Who deploys at the moment.
  type: dict
  returned: always
interrupted:
  description: Name of the release whose deployment was interrupted and is not ended yet.
  type: str
  returned: always
deployments:
  description: What was deployed, the newest first, as in C(releases.json).
  type: list
  elements: dict
  returned: always
table:
  description: All of this as lines of text.
  type: list
  elements: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.common.arguments import RECORDS, SITE
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.status import status, table
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            SITE,
            **RECORDS,
            entries=dict(type="int", default=15),
        ),
        supports_check_mode=True,
    )
    found = status(Site(module.params["name"], module.params["root"], module.params["log"]), module.params["entries"])
    module.exit_json(changed=False, table=table(found), **found)


if __name__ == "__main__":
    main()
