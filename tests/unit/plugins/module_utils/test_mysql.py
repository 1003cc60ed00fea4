# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps of MySQL: the statements on a server that knows only those."""

from __future__ import annotations

import contextlib
import io
import json
import re

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.database import mysql, mysql_client
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import DatabaseError
from ansible_collections.selfhost.flask.plugins.module_utils.database.mysql import MARK, MySQL


class Server:
    """As much of MySQL as the statements need; a dump is its tables as JSON, a mark, and more."""

    def __init__(self):
        self.databases = {"blog": {"posts": 2, "alembic_version": ["a1"]}}
        self.others = {"VIEW": ["all_posts"], "TRIGGER": ["on_post"], "EVENT": ["nightly"], "PROCEDURE": ["tidy"]}
        self.asked = []
        self.busy = 0  # so often a swap meets a transaction that reads
        self.fed = []

    def run(self, argv, user="", data=b""):
        assert argv[1:-1] == ["--batch", "--skip-column-names", "--raw"] and not user
        self.asked.append(data.decode())
        rows = self.answer(data.decode(), database_of(argv))
        return "".join("\t".join(map(str, row)) + "\n" for row in rows).encode()

    def answer(self, query, database):
        assert database in list(self.databases) + ["information_schema", "mysql"]
        listed = re.search(r"table_schema = '(\w+)' AND table_type (=|<>) 'VIEW'", query)
        if listed:
            schema, kind = listed.groups()
            own = self.others["VIEW"] if schema == "blog" else []
            return [[name] for name in (self.databases[schema] if kind == "<>" else own)]
        if "COUNT(*)" in query:
            rows = self.databases[database]
            return [[name, rows[name] if isinstance(rows[name], int) else len(rows[name])]
                    for name in re.findall(r"SELECT '(.+?)', COUNT", query)]
        if "version_num" in query:
            return [[name] for name in self.databases[database]["alembic_version"]]
        if "schemata" in query:
            return [["utf8mb4", "utf8mb4_bin"]]
        if "data_length" in query:
            return [["4096.0"]]
        if "information_schema.columns" in query:
            return [["posts", "id", "int(11)"], ["posts", "kind", "enum('a','b')"], ["alembic_version", "version_num", "text"]]
        kind = re.search(r"information_schema\.(trigger|event|routine)s", query)
        if kind:
            kinds = ["PROCEDURE"] if kind[1] == "routine" else [kind[1].upper()]
            return [[one, name] for one in kinds for name in self.others[one]]
        return self.change(query)

    def change(self, query):
        if "RENAME TABLE" in query and self.busy:
            self.busy -= 1
            raise CommandError("ERROR 1205 (HY000): Lock wait timeout exceeded")
        for kind, name in re.findall(r"DROP (VIEW|TRIGGER|EVENT|PROCEDURE) IF EXISTS `(\w+)`", query):
            self.others[kind].remove(name)
        for name in re.findall(r"DROP DATABASE (?:IF EXISTS )?`(\w+)`", query):
            self.databases.pop(name, None)
        for name in re.findall(r"CREATE DATABASE `(\w+)` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", query):
            self.databases[name] = {}
        for source, table, target, same in re.findall(r"`(\w+)`\.`(.+?)` TO `(\w+)`\.`(.+?)`", query):
            assert table == same and table not in self.databases[target]
            self.databases[target][table] = self.databases[source].pop(table)
        return []

    def feed(self, argv, source, mark=b""):
        """What the client does with a dump: tables up to the mark, or the rest."""
        lines = list(iter(source.readline, b""))
        if mark:
            end = lines.index(mark)
            self.databases[database_of(argv)].update(json.loads(b"".join(lines[:end])))
            source.seek(sum(map(len, lines[:end + 1])))
        else:
            self.fed.append((database_of(argv), b"".join(lines)))


def database_of(argv):
    option, dummy, name = argv[-1].partition("=")
    assert option == "--database"
    return name


@pytest.fixture
def server(monkeypatch):
    found = Server()
    monkeypatch.setattr(mysql_client, "run", found.run)
    monkeypatch.setattr(mysql, "feed", found.feed)
    return found


