# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps of PostgreSQL: the statements on a server that knows only those."""

from __future__ import annotations

import io
import json
import re

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.database import (
    postgresql,
    postgresql_client,
    postgresql_load,
)
from ansible_collections.selfhost.flask.plugins.module_utils.database.data import data_of
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import DatabaseError
from ansible_collections.selfhost.flask.plugins.module_utils.database.postgresql import PostgreSQL
from ansible_collections.selfhost.flask.plugins.module_utils.database.postgresql_client import ask, psql
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

MANIFEST = {"tables": {"posts": [2, 2], "likes": [0, 3], "it's": [1, 1]}, "revision": ["a1"]}


class Server:
    """As much of PostgreSQL as the statements need; who asked what, and what was loaded."""

    def __init__(self):
        self.schemas = [["extensions", "f"], ["more", "t"], ["public", "t"]]
        self.tables = [["more", "odd \" name"], ["public", "alembic_version"], ["public", "posts"]]
        self.extensions = [["citext", "extensions", "t"]]
        self.owner = ["blog", "f"]
        self.asked, self.run_as, self.fed = [], [], []
        self.busy, self.problem = 0, ""

    def ask(self, query, database="postgres"):
        self.asked.append((database, " ".join(query.split())))
        for part, rows in (
            ("server_version_num", [["150004"]]), ("rolsuper", [self.owner]), ("nspowner = datdba", self.schemas),
            ("pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN", self.tables),
            ("extrelocatable", self.extensions), ("datcollate", [["UTF8", "C.UTF-8", "C.UTF-8"]]),
            ("version_num", [["b2"], ["a1"]]), ("pg_database_size", [["4096"]]),
            ("format_type", [["public", "posts", "body", "extensions.citext"], ["extensions", "t", "x", "text"]]),
        ):
            if part in " ".join(query.split()):
                return [list(row) for row in rows]
        if "COUNT(*)" in query:
            return [[name.replace("''", "'"), "2"] for name in re.findall(r"SELECT '((?:[^']|'')+)', COUNT", query)]
        moved = re.search(r'ALTER EXTENSION "(\w+)" SET SCHEMA (\w+)', query)
        if moved:
            self.extensions = [[name, moved[2] if name == moved[1] else where, may] for name, where, may in self.extensions]
        return []

    def run(self, argv, user="", data=b""):
        self.run_as.append((user, argv, data.decode()))
        if self.busy:
            self.busy -= 1
            raise CommandError("ERROR: canceling statement due to lock timeout")

    def feed(self, argv, source, user=""):
        self.fed.append((user, argv, b"".join(iter(lambda: source.read(7), b"")).decode()))
        if self.problem:
            raise CommandError(self.problem)


@pytest.fixture
def server(monkeypatch):
    found = Server()
    for module in (postgresql, postgresql_load, postgresql_client):
        monkeypatch.setattr(module, "ask", found.ask)
    monkeypatch.setattr(postgresql_load, "run", found.run)
    monkeypatch.setattr(postgresql_load, "feed", found.feed)
    monkeypatch.setattr(postgresql, "program_of", lambda major, name: "/%d/%s" % (major, name))
    return found


def dump(**needs):
    return io.BytesIO(b"-- selfhost.flask: %s\nCREATE TABLE public.posts ();\n" % json.dumps({"version": 15, "extensions": [], **needs}).encode())


def load(scratch=False, source=None):
    PostgreSQL("blog", "blog").load(source or dump(), MANIFEST, scratch)


def test_says_what_is_in_it(server):
    database = PostgreSQL("blog", "blog")
    assert database.tables() == {'more.odd " name': 2, "alembic_version": 2, "posts": 2}
    assert 'FROM "more"."odd "" name"' in server.asked[-1][1]
    assert (database.revision(), database.size()) == (["a1", "b2"], 4096)
    assert database.schema() == {'more.odd " name': {}, "alembic_version": {}, "posts": {"body": "citext"}}
    server.tables = []
    assert (database.tables(), database.revision()) == ({}, [])


