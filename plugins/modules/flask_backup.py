#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flask_backup
short_description: Makes, tries and restores the backups of a Flask application
version_added: 0.1.0
description:
  - A backup is a folder that is named after the time. It has a copy of the database, what the application has written
    into C(shared/), its C(.env), and a manifest with the checksums. It has secrets, and is readable by root alone.
  - The database is copied between two steps of a deployment, so that it is never one that is half migrated. The
    application goes on working meanwhile.
  - To restore a backup, its checksums are verified before anything is touched. Then requests that write are answered
    503 and the workers stop, while a copy of what is there is made, and replaced by what the backup has. What fails
    is taken back.
  - What is made beside schedule is removed by the same rule as the other backups, but not before a day has passed.
  - The module also brings the program that the units run, C(<root>/deployment/backup.pyz), to its own version.
extends_documentation_fragment:
  - selfhost.flask.site
  - selfhost.flask.site.records
  - selfhost.flask.lock
attributes:
  check_mode:
    description: Says whether a backup can be restored, and makes, tries or fetches none.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  idempotent:
    description: With V(installed), a second run changes nothing. Any other state is something to be done now.
    support: partial
options:
  state:
    description:
      - V(present) makes a backup now, copies it off the host where a repository is set up, and removes old ones.
      - V(restored) brings the application's data to what the backup has.
      - V(drilled) tries the backup, by its checksums and by loading the database into a place beside the real one.
      - V(installed) only writes the program.
    type: str
    choices: [present, restored, drilled, installed]
    default: present
  log:
    description: Folder of C(deploy.log), which also says what was restored.
  folder:
    description: Folder of the backups.
    type: path
    required: true
  backup:
    description: Name of the backup to restore or try. Empty for the newest.
    type: str
    default: ""
  from_restic:
    description:
      - Whether the backup is fetched from the repository first, where it is not on the host undamaged. An empty
        O(backup) is the newest one of the repository then.
    type: bool
    default: false
  backup_of:
    description:
      - Name of the application whose backup is restored, where that is another one than O(name). Its databases, its folders in
        C(.env) and the account that its views run as get the names of O(name). A database that both applications use on this
        host stays as it is. The other application is not touched.
      - Empty for the application's own backups.
    type: str
    default: ""
  source:
    description:
      - Folder that has the backup to restore, such as one that was brought to the host. Without it, that is O(folder), or with
        O(backup_of) the folder in which that application has its backups on this host.
    type: path
  settings:
    description:
      - Whether C(.env) is restored, too. What the host's tasks have written there stays in any case, such as C(DATABASE_URL),
        but for C(SECRET_KEY). A host that was set up anew has a new one; with the old one, the visitors stay logged in.
    type: bool
    default: false
  workers:
    description: Names of the background processes that are stopped meanwhile.
    type: list
    elements: str
    default: []
  patience:
    description: Seconds that requests which write have to end before the data is replaced.
    type: int
    default: 30
  reason:
    default: a restoration
"""

EXAMPLES = r"""
- name: Make a backup
  selfhost.flask.flask_backup:
    name: blog
    root: /srv/blog
    log: /var/log/blog
    folder: /var/backups/blog

- name: Restore the newest backup of the repository on a fresh host
  selfhost.flask.flask_backup:
    state: restored
    name: blog
    root: /srv/blog
    log: /var/log/blog
    folder: /var/backups/blog
    from_restic: true
    settings: true

- name: Give the blog the data of the application whose name it had before
  selfhost.flask.flask_backup:
    state: restored
    name: blog
    root: /srv/blog
    log: /var/log/blog
    folder: /var/backups/blog
    backup_of: microblog
    settings: true
"""

RETURN = r"""
holder:
  description: Who has the lock.
  type: dict
  returned: when somebody else has it
backup:
  description: Name of the backup; empty in check mode where it is not known yet.
  type: str
  returned: always
path:
  description: Its folder.
  type: str
  returned: when there is one
manifest:
  description: What the backup has.
  type: dict
  returned: with O(state=present) and O(state=restored)
missing:
  description: The application's databases that the backup does not have, in words.
  type: list
  elements: str
  returned: with O(state=drilled)
databases:
  description: The databases of which the backup has a copy.
  type: list
  elements: str
  returned: with O(state=drilled)
sqlite:
  description: The files in the backup that are SQLite databases.
  type: list
  elements: str
  returned: with O(state=drilled)
summary:
  description: What was found in the backup, and what it has nothing of, as the end of a sentence.
  type: str
  returned: with O(state=drilled)
pruned:
  description: Backups that were removed.
  type: list
  elements: str
  returned: with O(state=present)
before:
  description: The copy of what was there.
  type: str
  returned: with O(state=restored)
notice:
  description: What is left to be done; empty where that is nothing.
  type: str
  returned: with O(state=restored)
seconds:
  description: What it took; with O(state=restored), each of the steps.
  type: raw
  returned: when something was done
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.backup import backup as backup_backup
from ansible_collections.selfhost.flask.plugins.module_utils.backup.backup import Settings
from ansible_collections.selfhost.flask.plugins.module_utils.backup.renaming import Renaming
from ansible_collections.selfhost.flask.plugins.module_utils.backup.restore import PROBLEMS, Order, Restoration, check
from ansible_collections.selfhost.flask.plugins.module_utils.backup.store import BackupError
from ansible_collections.selfhost.flask.plugins.module_utils.common.arguments import RECORDS, SITE, lock_options
from ansible_collections.selfhost.flask.plugins.module_utils.deployment import program
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.transaction import recover
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import Lock, step
from ansible_collections.selfhost.flask.plugins.module_utils.site.module_lock import take_lock
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site


