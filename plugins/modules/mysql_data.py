#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_data
short_description: Makes the data directory of a database server again whose installation was cut short
version_added: 0.1.0
description:
  - For a server that does not start, or lets nobody in. A full disk or a kill while its package was configured
    leaves half a data directory, and the package takes that for a whole one.
  - Where the directory has nobody's data, it is emptied, and the package makes it again. It has nobody's data
    where there is no database beside the server's own, no file that the server did not write, and no trace of
    a start that succeeded.
  - Otherwise nothing is changed, and the module fails with the problem that the server has.
  - Knows MariaDB and MySQL, as Debian and Ubuntu package them.
author: The selfhost.flask developers (@selfhost)
attributes:
  check_mode:
    description: Says whether the directory would be made again.
    support: full
  diff_mode:
    description: There is no text to compare.
    support: none
  idempotent:
    description: It is for a server that has a problem; what is there is made again each time.
    support: none
options:
  problem:
    description: What the server's start, or the first question to it, said.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Make the data directory again, unless it has anybody's data
  selfhost.flask.mysql_data:
    problem: "{{ ansible_failed_result.msg }}"
"""

RETURN = r"""
path:
  description: The data directory.
  type: str
  returned: success
  sample: /var/lib/mysql
"""

import glob
import os
import re
import shutil

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.host.packages import ENVIRONMENT, PackageError, Packages

FOLDER = "/var/lib/mysql"
SCRIPTS = "/var/lib/dpkg/info"
# What an installation makes. A server that has once started has written more, such as mysql_upgrade_info.
OWN_DATABASES = ("mysql", "performance_schema", "sys", "lost+found")
OWN_FILES = re.compile(
    r"#|(ibdata|ib_logfile|ibtmp|ib_buffer_pool|undo_?\d|binlog\.|aria_log|ddl_recovery|multi-master\.info|tc\.log"
    r"|mysql\.ibd|auto\.cnf|debian-.*\.flag|mysqld.*\.pid|(ca|ca-key|(client|server)-(cert|key)|(private|public)_key)\.pem)"
)
LEFT = (
    "The database server does not run: %s The files in %s were left as they are, because of %s in it. "
    "`journalctl -u mysql` and the server's log say more. Put that right, then run the playbook again."
)
FULL = "%s could not be created again: %s\nMake room on its disk (`df -h %s`), then run the playbook again."


def data_folder(module: AnsibleModule) -> str:
    """Where the server has its files."""
    program = module.get_bin_path("my_print_defaults")
    out = module.run_command([program, "mysqld", "server", "mariadb", "mariadbd"])[1] if program else ""
    found = re.findall(r"(?m)^--datadir=(.+)$", out)
    return os.path.realpath(found[-1] if found else FOLDER)


def belongings(folder: str) -> list:
    """What is in the folder that is not of an installation alone."""
    found = []
    for entry in os.scandir(folder) if os.path.isdir(folder) else []:
        own = entry.name in OWN_DATABASES if entry.is_dir(follow_symlinks=False) else False
        if not own and not OWN_FILES.match(entry.name):
            found.append(entry.name)
    return sorted(found)


def package() -> str:
    """The package that makes the data directory, which is the one whose script does so."""
    for path in glob.glob(SCRIPTS + "/m*sql-server*.postinst") + glob.glob(SCRIPTS + "/mariadb-server*.postinst"):
        with open(path, encoding="utf-8") as file:
            if re.search("install[_-]db|--initialize", file.read()):
                return os.path.basename(path)[: -len(".postinst")]
    return ""


def make_again(module: AnsibleModule, folder: str, name: str) -> None:
    """Empties the folder, and lets the package fill it as at its first installation."""
    module.run_command(["systemctl", "stop", "mysql"])
    for entry in os.scandir(folder) if os.path.isdir(folder) else []:
        if entry.is_dir(follow_symlinks=False) and entry.name != "lost+found":
            shutil.rmtree(entry.path)
        elif entry.name != "lost+found":
            os.unlink(entry.path)
    with Packages(module, 600).alone():
        code, out, err = module.run_command(["dpkg-reconfigure", name], environ_update=ENVIRONMENT)
    if code:
        module.fail_json(msg=FULL % (folder, (err or out).strip()[-1000:], folder))


def main() -> None:
    module = AnsibleModule(argument_spec=dict(problem=dict(type="str", required=True)), supports_check_mode=True)
    folder, name = data_folder(module), package()
    found = belongings(folder)
    if found or not name:
        module.fail_json(msg=LEFT % (module.params["problem"], folder, ", ".join(found) or "an unknown package"))
    if not module.check_mode:
        try:
            make_again(module, folder, name)
        except (PackageError, OSError) as error:
            module.fail_json(msg="%s can't be created again: %s\nPut that right, then run the playbook again." % (folder, error))
    module.exit_json(changed=True, path=folder)


if __name__ == "__main__":
    main()
