# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application's role on this host's PostgreSQL: whether its system user is enough, or which password it has to give.

pg_hba.conf asks the members of a group for a password, and knows all others by their system user. A role has one password
at a time. While two are to be valid, nobody is asked for any: the system user of the role's name gets in with both.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import shlex
import stringprep
import unicodedata

from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.database.dump import DatabaseError
from ansible_collections.selfhost.flask.plugins.module_utils.database.login import Login
from ansible_collections.selfhost.flask.plugins.module_utils.database.postgresql_client import ADMIN, ask, literal, quoted

ASKED = "selfhost_passwords"  # the group whose members are asked for their passwords
LOADER = "__loader"  # behind its name, of the role that loads copies
METHOD = "SCRAM-SHA-256"
ITERATIONS = 4096


class PostgreSQLLogin(Login):
    """The role of an application, which has its system user's name."""

    def is_there(self) -> bool:
        query = "SELECT 1 FROM pg_roles WHERE rolcanlogin AND rolname = %s AND EXISTS (SELECT FROM pg_roles WHERE rolname = %s)"
        try:
            return ask(query % (literal(self.name), literal(ASKED))) == [["1"]]
        except CommandError:
            return False

    def lets_in(self, password: str) -> bool:
        """By what the server keeps of it; a try would tell nothing of who is not asked for one."""
        rows = ask(
            "SELECT COALESCE(rolpassword, ''), pg_has_role(oid, %s, 'member') FROM pg_authid WHERE rolname = %s"
            % (literal(ASKED), literal(self.name))
        )
        secret, is_asked = rows[0] if rows else ("", "f")
        if is_asked != "t":
            return not password and bool(rows)
        return bool(password) and is_secret_of(password, secret)

    def allow(self, *passwords: str) -> None:
        is_asked = len(set(passwords)) == 1 and bool(passwords[0])
        statement = self._password(passwords[-1])
        verb = "GRANT %s TO %s" if is_asked else "REVOKE %s FROM %s"
        self._ask(statement + verb % (quoted(ASKED), quoted(self.name)))

    def has_rights(self) -> bool:
        """On everything. The server itself refuses to drop a role that owns something or was granted something."""
        rows = ask(
            "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls FROM pg_roles WHERE rolname = %s"
            % literal(self.name)
        )
        return rows == [["t"]]

    def is_servers_own(self) -> bool:
        return self.name == ADMIN or self.name.startswith("pg_")

    def by_hand(self) -> str:
        return "sudo -u %s dropuser %s" % (ADMIN, shlex.quote(self.name))

    def remove(self) -> None:
        """With the role that has loaded copies for it."""
        for name in (self.name + LOADER, self.name):
            ask("DROP ROLE IF EXISTS %s" % quoted(name))

    def _password(self, password: str) -> str:
        return "ALTER ROLE %s PASSWORD %s; " % (quoted(self.name), literal(secret_of(password)) if password else "NULL")

    def _ask(self, statement: str) -> None:
        """What is said of an error may have a part of the statement in it, and with that what proves a password."""
        try:
            ask("SET log_statement = 'none'; SET log_min_error_statement = 'panic'; " + statement)
        except CommandError:
            raise DatabaseError(
                "The password of the database role %s can't be set. See /var/log/postgresql." % self.name
            ) from None


def secret_of(password: str, salt: bytes = b"", iterations: int = ITERATIONS) -> str:
    """What the server keeps of a password, which it is never told."""
    salt = salt or os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", prepared(password), salt, iterations)
    stored = hashlib.sha256(_sign(salted, b"Client Key")).digest()
    texts = [base64.b64encode(one).decode() for one in (salt, stored, _sign(salted, b"Server Key"))]
    return "%s$%d:%s$%s:%s" % (METHOD, iterations, *texts)


def is_secret_of(password: str, secret: str) -> bool:
    """Whether the server keeps this of a password."""
    method, dummy, rest = secret.partition("$")
    iterations, dummy, salt = rest.partition("$")[0].partition(":")
    if method != METHOD or not iterations.isdigit():
        return False
    return hmac.compare_digest(secret_of(password, base64.b64decode(salt), int(iterations)), secret)


def prepared(password: str) -> bytes:
    """A password as the clients send it, by SASLprep (RFC 4013); one that this has no use for goes as it is."""
    if password.isascii():
        return password.encode()
    signs = (" " if stringprep.in_table_c12(one) else one for one in password if not stringprep.in_table_b1(one))
    return unicodedata.ucd_3_2_0.normalize("NFKC", "".join(signs)).encode()


def _sign(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha256).digest()