def test_a_superusers_questions_run_no_code_of_the_applications(monkeypatch):
    said = []
    monkeypatch.setattr(postgresql_client, "run", lambda *words: said.append(words) or b'1,"a ""b"",\nc"\n')
    assert ask("SELECT 1", "blog") == [["1", 'a "b",\nc']]
    argv, user, text = said[0]
    assert user == "postgres" and text.startswith(b"SET search_path = pg_catalog;\n") and text.endswith(b"SELECT 1")
    assert argv[-3:] == ["--host=/run/postgresql", "--username=postgres", "--dbname=blog"] and "SELECT" not in " ".join(argv)


@pytest.mark.parametrize("name", ["host=evil", "postgresql://evil/x", "-x", "", "a'b", "a\nb", "/tmp"])
def test_a_name_that_a_client_takes_for_an_address_is_refused(name):
    with pytest.raises(DatabaseError, match="Rename it"):
        psql(name)


def test_a_dump_is_loaded_beside_what_is_there_in_one_transaction(server):
    load()
    ((user, argv, text),) = server.fed
    assert user == "blog" and argv[-2:] == ["--username=blog__loader", "--dbname=blog"]
    first, dummy, rest = text.partition("CREATE TABLE public.posts ();\n")
    assert first.splitlines() == [
        "BEGIN;", 'SET ROLE "blog";', 'ALTER SCHEMA "more" RENAME TO "more__replaced";',
        'ALTER SCHEMA "public" RENAME TO "public__replaced";', "CREATE SCHEMA public AUTHORIZATION pg_database_owner;",
        "GRANT USAGE ON SCHEMA public TO PUBLIC;", "COMMENT ON SCHEMA public IS 'standard public schema';",
        "SELECT lo_unlink(oid) FROM pg_largeobject_metadata WHERE lomowner = current_user::regrole;",
    ]
    assert """wanted jsonb := '{"posts": 2, "likes": null, "it''s": 1}'""" in rest
    assert rest.endswith("END $selfhost$;\nCOMMIT;\nANALYZE;\n")
    ((user, argv, drop),) = server.run_as
    assert user == "blog" and drop.endswith('DROP SCHEMA IF EXISTS "more__replaced", "public__replaced" CASCADE')


def test_the_role_that_loads_is_there_for_just_so_long(server):
    server.problem = "ERROR: what was loaded differs from the dump"
    with pytest.raises(CommandError, match="differs"):
        load()
    roles = [query for dummy, query in server.asked if "ROLE" in query]
    assert roles[0].endswith('CREATE ROLE "blog__loader" LOGIN IN ROLE "blog", "selfhost_loaders"')
    assert roles[1:] == ['DROP ROLE IF EXISTS "blog__loader"'] and server.run_as == []


def test_a_dump_that_is_only_tried_is_loaded_into_another_database(server):
    load(scratch=True, source=dump(extensions=[["citext", "extensions"]]))
    ((dummy, argv, text),) = server.fed
    assert argv[-1] == "--dbname=blog__tried" and "RENAME" not in text and server.run_as == []
    made = [query for dummy, query in server.asked if "CREATE DATABASE" in query]
    assert "OWNER \"blog\" ENCODING 'UTF8' LC_COLLATE 'C.UTF-8'" in made[0]
    assert ("blog__tried", [query for where, query in server.asked if "CREATE EXTENSION" in query][0]) in server.asked
    assert server.asked[-1][1].startswith('DROP DATABASE IF EXISTS "blog__tried";')


@pytest.mark.parametrize("busy, tries", [(3, 4), (1000, postgresql_load.ATTEMPTS)])
def test_old_tables_wait_for_who_reads_them_and_are_no_obstacle(busy, tries, server):
    server.schemas.append(["public__replaced", "t"])
    server.busy = busy
    load()
    assert [text.partition("EXISTS ")[2] for dummy, dummy, text in server.run_as[:1]] == ['"public__replaced" CASCADE']
    assert len(server.fed) == 1 and len(server.run_as) >= tries


