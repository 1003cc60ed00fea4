# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application's account on this host's MySQL or MariaDB: which passwords let it in.

An empty password stands for the system user of the same name, who needs none.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex

from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError, run
from ansible_collections.selfhost.flask.plugins.module_utils.database.dump import DatabaseError
from ansible_collections.selfhost.flask.plugins.module_utils.database.login import Login
from ansible_collections.selfhost.flask.plugins.module_utils.database.mysql_client import CLIENT, ask, checked

OWN_USERS = ("root", "mysql", "mariadb.sys", "mysql.sys", "mysql.session", "mysql.infoschema", "debian-sys-maint")
THERE = "User = '{name}' AND Host = 'localhost' AND EXISTS (SELECT 1 FROM information_schema.schemata WHERE schema_name %s Db)"
# Of an account: its rights on everything, on databases, and on parts of them; and what runs in its name.
RIGHTS = "SELECT COUNT(*) FROM information_schema.user_privileges WHERE privilege_type <> 'USAGE' AND " \
    "grantee = '''{name}''@''localhost'''; SELECT COUNT(*) FROM db WHERE " + THERE % "LIKE"
PARTS = ("tables_priv", "columns_priv", "procs_priv")
RIGHTS += "".join("; SELECT COUNT(*) FROM %s WHERE %s" % (table, THERE % "=") for table in PARTS)
RIGHTS += "".join(
    "; SELECT COUNT(*) FROM information_schema.%s WHERE definer = '{name}@localhost'" % table
    for table in ("views", "routines", "triggers", "events")
)
OPTIONS = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


class MySQLLogin(Login):
    """The account of an application, which has its system user's name, or of an installation by hand, whose .env names it."""

    def __init__(self, name: str) -> None:
        """DatabaseError where the name is one that root's clients could take for something else."""
        super().__init__(checked(name))

    def is_there(self) -> bool:
        """Whether this host's server has it; an address of this host can lead to another server, by a tunnel."""
        try:
            rows = ask("SELECT COUNT(*) FROM user WHERE User = '%s' AND Host = 'localhost'" % self.name, "mysql")
        except CommandError:
            return False
        return rows != [["0"]]

    def lets_in(self, password: str) -> bool:
        """Whether a password is valid; no argument has it in it."""
        argv, options = ["--user=" + self.name, "--execute=SELECT 1"], '[client]\npassword="%s"\n'
        try:
            if password:
                run([CLIENT, "--defaults-file=/dev/stdin", *argv], data=(options % password.translate(OPTIONS)).encode())
            else:
                run([CLIENT, "--no-defaults", *argv], self.name)
        except CommandError:
            return False
        return True

    def allow(self, *passwords: str) -> None:
        """These are valid from now on, the last one as the one that stays; no other is."""
        is_mariadb = "MariaDB" in ask("SELECT VERSION()", "mysql")[0][0]
        for statement in (self._mariadb if is_mariadb else self._mysql)(passwords):
            self._ask("ALTER USER '%s'@'localhost' %s" % (self.name, statement))

    def has_rights(self) -> bool:
        """What was granted on a database that is gone stays, and counts for none. What others made may run in its name."""
        rows = ask(RIGHTS.format(name=self.name), "mysql")
        return any(count != "0" for row in rows for count in row) or not rows

    def is_servers_own(self) -> bool:
        return self.name.lower() in OWN_USERS

    def by_hand(self) -> str:
        return "sudo %s --execute=%s" % (os.path.basename(CLIENT), shlex.quote("DROP USER '%s'@'localhost'" % self.name))

    def remove(self) -> None:
        ask("DROP USER IF EXISTS '%s'@'localhost'" % self.name, "mysql")

    def _mariadb(self, passwords: tuple) -> list:
        ways = ["mysql_native_password USING '%s'" % native_hash(one) if one else "unix_socket" for one in passwords]
        return ["IDENTIFIED VIA " + " OR ".join(ways)]

    def _mysql(self, passwords: tuple) -> list:
        """It knows two passwords at a time, but no password beside a system user."""
        if not passwords[-1]:
            return ["IDENTIFIED WITH auth_socket"]
        ways = ["IDENTIFIED WITH caching_sha2_password BY '%s'" % escaped(one) for one in passwords if one]
        if len(ways) > 1:
            return ways[:-1] + [ways[-1] + " RETAIN CURRENT PASSWORD"]
        return ways + ["DISCARD OLD PASSWORD"]

    def _ask(self, statement: str) -> None:
        """What is said of an error may have a part of the statement in it, and with that of a password."""
        try:
            ask("SET SESSION sql_mode = ''; " + statement, "mysql")
        except CommandError as error:
            code = re.search(r"ERROR \d+ \(\w+\)", str(error))
            said = code.group() if code else "the server can't be asked"
            raise DatabaseError(
                "The password of the database user %s can't be set: %s. See `journalctl -u mysql`." % (self.name, said)
            ) from None


def native_hash(password: str) -> str:
    """What MariaDB keeps of a password."""
    return "*" + hashlib.sha1(hashlib.sha1(password.encode()).digest()).hexdigest().upper()


def escaped(password: str) -> str:
    """A password as a part of a quoted text in SQL."""
    return password.replace("\\", "\\\\").replace("'", "\\'")