MANIFEST = {"tables": {"posts": [2, 2], "alembic_version": [1, 1]}, "revision": ["a1"]}
TABLES = json.dumps({"posts": 2, "alembic_version": ["a1"]}).encode() + b"\n"


def test_says_what_is_in_it(server):
    database = MySQL("blog")
    assert database.tables() == {"posts": 2, "alembic_version": 1}
    assert (database.revision(), database.size()) == (["a1"], 4096)
    server.databases["blog"] = {}
    assert (database.tables(), database.revision()) == ({}, [])


def test_its_shape_is_revision_tables_and_columns(server):
    assert MySQL("blog").shape() == {
        "revision": ["a1"],
        "tables": {"posts": {"id": "int(11)", "kind": "enum('a','b')"}, "alembic_version": {"version_num": "text"}},
    }


def test_names_are_quoted(server):
    server.databases["blog"] = {"odd ` name": 3}
    assert MySQL("blog").tables() == {"odd ` name": 3}
    assert "FROM `odd `` name`" in server.asked[-1]


def test_a_dump_takes_the_place_of_what_is_there_in_one_step(server):
    server.databases["blog"] = {"posts": 9, "likes": 1, "alembic_version": ["b2"]}
    MySQL("blog").load(io.BytesIO(TABLES + MARK + b"CREATE VIEW ...\n"), MANIFEST, scratch=False)
    assert server.databases == {"blog": {"posts": 2, "alembic_version": ["a1"]}}
    assert server.fed == [("blog", b"CREATE VIEW ...\n")]
    assert not any(server.others.values())
    swap, = [query for query in server.asked if "RENAME" in query]
    assert swap == (
        "SET SESSION lock_wait_timeout = 2, foreign_key_checks = 0; "
        "DROP VIEW IF EXISTS `all_posts`; DROP TRIGGER IF EXISTS `on_post`; DROP EVENT IF EXISTS `nightly`; "
        "DROP PROCEDURE IF EXISTS `tidy`; RENAME TABLE "
        "`blog`.`posts` TO `blog__replaced`.`posts`, `blog`.`likes` TO `blog__replaced`.`likes`, "
        "`blog`.`alembic_version` TO `blog__replaced`.`alembic_version`, "
        "`blog__restored`.`posts` TO `blog`.`posts`, "
        "`blog__restored`.`alembic_version` TO `blog`.`alembic_version`"
    )


def test_what_ran_in_the_name_of_another_applications_account_runs_in_this_ones(server):
    view = b"CREATE DEFINER=`%s`@`localhost` VIEW ... `shop`\n"
    manifest = dict(MANIFEST, account="shop")
    MySQL("blog", "blog").load(io.BytesIO(TABLES + MARK + view % b"shop" + view % b"root"), manifest, scratch=False)
    assert server.fed == [("blog", view % b"blog" + view % b"root")]


def test_a_dump_that_is_not_as_it_says_or_is_only_tried_changes_nothing(server):
    before = {"blog": {"posts": 9, "alembic_version": ["b2"]}}
    server.databases = {"blog": dict(before["blog"])}
    MySQL("blog").load(io.BytesIO(TABLES + MARK), MANIFEST, scratch=True)
    wrong = dict(MANIFEST, revision=["b2"])
    with pytest.raises(DatabaseError, match="the revision is a1 instead of b2"):
        MySQL("blog").load(io.BytesIO(TABLES + MARK), wrong, scratch=False)
    assert server.databases == before and server.others["VIEW"] == ["all_posts"] and server.fed == []


def test_what_a_dead_restoration_left_behind_is_no_obstacle(server):
    server.databases.update(blog__restored={"posts": 1, "x": 1}, blog__replaced={"posts": 5})
    MySQL("blog").load(io.BytesIO(TABLES + MARK), MANIFEST, scratch=False)
    assert server.databases == {"blog": {"posts": 2, "alembic_version": ["a1"]}}


