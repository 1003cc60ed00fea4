# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps of SQLite, made and restored for real; of MySQL, the statements on a server that knows only those."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import re
import sqlite3

import pytest

from ansible_collections.selfhost.flask.plugins.module_utils import _database
from ansible_collections.selfhost.flask.plugins.module_utils._database import (
    MARK,
    DatabaseError,
    MySQL,
    SQLite,
    compare,
    compare_counts,
    database_of,
    read_manifest,
)
from ansible_collections.selfhost.flask.plugins.module_utils._site import CommandError, Site

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


# what SQLAlchemy takes as it is: a password that is not escaped, and a name that looks as if it were
AS_IT_IS = {
    "mysql+pymysql://blog:a/b@localhost/blog": ("mysql", "blog"),
    "mysql+pymysql://blog:a#b@localhost/blog": ("mysql", "blog"),
    "mysql+pymysql://blog:a?b@localhost/blog": ("mysql", "blog"),
    "mysql+pymysql://blog:a[b@localhost/blog": ("mysql", "blog"),
    "sqlite:////srv/blog/a%20b.db": ("sqlite", "/srv/blog/a%20b.db"),
    "sqlite:////srv/blog/a#b.db": ("sqlite", "/srv/blog/a#b.db"),
}


@pytest.mark.parametrize("url", AS_IT_IS)
def test_a_url_means_what_it_means_to_sqlalchemy(url, site):
    with open(site.path("shared/.env"), "w", encoding="utf-8") as file:
        file.write("DATABASE_URL='%s'\n" % url)
    assert kind_and_name(database_of(site)) == AS_IT_IS[url]


def test_a_sqlite_file_is_opened_by_the_application_s_user(site):
    with open(site.path("shared/.env"), "w", encoding="utf-8") as file:
        file.write("DATABASE_URL=sqlite:////srv/blog/blog.db\n")
    assert database_of(site).user == "blog"


class TestComparing:
    """What a database is, against what a dump says."""

    MANIFEST = {"tables": {"posts": [2, 3], "users": [4, 4]}, "revision": ["b2", "a1"]}

    @pytest.mark.parametrize("posts", [0, 2, 3, 9])
    def test_a_table_that_was_written_to_meanwhile_has_any_number_of_rows(self, posts):
        compare(self.MANIFEST, {"posts": posts, "users": 4}, ["a1", "b2"])

    @pytest.mark.parametrize("tables, revision, said", [
        ({"posts": 2, "users": 5}, ["a1", "b2"], "users has 5 rows instead of 4"),
        ({"posts": 2}, ["a1", "b2"], "users is missing"),
        ({"posts": 2, "users": 4, "likes": 0}, ["a1", "b2"], "likes should not be there"),
        ({"posts": 2, "users": 4}, ["b2"], "the revision is b2 instead of b2, a1"),
        ({"posts": 0, "users": 0}, [], "users has 0 rows instead of 4; the revision"),
    ])
    def test_what_differs_is_named(self, tables, revision, said):
        with pytest.raises(DatabaseError, match=re.escape(said)):
            compare(self.MANIFEST, tables, revision)

    @pytest.mark.parametrize("now, said", [
        ({"posts": 3, "users": 4, "alembic_version": 2}, ""),
        ({"posts": 5, "users": 3}, "+2 in posts, -1 in users"),
        ({"posts": 3, "users": 4, "likes": 7}, "+7 in likes"),
    ])
    def test_how_many_rows_there_are_more_by_table(self, now, said):
        assert compare_counts(self.MANIFEST["tables"], now) == said


@pytest.fixture
def posts(tmp_path, runuser):
    """A file with posts."""
    database = SQLite(str(tmp_path / "blog.db"), "blog")
    change(
        database, "CREATE TABLE posts (title TEXT)", "INSERT INTO posts VALUES ('one'), ('two')",
        "CREATE TABLE alembic_version (version_num TEXT)", "INSERT INTO alembic_version VALUES ('a1')",
    )
    return database


def change(database, *statements):
    with contextlib.closing(sqlite3.connect(database.name)) as connection, connection:
        return [connection.execute(statement).fetchall() for statement in statements][-1]


MIGRATE = [
    "DELETE FROM posts WHERE title = 'two'", "CREATE TABLE likes (post INTEGER)",
    "UPDATE alembic_version SET version_num = 'b2'",
]


