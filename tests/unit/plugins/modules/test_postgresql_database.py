# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an application gets on a server, and what is taken from it, by the statements."""

from __future__ import annotations

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.database import (
    postgresql_client,
    postgresql_login,
    postgresql_setup,
)
from ansible_collections.selfhost.flask.plugins.modules import postgresql_database

WANTED = {"name": "blog", "version": 15, "extensions": ["citext"]}
CHECK = {"_ansible_check_mode": True, "_ansible_diff": True}
BARE = {
    "FROM pg_roles": [["postgres", "f", "-1"]],
    "FROM pg_database\n": [["postgres", "postgres", "t"], ["template1", "postgres", "t"], ["template0", "postgres", "t"]],
    "server_version_num": [["150004"]],
    "pg_available_extensions": [["citext"], ["plpgsql"]],
    "pg_hba_file_rules": [],
    "pg_authid": [["", "f"]],
}
COMPLETE = {
    **BARE,
    "FROM pg_roles": [[name, "t", "-1"] for name in ("blog", "selfhost_loaders", "selfhost_passwords")] + [["postgres", "f", "-1"]],
    "FROM pg_database\n": [[name, owner, "f"] for name, owner in (("blog", "blog"), ("postgres", "postgres"), ("template1", "postgres"))],
    "pg_db_role_setting": [["schema"], ["path"], ["extension citext"], ["extension plpgsql"]],
}


@pytest.fixture
def server(monkeypatch):
    """What it answers, by a part of the question, and the statements that change something, each with its database."""
    found = {"answers": dict(BARE), "made": [], "starting": 0}

    def ask(query, database="postgres"):
        if found["starting"]:
            found["starting"] -= 1
            raise CommandError("FATAL: the database system is starting up")
        for part, rows in found["answers"].items():
            if part in query:
                return rows
        if query != "SELECT 1":
            found["made"].append((database, query))
        return []

    for module in (postgresql_client, postgresql_setup, postgresql_login, postgresql_database):
        monkeypatch.setattr(module, "ask", ask)
    monkeypatch.setattr(postgresql_database, "PAUSE", 0)
    return found


def test_a_bare_server_gets_all_of_it(server, run):
    assert run("postgresql_database", **WANTED)["changed"]
    rights = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
    assert server["made"] == [
        ("postgres", "CREATE ROLE selfhost_passwords NOLOGIN"), ("postgres", "CREATE ROLE selfhost_loaders NOLOGIN"),
        ("postgres", 'CREATE ROLE "blog" ' + rights),
        ("postgres", "CREATE DATABASE \"blog\" OWNER \"blog\" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'"),
        *(("postgres", 'REVOKE ALL ON DATABASE "%s" FROM PUBLIC' % name) for name in ("blog", "postgres", "template1")),
        ("blog", "CREATE SCHEMA extensions; GRANT USAGE ON SCHEMA extensions TO PUBLIC"),
        ("blog", 'ALTER DATABASE "blog" SET search_path = "$user", public, extensions'),
        ("blog", "ALTER SCHEMA public OWNER TO pg_database_owner; REVOKE CREATE ON SCHEMA public FROM PUBLIC"),
        ("blog", 'CREATE EXTENSION IF NOT EXISTS "citext" SCHEMA extensions CASCADE'),
    ]


def test_check_mode_says_it_and_makes_nothing(server, run):
    answer = run("postgresql_database", **WANTED, **CHECK)
    assert answer["changed"] and server["made"] == []
    assert "create the role blog\n" in answer["diff"][0]["prepared"] and len(answer["changes"]) == 11


def test_what_is_complete_is_left_alone(server, run):
    server["answers"] = COMPLETE
    assert run("postgresql_database", **WANTED)["changed"] is False and server["made"] == []


