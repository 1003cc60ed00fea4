# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application's lock, as a module takes it for the ansible-playbook that runs."""

from __future__ import annotations

import os
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import LEASE, Lock
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site


def take_lock(module: AnsibleModule, site: Site, **result: str) -> str:
    """The identity of this run, which is the only one at work from here on; ends the module where it is not."""
    owner = module.params["owner"]
    if not os.path.isdir(site.path("deployment")):  # a folder of that name may be something else's
        module.fail_json(msg="%s is not set up on this host. Run `selfhost.flask.site`. Nothing was changed." % site.name)
    holder = Lock(site).take(dict(owner, reason=module.params["reason"]), module.params["gone"])
    if holder:
        about = dict(holder, since=time.time() - holder["since"], lease=LEASE)
        module.exit_json(changed=False, holder=about, **result)
    return owner["id"]