class TestSQLite:
    """A file, as the application's user has it."""

    def test_a_dump_says_what_is_in_it_and_root_alone_reads_it(self, posts, tmp_path, runuser):
        manifest = posts.dump(str(tmp_path / "dump"), reason="before a migration")
        assert read_manifest(str(tmp_path / "dump")) == manifest
        about = {key: manifest[key] for key in ("kind", "database", "revision", "tables", "reason")}
        assert about == dict(
            kind="sqlite", database=posts.name, revision=["a1"], reason="before a migration",
            tables={"posts": [2, 2], "alembic_version": [1, 1]},
        )
        packed = tmp_path / "dump.gz"
        assert manifest["bytes"] == packed.stat().st_size
        assert {oct(path.stat().st_mode)[-3:] for path in tmp_path.glob("dump.*")} == {"600"}
        assert gzip.decompress(packed.read_bytes()).startswith(b"SQLite format 3\0")
        assert runuser() == {"blog"}

    def test_a_restored_database_is_as_it_was(self, posts, tmp_path):
        path = str(tmp_path / "dump")
        posts.dump(path)
        change(posts, *MIGRATE)
        assert posts.restore(path)["revision"] == ["a1"]
        assert (posts.tables(), posts.revision()) == ({"posts": 2, "alembic_version": 1}, ["a1"])
        assert change(posts, "SELECT title FROM posts") == [("one",), ("two",)]

    def test_a_restoration_to_see_whether_it_could_be_done_changes_nothing(self, posts, tmp_path):
        posts.dump(str(tmp_path / "dump"))
        change(posts, *MIGRATE)
        posts.restore(str(tmp_path / "dump"), scratch=True)
        assert (posts.tables()["posts"], posts.revision()) == (1, ["b2"])

    def test_a_database_that_was_not_there_is_empty_again(self, posts, tmp_path):
        database = SQLite(str(tmp_path / "new.db"), "blog")
        assert (database.tables(), database.revision(), database.size()) == ({}, [], 0)
        database.dump(str(tmp_path / "dump"))
        change(database, "CREATE TABLE posts (title TEXT)")
        database.restore(str(tmp_path / "dump"))
        assert database.tables() == {}

    # how a dump is damaged, and what is then said
    DAMAGES = {
        "cut off": (lambda path: os.truncate(path + ".gz", 100), "is damaged: its checksum"),
        "no content": (lambda path: os.unlink(path + ".gz"), "No such file"),
        "no end": (lambda path: os.unlink(path + ".json"), "is no complete dump"),
        "half an end": (lambda path: os.truncate(path + ".json", 20), "is no complete dump"),
        "of another kind": (lambda path: rewrite(path, kind="mysql"), "is a dump of mysql, and the database is sqlite"),
        "another revision": (lambda path: rewrite(path, revision=["c3"]), "another revision than was said"),
        "another number of rows": (
            lambda path: rewrite(path, tables={"posts": [7, 7], "alembic_version": [1, 1]}),
            "posts has 2 rows instead of 7",
        ),
        "another table": (lambda path: rewrite(path, tables={"posts": [2, 2]}), "other tables"),
    }

    @pytest.mark.parametrize("scratch", [False, True], ids=["restore", "try"])
    @pytest.mark.parametrize("case", DAMAGES)
    def test_a_damaged_dump_changes_nothing(self, case, scratch, posts, tmp_path):
        damage, said = self.DAMAGES[case]
        posts.dump(str(tmp_path / "dump"))
        change(posts, *MIGRATE)
        damage(str(tmp_path / "dump"))
        with pytest.raises((DatabaseError, CommandError, OSError), match=said):
            posts.restore(str(tmp_path / "dump"), scratch=scratch)
        assert (posts.tables()["posts"], posts.revision()) == (1, ["b2"])

    def test_a_file_that_is_no_database_is_an_error_and_no_dump(self, posts, tmp_path):
        with open(posts.name, "wb") as file:
            file.write(b"no database" * 1000)
        with pytest.raises(CommandError, match="file is not a database"):
            posts.dump(str(tmp_path / "dump"))
        assert list(tmp_path.glob("dump*")) == []

    def test_a_copy_that_fails_on_its_way_has_no_manifest(self, posts, tmp_path, monkeypatch):
        monkeypatch.setattr(posts, "_argv", lambda *words: ["sh", "-c", "echo half a copy; echo no space >&2; exit 3"])
        monkeypatch.setattr(posts, "tables", lambda: {})
        monkeypatch.setattr(posts, "revision", lambda: [])
        with pytest.raises(CommandError, match="exit code 3: no space"):
            posts.dump(str(tmp_path / "dump"))
        assert not (tmp_path / "dump.json").exists()


def rewrite(path, **changes):
    """Changes what a dump says of itself."""
    with open(path + ".json", encoding="utf-8") as file:
        manifest = json.load(file)
    with open(path + ".json", "w", encoding="utf-8") as file:
        json.dump(dict(manifest, **changes), file)


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
        return "".join("\t".join(map(str, row)) + "\n" for row in self.answer(data.decode(), argv[-1])).encode()

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

    def feed(self, argv, source, user="", mark=MARK):
        """What the client does with a dump: tables up to the mark, or the rest."""
        lines = list(iter(source.readline, b""))
        if MARK in lines:
            end = lines.index(MARK)
            self.databases[argv[-1]].update(json.loads(b"".join(lines[:end])))
            source.seek(sum(map(len, lines[:end + 1])))
        else:
            self.fed.append((argv[-1], b"".join(lines)))


@pytest.fixture
def server(monkeypatch):
    found = Server()
    monkeypatch.setattr(_database, "run", found.run)
    monkeypatch.setattr(_database, "_feed", found.feed)
    return found


MANIFEST = {"tables": {"posts": [2, 2], "alembic_version": [1, 1]}, "revision": ["a1"]}
TABLES = json.dumps({"posts": 2, "alembic_version": ["a1"]}).encode() + b"\n"


