# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.database import postgresql_login
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import DatabaseError
from ansible_collections.selfhost.flask.plugins.module_utils.database.drivers import account_in
from ansible_collections.selfhost.flask.plugins.module_utils.database.postgresql_login import (
    PostgreSQLLogin,
    is_secret_of,
    prepared,
    secret_of,
)

NASTY = "p%4$#'\"@/ :\\w"
QUOTED = "p%254%24%23%27%22%40%2F%20%3A%5Cw"
# What a server of version 15 keeps of this password with this salt.
PENCIL = (
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
)
URLS = {
    "postgresql+psycopg://blog:%s@/blog?host=/run/postgresql" % QUOTED: NASTY,
    "postgresql+psycopg://blog@/blog?host=/run/postgresql": "",
    "postgres://blog:x@localhost:5432/blog": "x",
    "postgresql://blog:x@localhost:5433/blog": None,
    "postgresql://shop:x@/blog": None,
    "postgresql://blog:x@/blog?host=db.example.com": None,
}


@pytest.mark.parametrize("url", URLS)
def test_a_password_is_the_one_of_this_hosts_role(url, tmp_path):
    (tmp_path / ".env").write_text("DATABASE_URL='%s'\n" % url)
    account = account_in(str(tmp_path / ".env"), "blog")
    assert account.password == URLS[url] and (account.login is None) == (URLS[url] is None)
    assert account.login is None or isinstance(account.login, PostgreSQLLogin)


def test_a_password_is_kept_as_the_standard_says():
    assert secret_of("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")) == PENCIL
    assert is_secret_of("pencil", PENCIL) and not is_secret_of("Pencil", PENCIL)
    assert not is_secret_of("", "") and not is_secret_of("x", "md5d41d8cd98f00b204e9800998ecf8427e")
    assert secret_of(NASTY) != secret_of(NASTY) and is_secret_of(NASTY, secret_of(NASTY))


@pytest.mark.parametrize("password, sent", [("I\u00adX", "IX"), ("\u2168", "IX"), ("a\u00a0b", "a b"), ("n\u0303", "\u00f1")])
def test_a_password_is_prepared_as_clients_do(password, sent):
    assert prepared(password) == sent.encode()


class Server:
    """A role with what is kept of its password, and whether it is asked for it."""

    def __init__(self):
        self.secret, self.is_asked, self.asked, self.problem = "", "f", [], ""

    def ask(self, query):
        self.asked.append(query)
        if self.problem:
            raise CommandError(self.problem)
        if "pg_authid" in query:
            return [[self.secret, self.is_asked]]
        if "ALTER ROLE" in query:
            self.secret = "" if "PASSWORD NULL" in query else query.partition("PASSWORD '")[2].partition("'")[0]
            self.is_asked = "t" if 'GRANT "selfhost_passwords" TO "blog"' in query else "f"
            assert self.is_asked == "t" or 'REVOKE "selfhost_passwords" FROM "blog"' in query
        return []


@pytest.fixture
def server(monkeypatch):
    found = Server()
    monkeypatch.setattr(postgresql_login, "ask", found.ask)
    return found


def valid(*passwords):
    return [one for one in passwords if PostgreSQLLogin("blog").lets_in(one)]


def test_a_role_with_a_password_has_to_give_it(server):
    assert valid("", "old") == [""]
    PostgreSQLLogin("blog").allow("old")
    assert valid("", "old", "new") == ["old"]
    assert not any("'old'" in query for query in server.asked)


def test_while_two_are_valid_nobody_is_asked_for_one(server):
    PostgreSQLLogin("blog").allow("old")
    PostgreSQLLogin("blog").allow("old", "new")
    assert server.is_asked == "f"
    PostgreSQLLogin("blog").allow("new")
    assert valid("", "old", "new") == ["new"]
    PostgreSQLLogin("blog").allow("new", "")
    PostgreSQLLogin("blog").allow("")
    assert valid("", "new") == [""] and server.secret == ""


def test_an_error_tells_nothing_of_a_password(server):
    server.problem = "ERROR: near SCRAM-SHA-256$4096:c2FsdA=="
    with pytest.raises(DatabaseError, match=r"role blog can't be set\. See"):
        PostgreSQLLogin("blog").allow("pelican4711")
    assert not PostgreSQLLogin("blog").is_there()
