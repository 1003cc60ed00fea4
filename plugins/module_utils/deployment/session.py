# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run that deploys begins: it has the lock, ends what was left behind, and looks whether the host is ready."""

from __future__ import annotations

import os
import shutil

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.database.data import database_of
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import DatabaseError, members_of
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.transaction import recover
from ansible_collections.selfhost.flask.plugins.module_utils.process.manager import ProcessError
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import Busy, Lock, step
from ansible_collections.selfhost.flask.plugins.module_utils.site.module_lock import take_lock
from ansible_collections.selfhost.flask.plugins.module_utils.site.settings import Settings
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

MEGABYTE = 1 << 20
INODES = 20000  # an application with its environment has about half of that
BACKUPS = "/var/backups"


class NotReady(Exception):
    """What the host lacks."""


def check_disk(path: str, megabytes: int, inodes: int) -> None:
    """NotReady where a file system has no room."""
    status, free = os.statvfs(path), shutil.disk_usage(path).free // MEGABYTE
    if free < megabytes:
        raise NotReady("The disk of %s has %d MB free, and %d MB are needed. Make room" % (path, free, megabytes))
    if status.f_files and status.f_favail < inodes:
        raise NotReady("The file system of %s has only %d inodes left. Remove files" % (path, status.f_favail))


def check_host(site: Site, disk_free: int) -> None:
    """NotReady where a deployment would fail later."""
    needed = {site.root: 0, BACKUPS: 0}
    for database in members_of(database_of(site)):
        try:
            size = database.size() // MEGABYTE
        except CommandError as error:
            raise NotReady("The database %s does not answer. Start it. %s" % (database.name, error)) from error
        for folder in [BACKUPS, *filter(os.path.isdir, database.folders())]:
            needed[folder] = needed.get(folder, 0) + size
    for folder, megabytes in needed.items():
        check_disk(folder, disk_free + megabytes, INODES if folder == site.root else 0)


def begin(module: AnsibleModule, site: Site, disk_free: int) -> str:
    """Takes the lock, ends what was left behind, and sees that the host is ready; what became of what was left behind."""
    owner, recovered = module.params["owner"]["id"], ""
    if not module.check_mode:
        take_lock(module, site, id=owner, recovered="")
    try:
        if not module.check_mode:
            with step(site.root):
                recovered = recover(site)
                Settings(site).discard()  # of a run that did not come to take them
        check_host(site, disk_free)
    except (NotReady, Busy, DatabaseError, CommandError, OSError, ProcessError) as error:
        if not module.check_mode:
            Lock(site).release(owner)
        module.fail_json(msg="%s. Nothing was changed." % str(error).rstrip("."))
    return recovered


def is_set_up(module: AnsibleModule, site: Site) -> bool:
    """Whether there is anything to deploy to; a host that is yet to be set up has its place in check mode alone."""
    found = os.path.isdir(site.path("deployment")) and os.path.isdir(site.log)
    if not found and not module.check_mode:
        module.fail_json(msg="%s is not set up on this host. Run `selfhost.flask.site`." % site.name)
    return found