class TestMySQL:
    """A database of this host's server."""

    def test_says_what_is_in_it(self, server):
        database = MySQL("blog")
        assert database.tables() == {"posts": 2, "alembic_version": 1}
        assert (database.revision(), database.size()) == (["a1"], 4096)
        server.databases["blog"] = {}
        assert (database.tables(), database.revision()) == ({}, [])

    def test_names_are_quoted(self, server):
        server.databases["blog"] = {"odd ` name": 3}
        assert MySQL("blog").tables() == {"odd ` name": 3}
        assert "FROM `odd `` name`" in server.asked[-1]

    def test_a_dump_takes_the_place_of_what_is_there_in_one_step(self, server):
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

    def test_a_dump_that_is_not_as_it_says_or_is_only_tried_changes_nothing(self, server):
        before = {"blog": {"posts": 9, "alembic_version": ["b2"]}}
        server.databases = {"blog": dict(before["blog"])}
        MySQL("blog").load(io.BytesIO(TABLES + MARK), MANIFEST, scratch=True)
        wrong = dict(MANIFEST, revision=["b2"])
        with pytest.raises(DatabaseError, match="the revision is a1 instead of b2"):
            MySQL("blog").load(io.BytesIO(TABLES + MARK), wrong, scratch=False)
        assert server.databases == before and server.others["VIEW"] == ["all_posts"] and server.fed == []

    def test_what_a_dead_restoration_left_behind_is_no_obstacle(self, server):
        server.databases.update(blog__restored={"posts": 1, "x": 1}, blog__replaced={"posts": 5})
        MySQL("blog").load(io.BytesIO(TABLES + MARK), MANIFEST, scratch=False)
        assert server.databases == {"blog": {"posts": 2, "alembic_version": ["a1"]}}

    @pytest.mark.parametrize("busy, problem", [(3, None), (1000, "1205")])
    def test_a_swap_waits_for_transactions_that_read(self, busy, problem, server):
        server.busy = busy
        with pytest.raises(CommandError, match=problem) if problem else contextlib.nullcontext():
            MySQL("blog").load(io.BytesIO(TABLES + MARK), MANIFEST, scratch=False)
        swaps = [query for query in server.asked if "RENAME" in query]
        assert len(swaps) == (_database.SWAPS if problem else busy + 1)
        assert list(server.databases) == ["blog"]

    def test_another_problem_of_a_swap_is_not_tried_again(self, server, monkeypatch):
        def change(query):
            if "RENAME" in query:
                raise CommandError("ERROR 1050 (42S01): Table exists")
            return Server.change(server, query)

        monkeypatch.setattr(server, "change", change)
        with pytest.raises(CommandError, match="1050"):
            MySQL("blog").load(io.BytesIO(TABLES + MARK), MANIFEST, scratch=False)
        assert len([query for query in server.asked if "RENAME" in query]) == 1

    @pytest.mark.parametrize("views", [[], ["all_posts"]])
    def test_a_dump_has_the_tables_first_and_then_what_belongs_to_the_whole(self, views, server, monkeypatch):
        server.others["VIEW"] = views
        commands = []

        def output_of(argv, user=""):
            commands.append(argv[1:])
            yield b"%d\n-- Dump completed on some day\n" % len(commands)

        monkeypatch.setattr(_database, "_output_of", output_of)
        pieces = b"".join(MySQL("blog").content())
        assert pieces.partition(MARK)[0].startswith(b"1\n") and pieces.partition(MARK)[2].startswith(b"2\n")
        ends = [command[-3:] for command in commands]
        assert ends[0] == ["blog", "posts", "alembic_version"] and ends[1] == ["--routines", "--events", "blog"]
        assert [end[-2:] for end in ends[2:]] == [["blog", "all_posts"]] * len(views)
        assert all("--single-transaction" in command for command in commands)

    def test_a_dump_that_does_not_say_that_it_is_complete_is_none(self, server, monkeypatch):
        monkeypatch.setattr(_database, "_output_of", lambda argv, user="": iter([b"CREATE TABLE", b" posts"]))
        with pytest.raises(DatabaseError, match="did not come to its end"):
            list(MySQL("blog").content())


class TestPrograms:
    """How programs are given a dump, and how their output is taken."""

    def test_a_program_gets_what_is_before_the_mark_and_the_next_one_the_rest(self, tmp_path):
        dump = io.BytesIO(b"tables\n" + MARK + b"views\n")
        for name in ("first", "second"):
            _database._feed(["sh", "-c", "cat >%s" % (tmp_path / name)], dump)
        assert [(tmp_path / name).read_bytes() for name in ("first", "second")] == [b"tables\n", b"views\n"]

    @pytest.mark.parametrize("size", [10, 1 << 22])
    def test_one_that_ends_before_it_has_read_all_says_why(self, size):
        with pytest.raises(CommandError, match="exit code 4: no such database"):
            _database._feed(["sh", "-c", "echo no such database >&2; exit 4"], io.BytesIO(b"x" * size), mark=b"")