def test_a_dump_of_a_newer_server_or_of_another_kind_is_refused(server):
    with pytest.raises(DatabaseError, match="is of PostgreSQL 17, and the server is PostgreSQL 15"):
        load(source=dump(version=17))
    with pytest.raises(DatabaseError, match="not a dump of PostgreSQL"):
        load(source=io.BytesIO(b"-- MariaDB dump\n"))
    assert server.fed == []


def test_a_database_of_a_superuser_is_not_loaded_as_that(server):
    server.owner = ["postgres", "t"]
    with pytest.raises(DatabaseError, match='belongs to postgres. `sudo -u postgres psql -c \'ALTER DATABASE "blog" OWNER TO'):
        load()


@pytest.fixture
def dumped(monkeypatch):
    """What pg_dump was called with, and what it says."""
    said = {"argv": [], "end": b"-- PostgreSQL database dump complete\n"}
    monkeypatch.setattr(postgresql, "output_of", lambda argv, user: said["argv"].append((user, argv)) or iter([b"x", said["end"]]))
    return said


def test_a_dump_says_what_it_needs(server, dumped):
    first, *rest = PostgreSQL("blog", "blog").content()
    assert json.loads(first.partition(b": ")[2]) == {"version": 15, "extensions": [["citext", "extensions"]]}
    ((user, argv),) = dumped["argv"]
    assert user == "postgres" and argv[0] == "/15/pg_dump" and argv[-1] == "--dbname=blog"
    assert {'--exclude-schema="extensions"', "--exclude-schema=*__replaced", "--no-owner"} <= set(argv)
    dumped["end"] = b"COPY"
    with pytest.raises(DatabaseError, match="did not come to its end"):
        list(PostgreSQL("blog", "blog").content())


def test_an_extension_that_a_migration_made_is_moved_out_of_the_way(server, dumped):
    server.extensions = [["citext", "public", "t"]]
    first, *rest = PostgreSQL("blog", "blog").content()
    assert b'["citext", "extensions"]' in first
    server.extensions = [["postgis", "public", "f"]]
    with pytest.raises(DatabaseError, match="The extension postgis is in the application's own schema public and can't be moved"):
        list(PostgreSQL("blog", "blog").content())


def test_a_server_without_its_own_programs_is_said():
    with pytest.raises(DatabaseError, match="Install postgresql-client-9"):
        postgresql_client.program_of(9, "pg_dump")


def test_only_a_server_that_was_set_up_for_it_is_copied(tmp_path, monkeypatch):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/.env").write_text("DATABASE_URL=postgresql://blog@/blog?host=/run/postgresql\n")
    site = Site("blog", str(tmp_path), "")
    monkeypatch.setattr(postgresql, "SETTINGS", str(tmp_path / "*.conf"))
    assert data_of(site, {}).missing == ("the PostgreSQL database blog",)
    (tmp_path / "selfhost.conf").touch()
    assert data_of(site, {}).pairs() == [["postgresql", "blog"]] and data_of(site, {}).missing == ()


def test_it_is_removed_with_what_a_drill_has_left_whoever_is_connected(server):
    PostgreSQL("blog").remove()
    assert [query for _, query in server.asked] == [
        'DROP DATABASE IF EXISTS "blog__tried" WITH (FORCE)', 'DROP DATABASE IF EXISTS "blog" WITH (FORCE)',
    ]


def test_whether_it_is_there_is_asked_where_there_is_a_server(server, monkeypatch):
    monkeypatch.setattr(postgresql.shutil, "which", lambda name: name)
    monkeypatch.setattr(postgresql, "ask", lambda query: [["1" if "'blog'" in query else "0"]])
    assert PostgreSQL("blog").is_there() and not PostgreSQL("shop").is_there()
    monkeypatch.setattr(postgresql.shutil, "which", lambda name: None)
    assert not PostgreSQL("blog").is_there()