@pytest.mark.parametrize("busy, problem", [(3, None), (1000, "1205")])
def test_a_swap_waits_for_transactions_that_read(busy, problem, server):
    server.busy = busy
    with pytest.raises(CommandError, match=problem) if problem else contextlib.nullcontext():
        MySQL("blog").load(io.BytesIO(TABLES + MARK), MANIFEST, scratch=False)
    swaps = [query for query in server.asked if "RENAME" in query]
    assert len(swaps) == (mysql.SWAPS if problem else busy + 1)
    assert list(server.databases) == ["blog"]


def test_another_problem_of_a_swap_is_not_tried_again(server, monkeypatch):
    def change(query):
        if "RENAME" in query:
            raise CommandError("ERROR 1050 (42S01): Table exists")
        return Server.change(server, query)

    monkeypatch.setattr(server, "change", change)
    with pytest.raises(CommandError, match="1050"):
        MySQL("blog").load(io.BytesIO(TABLES + MARK), MANIFEST, scratch=False)
    assert len([query for query in server.asked if "RENAME" in query]) == 1


@pytest.mark.parametrize("views", [[], ["all_posts"]])
def test_a_dump_has_the_tables_first_and_then_what_belongs_to_the_whole(views, server, monkeypatch):
    server.others["VIEW"] = views
    commands = []

    def output_of(argv, user=""):
        commands.append(argv[1:])
        yield b"%d\n-- Dump completed on some day\n" % len(commands)

    monkeypatch.setattr(mysql, "output_of", output_of)
    pieces = b"".join(MySQL("blog").content())
    assert pieces.partition(MARK)[0].startswith(b"1\n") and pieces.partition(MARK)[2].startswith(b"2\n")
    ends = [command[-3:] for command in commands]
    assert ends[0] == ["blog", "posts", "alembic_version"] and ends[1] == ["--routines", "--events", "blog"]
    assert [end[-2:] for end in ends[2:]] == [["blog", "all_posts"]] * len(views)
    assert all("--single-transaction" in command for command in commands)


def test_a_dump_that_does_not_say_that_it_is_complete_is_none(server, monkeypatch):
    monkeypatch.setattr(mysql, "output_of", lambda argv, user="": iter([b"CREATE TABLE", b" posts"]))
    with pytest.raises(DatabaseError, match="did not come to its end"):
        list(MySQL("blog").content())


def test_it_is_removed_with_what_copies_have_left(server, monkeypatch):
    monkeypatch.setattr(mysql.shutil, "which", lambda name: "/usr/bin/" + name)
    server.databases.update(blog__restored={}, blog__tried={}, shop={})
    MySQL("blog").remove()
    assert set(server.databases) == {"shop"} and server.asked[-1] == "DROP DATABASE IF EXISTS `blog`"
    MySQL("blog").remove()


def test_whether_it_is_there_is_asked_where_there_is_a_server(server, monkeypatch):
    answers = {"blog": [["1"]], "shop": [["0"]]}
    monkeypatch.setattr(mysql, "ask", lambda query, database: answers[query.split("'")[1]])
    monkeypatch.setattr(mysql.shutil, "which", lambda name: name)
    assert MySQL("blog").is_there() and not MySQL("shop").is_there()
    monkeypatch.setattr(mysql.shutil, "which", lambda name: None)
    assert not MySQL("blog").is_there()


@pytest.mark.parametrize("name", ["--execute=\\! id", "--tee=/etc/cron.d/x", "a' OR '1", "a\n\\! id", "-x", ""])
@pytest.mark.parametrize("use", [
    MySQL.check, MySQL.tables, MySQL.size, MySQL.schema, MySQL.is_there, MySQL.remove, lambda one: list(one.content()),
    lambda one: one.load(io.BytesIO(MARK), MANIFEST, scratch=True),
])
def test_a_name_that_a_client_would_take_for_something_else_reaches_none(name, use, monkeypatch):
    monkeypatch.setattr(mysql.shutil, "which", lambda name: name)
    called = []
    for module, function in ((mysql_client, "run"), (mysql, "feed"), (mysql, "output_of")):
        monkeypatch.setattr(module, function, lambda *arguments, **about: called.append(arguments))
    with pytest.raises(DatabaseError, match="not safe"):
        use(MySQL(name))
    assert called == []