ELSEWHERE = (
    "There is no application %s with backups on this host. Make one where it is, by backup.yml with "
    "-e flask_backup_fetch=FOLDER, and name the file by -e flask_backup_source=FILE."
)


def settings_of(module: AnsibleModule) -> Settings:
    """What the host was told, but in the folder that the task names."""
    params = module.params
    site = Site(params["name"], params["root"], params["log"], tuple(params["workers"]))
    return backup_backup.read_settings(site.root)._replace(site=site, folder=params["folder"])


def check_lock(module: AnsibleModule, site: Site) -> None:
    """A run that was thought dead, and whose lock was taken over, does not go on."""
    owner, holder = module.params["owner"], Lock(site).holder()
    if owner and (holder or {}).get("id") != owner["id"]:
        module.fail_json(msg="The lock of this run was taken over. Nothing was changed; run the playbook again.")


def folder_of(module: AnsibleModule, settings: Settings) -> str:
    """Where the backup is that is restored."""
    params, site = module.params, settings.site
    if not params["backup_of"] or params["source"]:
        return params["source"] or settings.folder
    try:
        return backup_backup.read_settings(Renaming(site, params["backup_of"]).root()).folder
    except BackupError as error:
        raise BackupError(ELSEWHERE % params["backup_of"]) from error


def found(module: AnsibleModule, settings: Settings) -> tuple:
    """The path of the backup that can be restored, and its manifest."""
    name, of = module.params["backup"], module.params["backup_of"]
    try:
        folder = folder_of(module, settings)
        if module.params["from_restic"]:
            name = backup_backup.fetched(settings.site, folder, name, of)
        path = backup_backup.chosen(folder, name)
        return path, check(settings.site, path, of)
    except PROBLEMS as error:
        raise BackupError("%s. Nothing was changed." % str(error).rstrip(".")) from error


def restore(module: AnsibleModule, settings: Settings) -> dict:
    """Restores a backup; what the module returns."""
    params, site = module.params, settings.site
    path, manifest = found(module, settings)
    by = (params["owner"] or {}).get("owner", "")
    about = params["settings"], params["patience"], by, settings.readers, params["backup_of"], settings.folder
    order = Order(path, *about)
    with step(site.root):
        check_lock(module, site)
        recover(site)
        program.install(site)
        result = Restoration(site, order, manifest).run()
    return dict(result, changed=True, backup=os.path.basename(path), path=path, manifest=manifest)


def restored(module: AnsibleModule, settings: Settings) -> dict:
    """The same, as the only one who changes the application or its backups."""
    with backup_backup.alone(settings.site):
        identity = take_lock(module, settings.site) if module.params["owner"] else ""
        try:
            return restore(module, settings)
        finally:
            if identity:
                Lock(settings.site).release(identity)


def made_or_tried(module: AnsibleModule, settings: Settings) -> dict:
    """Makes or tries a backup; what the module returns."""
    if module.params["state"] == "drilled":
        report = backup_backup.drill(settings, module.params["backup"])
    else:
        report = backup_backup.back_up(settings, "by hand")
    if not report["ok"]:
        module.fail_json(msg=report.pop("problem"), **report)
    return dict(report, changed=True, path=os.path.join(settings.folder, report["backup"]))


def foreseen(module: AnsibleModule, settings: Settings) -> dict:
    """What check mode can say."""
    params = module.params
    if params["state"] == "present" or params["from_restic"]:
        return dict(changed=True, backup=params["backup"])
    path = backup_backup.chosen(folder_of(module, settings), params["backup"])
    result = dict(changed=True, backup=os.path.basename(path), path=path)
    manifest = dict(manifest=check(settings.site, path, params["backup_of"])) if params["state"] == "restored" else {}
    return dict(result, **manifest)


def install(module: AnsibleModule) -> bool:
    """Whether the program was another one."""
    folder = os.path.join(module.params["root"], "deployment")
    path, content = os.path.join(folder, backup_backup.PROGRAM), program.packed(backup_backup.MAIN)
    if module.check_mode:
        return program.differs(path, content)
    if not os.path.isdir(folder):
        module.fail_json(msg="%s is not set up here. Run `selfhost.flask.site`. Nothing was changed." % module.params["name"])
    return program.write_program(path, content)


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            SITE,
            **RECORDS,
            **lock_options("a restoration"),
            state=dict(type="str", choices=["present", "restored", "drilled", "installed"], default="present"),
            folder=dict(type="path", required=True),
            backup=dict(type="str", default=""),
            from_restic=dict(type="bool", default=False),
            backup_of=dict(type="str", default=""),
            source=dict(type="path"),
            settings=dict(type="bool", default=False),
            workers=dict(type="list", elements="str", default=[]),
            patience=dict(type="int", default=30),
        ),
        supports_check_mode=True,
    )
    changed = install(module)
    if module.params["state"] == "installed":
        module.exit_json(changed=changed, backup="")
    try:
        settings = settings_of(module)
        work = restored if module.params["state"] == "restored" else made_or_tried
        result = (foreseen if module.check_mode else work)(module, settings)
    except PROBLEMS as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
