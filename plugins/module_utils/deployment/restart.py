# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The served release is launched again in the other slot, so that no request fails; the workers follow."""

from __future__ import annotations

from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.health import Unhealthy
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.slots import Slots
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.transaction import Transaction
from ansible_collections.selfhost.flask.plugins.module_utils.process.manager import ProcessError
from ansible_collections.selfhost.flask.plugins.module_utils.site.records import KEPT_ENTRIES, Records
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

PROBLEMS = (Unhealthy, CommandError, OSError, ProcessError)
ABOUT = ("version", "commit", "folder", "revision")
GOES_ON = (
    "%s could not be launched again: %s\nIt goes on running as before, with its old settings. Fix the cause, and restart "
    "it again."
)


class NotRestarted(Exception):
    """Why the served release runs as before."""


def restart(site: Site, by: str) -> list:
    """Launches the served release again, with its settings as they are now; what is to be said of workers.

    Nothing is pruned: no release is new.
    """
    slots = Slots(site)
    live, folder = slots.live(), slots.release(slots.live())
    if not live or not folder:
        raise NotRestarted("No version is served yet. Run `selfhost.flask.update`.")
    release = site.release_name(folder)
    served = Records(site).served(release)
    about = {key: served[key] for key in ABOUT if key in served}
    transaction = Transaction.begin(site, folder, KEPT_ENTRIES, by=by, **about)
    try:
        with transaction.timed("launch"):
            slots.again(live, transaction.journal["idle"])
        transaction.switch()
    except PROBLEMS as error:
        transaction.end(str(error))
        raise NotRestarted(GOES_ON % (release, str(error).rstrip())) from error
    transaction.end()
    return transaction.problems
