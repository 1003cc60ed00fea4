# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.database import mysql_client, mysql_login
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import DatabaseError
from ansible_collections.selfhost.flask.plugins.module_utils.database.drivers import account_in
from ansible_collections.selfhost.flask.plugins.module_utils.database.mysql_login import MySQLLogin

NASTY = "p%4$#'\"@/ :\\w"
QUOTED = "p%254%24%23%27%22%40%2F%20%3A%5Cw"
TAIL = "localhost/blog?unix_socket=/run/mysqld/mysqld.sock"

URLS = {
    "mysql+pymysql://blog:%s@%s" % (QUOTED, TAIL): NASTY,
    "mysql+pymysql://blog@" + TAIL: "",
    "mariadb://blog:x@127.0.0.1:3306/blog": "x",
    "mysql://blog:x@127.0.0.1:3307/blog": None,
    "mysql://shop:x@" + TAIL: None,
    "mysql://blog:x@db.example.com/blog": None,
    "mysql://localhost/blog": None,
    "sqlite:////srv/blog/shared/instance/blog.db": None,
    "": None,
}


@pytest.mark.parametrize("url", URLS)
def test_a_password_is_the_one_of_this_hosts_account(url, tmp_path):
    (tmp_path / ".env").write_text("DATABASE_URL='%s'\n" % url.replace("'", ""))
    account = account_in(str(tmp_path / ".env"), "blog")
    assert account.password == URLS[url] and (account.login is None) == (URLS[url] is None)
    assert account_in(str(tmp_path / "none"), "blog").password is None


class Server:
    """What the client is asked, and what it answers."""

    def __init__(self, version):
        self.version, self.argv, self.data, self.users, self.problem = version, [], [], [], ""

    def run(self, argv, user="", data=b""):
        self.argv.append(argv)
        self.users.append(user)
        self.data.append(data.decode())
        if self.problem and "VERSION" not in self.data[-1]:
            raise CommandError(self.problem)
        return self.version.encode()

    def statements(self):
        begin = "SET SESSION sql_mode = ''; ALTER USER 'blog'@'localhost' "
        return [sql[len(begin):] for sql in self.data if sql.startswith(begin)]


@pytest.fixture
def server(monkeypatch):
    def server(version="10.11.19-MariaDB-0+deb12u1"):
        found = Server(version)
        for module in (mysql_client, mysql_login):
            monkeypatch.setattr(module, "run", found.run)
        return found

    return server


OLD = "*D5D9F81F5542DE067FFF5FF7A4CA4BDD322C578F"  # of "user"
MARIADB = {
    ("user",): ["IDENTIFIED VIA mysql_native_password USING '%s'" % OLD],
    ("",): ["IDENTIFIED VIA unix_socket"],
    ("", "user"): ["IDENTIFIED VIA unix_socket OR mysql_native_password USING '%s'" % OLD],
}
MYSQL = {
    ("old",): ["IDENTIFIED WITH caching_sha2_password BY 'old'", "DISCARD OLD PASSWORD"],
    ("",): ["IDENTIFIED WITH auth_socket"],
    ("old", ""): ["IDENTIFIED WITH auth_socket"],
    ("", "new"): ["IDENTIFIED WITH caching_sha2_password BY 'new'", "DISCARD OLD PASSWORD"],
    ("old", "n'e\\w"): [
        "IDENTIFIED WITH caching_sha2_password BY 'old'",
        "IDENTIFIED WITH caching_sha2_password BY 'n\\'e\\\\w' RETAIN CURRENT PASSWORD",
    ],
}


@pytest.mark.parametrize("version, passwords, statements", [
    *(("10.11.19-MariaDB", passwords, expected) for passwords, expected in MARIADB.items()),
    *(("8.4.3", passwords, expected) for passwords, expected in MYSQL.items()),
])
def test_several_passwords_are_valid_at_a_time(version, passwords, statements, server):
    found = server(version)
    MySQLLogin("blog").allow(*passwords)
    assert found.statements() == statements
    assert not any(one and one in " ".join(argv) for one in passwords for argv in found.argv)


def test_asks_as_the_application_would_log_in(server):
    found = server()
    assert MySQLLogin("blog").lets_in(NASTY) and MySQLLogin("blog").lets_in("")
    assert found.users == ["", "blog"]
    assert found.data[0] == '[client]\npassword="p%4$#\'\\"@/ :\\\\w"\n' and "4$#" not in str(found.argv)
    found.problem = "`mysql` ended with exit code 1: Access denied"
    assert not MySQLLogin("blog").lets_in(NASTY)


def test_an_error_does_not_tell_a_password(server):
    found = server("8.4.3")
    found.problem = "`mysql` ended with exit code 1: ERROR 1064 (42000) at line 1: near 'pelican4711'"
    with pytest.raises(DatabaseError, match=r"user blog can't be set: ERROR 1064 \(42000\)\. See"):
        MySQLLogin("blog").allow("pelican4711")


@pytest.mark.parametrize("name", ["a' OR '1'='1", "a\\", "a\n\\! id", "--execute=\\! id"])
def test_an_account_whose_name_is_not_safe_is_never_asked_for(name, server):
    found = server()
    with pytest.raises(DatabaseError, match="not safe"):
        MySQLLogin(name).remove()
    assert found.argv == []


TABLES = ("user_privileges", " db ", "tables_priv", "columns_priv", "procs_priv", "views", "routines", "triggers", "events")


@pytest.mark.parametrize("table", [*TABLES, ""])
def test_rights_of_every_kind_keep_an_account(table, server, monkeypatch):
    asked = []

    def run(argv, user="", data=b""):
        asked.extend(one for one in data.decode().split("; ") if "blog" in one)
        counts = [bool(table) and table in one.replace("information_schema.schemata", "") for one in asked]
        return "".join("%d\n" % count for count in counts).encode()

    monkeypatch.setattr(mysql_client, "run", run)
    assert MySQLLogin("blog").has_rights() == bool(table)
    assert "grantee = '''blog''@''localhost'''" in asked[0] and "<> 'USAGE'" in asked[0]


def test_an_answer_that_is_none_keeps_an_account(server, monkeypatch):
    monkeypatch.setattr(mysql_client, "run", lambda *arguments, **about: b"")
    assert MySQLLogin("blog").has_rights()