# what the server has instead, and what is done
MISFITS = {
    "a role that may do more": ({"FROM pg_roles": [["blog", "f", "-1"], *COMPLETE["FROM pg_roles"][1:]]}, 'ALTER ROLE "blog" LOGIN NOSUPERUSER'),
    "a bound that is not wanted": ({"FROM pg_roles": [["blog", "t", "5"], *COMPLETE["FROM pg_roles"][1:]]}, '"blog" CONNECTION LIMIT -1'),
    "another's database": ({"FROM pg_database\n": [["blog", "bob", "f"], *COMPLETE["FROM pg_database\n"][1:]]}, 'OWNER TO "blog"'),
    "a database for all": ({"FROM pg_database\n": [["blog", "blog", "t"], *COMPLETE["FROM pg_database\n"][1:]]}, 'REVOKE ALL ON DATABASE "blog"'),
    "a schema for all": ({"pg_db_role_setting": [*COMPLETE["pg_db_role_setting"], ["open"]]}, "REVOKE CREATE ON SCHEMA public"),
    "no extension": ({"pg_db_role_setting": COMPLETE["pg_db_role_setting"][:2]}, 'CREATE EXTENSION IF NOT EXISTS "citext"'),
    "a password that is not wanted": ({"pg_authid": [["SCRAM-SHA-256$1:eA==$x:y", "t"]]}, 'REVOKE "selfhost_passwords" FROM "blog"'),
}


@pytest.mark.parametrize("case", MISFITS)
def test_just_what_is_wrong_is_put_right(case, server, run):
    answers, text = MISFITS[case]
    server["answers"] = {**COMPLETE, **answers}
    assert run("postgresql_database", **WANTED)["changed"]
    ((dummy, made),) = server["made"]
    assert text in made


@pytest.mark.parametrize("update, count", [("always", 1), ("on_create", 0)])
def test_a_password_of_a_role_that_is_there_is_changed_where_no_deployment_does_it(update, count, server, run):
    server["answers"] = COMPLETE
    answer = run("postgresql_database", **WANTED, password="pelican4711", update_password=update, **{"_ansible_diff": True})
    assert len(server["made"]) == count and "pelican4711" not in str(server["made"]) + str(answer)
    assert all("PASSWORD 'SCRAM-SHA-256$4096:" in made and 'GRANT "selfhost_passwords"' in made for dummy, made in server["made"])


def test_a_server_that_reads_its_log_first_is_waited_for(server, run):
    server.update(answers=COMPLETE, starting=3)
    assert run("postgresql_database", **WANTED)["changed"] is False and server["starting"] == 0


REFUSALS = {
    "another version": ({"server_version_num": [["140011"]]}, "PostgreSQL 14 answers, and not 15. Its data stay as they are."),
    "no such extension": ({"pg_available_extensions": [["plpgsql"]]}, "There is no extension citext for PostgreSQL 15"),
    "a line that is none": ({"pg_hba_file_rules": [["7", "invalid connection type"]]}, "Line 7 of pg_hba.conf is refused"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_no_statement_puts_right_is_said_before_anything_is_made(case, server, run):
    answers, text = REFUSALS[case]
    server["answers"] = {**BARE, **answers}
    answer = run("postgresql_database", **WANTED)
    assert answer["failed"] and text in answer["msg"] and server["made"] == []


def test_a_server_that_is_stopped_is_said(server, run, monkeypatch):
    def ask(query):
        raise CommandError("psql: could not connect")

    monkeypatch.setattr(postgresql_database, "ask", ask)
    answer = run("postgresql_database", **WANTED)
    assert answer["failed"] and answer["msg"].startswith("PostgreSQL can't be asked: psql: could not connect\nSee `journalctl")


@pytest.mark.parametrize("answers", [BARE, COMPLETE])
def test_a_role_has_as_many_connections_as_it_may(answers, server, run):
    server["answers"] = answers
    run("postgresql_database", **WANTED, connections=60)
    assert ("postgres", 'ALTER ROLE "blog" CONNECTION LIMIT 60') in server["made"]
    server["answers"] = {**COMPLETE, "FROM pg_roles": [["blog", "t", "60"], *COMPLETE["FROM pg_roles"][1:]]}
    assert not run("postgresql_database", **WANTED, connections=60)["changed"]
