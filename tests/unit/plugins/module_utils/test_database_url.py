# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.database.data import database_of
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

# what .env says, and the database's kind and name; None where it can't be dumped here
URLS = {
    "mysql://blog:pw@localhost/blog": ("mysql", "blog"),
    "mysql+pymysql://blog:p%40ss%2Fw@127.0.0.1:3306/blog?charset=utf8mb4": ("mysql", "blog"),
    "mariadb+mariadbconnector://blog:pw@[::1]/blog": ("mysql", "blog"),
    "mysql://blog:pw@/blog?unix_socket=/run/mysqld/mysqld.sock": ("mysql", "blog"),
    "mysql+pymysql:///blog": ("mysql", "blog"),
    "mysql://blog:pw@db.example.com/blog": None,
    "mysql://blog:pw@localhost/": None,
    "mysql://blog:pw@localhost": None,
    "sqlite:////srv/blog/shared/data/blog.db": ("sqlite", "/srv/blog/shared/data/blog.db"),
    "sqlite+pysqlite:////srv/blog/a b.db?timeout=5": ("sqlite", "/srv/blog/a b.db"),
    "sqlite:///relative.db": None,
    "sqlite://": None,
    "sqlite:///:memory:": None,
    "postgresql://blog:pw@localhost/blog": None,
    "blog.db": None,
    "": None,
    # What SQLAlchemy takes as it is: a password that is not escaped, and a name that looks as if it were.
    "mysql+pymysql://blog:a/b@localhost/blog": ("mysql", "blog"),
    "mysql+pymysql://blog:a#b@localhost/blog": ("mysql", "blog"),
    "mysql+pymysql://blog:a?b@localhost/blog": ("mysql", "blog"),
    "mysql+pymysql://blog:a[b@localhost/blog": ("mysql", "blog"),
    "sqlite:////srv/blog/a%20b.db": ("sqlite", "/srv/blog/a%20b.db"),
    "sqlite:////srv/blog/a#b.db": ("sqlite", "/srv/blog/a#b.db"),
}


@pytest.fixture
def site(tmp_path):
    """An application's place, with an empty .env."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/.env").touch()
    return Site("blog", str(tmp_path), "")


def kind_and_name(database):
    return database and (database.kind, database.name)


@pytest.mark.parametrize("url", URLS)
def test_which_database_a_url_is_about(url, site):
    with open(site.path("shared/.env"), "w", encoding="utf-8") as file:
        file.write("SECRET_KEY=x\nDATABASE_URL='%s'\n" % url)
    assert kind_and_name(database_of(site)) == URLS[url]


@pytest.mark.parametrize("env", [None, "", "SECRET_KEY=x\n", "DATABASE_URL=\n"])
def test_without_a_url_there_is_no_database(env, site):
    if env is None:
        os.unlink(site.path("shared/.env"))
    else:
        with open(site.path("shared/.env"), "w", encoding="utf-8") as file:
            file.write(env)
    assert database_of(site) is None


def test_a_sqlite_file_is_opened_by_the_application_s_user(site):
    with open(site.path("shared/.env"), "w", encoding="utf-8") as file:
        file.write("DATABASE_URL=sqlite:////srv/blog/blog.db\n")
    assert database_of(site).user == "blog"
