# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import subprocess
import textwrap

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.flask.probe import facts as flask_facts

PASSWORD = "s3cr%40t"
STRONG = "b1f0d5c09a8e4e7f"
ASK = """
import gc, importlib, json, sys
sys.path.insert(0, "")
from dotenv import load_dotenv
load_dotenv(".env")
app = importlib.import_module("shop").create_app()
facts = {"__name__": "facts"}
exec(%r, facts)
made = [one for one in gc.get_objects() if type(one).__name__ == "Engine"]
print(json.dumps(facts["facts_of"](app, made)))
"""
APP = """
import os
from flask import Flask


def create_app():
    app = Flask(__name__)
    configure(app)
    return app


def configure(app):
    {}
"""
EXTENSION = APP.replace("configure(app)\n    return", "configure(app)\n    SQLAlchemy(app)\n    return").replace(
    "from flask import", "from flask_sqlalchemy import SQLAlchemy\nfrom flask import"
)


@pytest.fixture(params=["venv", "old_venv"])
def either(request):
    """The virtual environments of both generations of Flask-SQLAlchemy."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def facts(tmp_path):
    """What is kept of an application with these lines in its factory."""

    def facts(venv, *lines, frame=EXTENSION, env=""):
        (tmp_path / "shop.py").write_text(frame.format("\n    ".join(lines or ["pass"])))
        (tmp_path / ".env").write_text(textwrap.dedent(env))
        source = ASK % open(flask_facts.__file__, encoding="utf-8").read()
        done = subprocess.run([venv / "bin/python", "-c", source], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert PASSWORD not in done.stdout
        return json.loads(done.stdout.splitlines()[-1])

    return facts


def database(kind, name, host="", port=0, bind=""):
    return {"bind": bind, "kind": kind, "host": host, "port": port, "name": name}


def sets(uri, key="SQLALCHEMY_DATABASE_URI"):
    return "app.config[%r] = %r" % (key, uri)


def test_a_file_that_the_code_names_and_not_the_setting(either, facts, tmp_path):
    path = tmp_path / "data/other.sqlite"
    found = facts(either, sets("sqlite:///%s" % path), env="DATABASE_URL=mysql+pymysql://shop@localhost/shop\n")
    assert found["databases"] == [database("sqlite", str(path))]


def test_a_file_by_a_relative_path_is_where_the_generation_puts_it(venv, old_venv, facts, tmp_path):
    (tmp_path / "shared").mkdir()
    (tmp_path / "instance").symlink_to("shared")
    for each, path in ((venv, "shared/other.sqlite"), (old_venv, "other.sqlite")):
        found = facts(each, sets("sqlite:///other.sqlite"))
        assert found["databases"] == [database("sqlite", str(tmp_path / path))]


def test_a_server_s_database_without_its_password(either, facts):
    uri = "mysql+pymysql://shop:%s@db.example.com:3307/shop?charset=utf8mb4" % PASSWORD
    assert facts(either, sets(uri))["databases"] == [database("mysql", "shop", "db.example.com", 3307)]


def test_a_server_that_is_reached_by_its_socket_is_this_host_s(either, facts):
    uri = "mysql+pymysql://shop@/shop?unix_socket=/run/mysqld/mysqld.sock"
    assert facts(either, sets(uri))["databases"] == [database("mysql", "shop", "localhost")]


@pytest.mark.parametrize("query, host", [
    ("host=/run/postgresql", "localhost"), ("host=db.example.com", "db.example.com"), ("host=a.example.com&host=b.example.com", "a.example.com"),
])
def test_a_host_behind_the_database_is_the_one_that_counts(query, host, either, facts):
    found = facts(either, sets("postgresql+psycopg2://shop:%s@/shop?%s" % (PASSWORD, query), "DB_URI"), frame=APP)
    assert found["databases"] == [database("postgresql", "shop", host)]


def test_all_binds(either, facts, tmp_path):
    binds = {"users": "mysql+pymysql://shop@localhost/users", "log": "sqlite:///%s/log.db" % tmp_path}
    found = facts(either, sets("mysql+pymysql://shop@localhost/shop"), sets(binds, "SQLALCHEMY_BINDS"))
    assert found["databases"] == [
        database("mysql", "shop", "localhost"),
        database("sqlite", str(tmp_path / "log.db"), bind="log"),
        database("mysql", "users", "localhost", bind="users"),
    ]


def test_what_is_in_memory_keeps_nothing(either, facts):
    assert facts(either, sets("sqlite://"))["databases"] == []


def test_an_engine_without_an_extension(either, facts, tmp_path):
    line = "__import__('sqlalchemy').create_engine('sqlite:///data.db')"
    assert facts(either, line, frame=APP)["databases"] == [database("sqlite", str(tmp_path / "data.db"))]


def test_a_url_or_a_path_that_only_the_configuration_has(either, facts, tmp_path):
    url = "postgresql://shop:%s@db/shop" % PASSWORD
    found = facts(either, sets(url, "DB_URI"), sets("%s/flaskr.sqlite" % tmp_path, "DATABASE"), frame=APP)
    assert {one["name"]: one for one in found["databases"]} == {
        "shop": database("postgresql", "shop", "db"),
        "%s/flaskr.sqlite" % tmp_path: database("sqlite", "%s/flaskr.sqlite" % tmp_path),
    }


def test_a_path_of_another_kind_of_file_is_no_database(venv, facts, tmp_path):
    (tmp_path / "notes.txt").write_text("x" * 20)
    lines = [sets(str(tmp_path), "DATABASE"), sets("%s/notes.txt" % tmp_path, "DB_PATH")]
    assert facts(venv, *lines, frame=APP)["databases"] == []


def test_an_extension_that_can_t_be_asked_is_not_passed_over(venv, facts):
    found = facts(venv, "app.extensions['sqlalchemy'] = object()", frame=APP)
    assert [one["kind"] for one in found["databases"]] == ["unknown"]


def test_another_mapper_is_unknown_and_not_none(either, facts, tmp_path):
    (tmp_path / "peewee.py").touch()
    assert facts(either, "__import__('peewee')", frame=APP)["databases"] == [database("unknown", "peewee")]


# As peewee has them, as far as is asked for.
PEEWEE = '''
class Database:
    def __init__(self, database, **options):
        self.database, self.connect_params = database, options


class SqliteDatabase(Database):
    pass


class MySQLDatabase(Database):
    pass


class PooledMySQLDatabase(MySQLDatabase):
    pass
'''


@pytest.mark.parametrize("line, found", [
    ("SqliteDatabase('/srv/shop/shared/shop.db')", [database("sqlite", "/srv/shop/shared/shop.db")]),
    ("PooledMySQLDatabase('shop', host='db', port=3307, password='x')", [dict(database("mysql", "shop", "db"), port=3307)]),
    ("MySQLDatabase('shop', unix_socket='/run/mysqld/mysqld.sock')", [database("mysql", "shop", "localhost")]),
    ("SqliteDatabase(':memory:')", []),
    ("MySQLDatabase(None)", [database("unknown", "peewee")]),
])
def test_databases_of_peewee(line, found, either, facts, tmp_path):
    (tmp_path / "peewee.py").write_text(PEEWEE)
    assert facts(either, "app.db = __import__('peewee').%s" % line, frame=APP)["databases"] == found


def test_a_database_that_is_not_sqlalchemy_s(either, facts):
    url = "mongodb://shop:%s@localhost/shop" % PASSWORD
    assert facts(either, sets(url, "MONGO_URI"), frame=APP)["databases"] == [database("mongodb", "shop", "localhost")]


def test_an_application_without_a_database(either, facts):
    assert facts(either, frame=APP) == {"databases": [], "secret_key": "none", "schedules": False}


SCHEDULER = """
class BaseScheduler:
    running = False


class BackgroundScheduler(BaseScheduler):
    def start(self):
        self.running = True
"""


@pytest.mark.parametrize("line, schedules", [("start()", True), ("running", False)])
def test_a_scheduler_that_runs_in_each_process(line, schedules, venv, facts, tmp_path):
    (tmp_path / "apscheduler/schedulers").mkdir(parents=True)
    (tmp_path / "apscheduler/schedulers/base.py").write_text(SCHEDULER)
    lines = ["from apscheduler.schedulers.base import BackgroundScheduler", "app.jobs = BackgroundScheduler()", "app.jobs." + line]
    assert facts(venv, *lines, frame=APP)["schedules"] is schedules


@pytest.mark.parametrize("key, state", [
    ("dev", "weak"), ("you-will-never-guess", "weak"), ("super secret key", "weak"), ("x" * 40, "weak"),
    ("0123456789abcde", "weak"), (STRONG, "foreign"), ("9" + STRONG, "own"),
    ("9" + STRONG + "#permissions", "own"),
])
def test_what_the_secret_key_is(key, state, venv, facts):
    found = facts(venv, sets(key, "SECRET_KEY"), frame=APP, env="SECRET_KEY='9%s'\n" % STRONG)
    assert found["secret_key"] == state


def test_a_configuration_by_file_that_nobody_has_written_leaves_the_key_of_the_code(venv, facts):
    lines = [sets("dev", "SECRET_KEY"), "app.config.from_pyfile(os.path.join(app.instance_path, 'config.py'), silent=True)"]
    assert facts(venv, *lines, frame=APP, env="SECRET_KEY=%s\n" % STRONG)["secret_key"] == "weak"


def test_a_key_of_the_settings_that_is_known_is_weak_all_the_same(venv, facts):
    lines = ["app.secret_key = os.environ['SECRET_KEY'].encode()"]
    assert facts(venv, *lines, frame=APP, env="SECRET_KEY='hard to guess string'\n")["secret_key"] == "weak"


def test_of_an_application_that_can_t_be_loaded_its_engines_are_known():
    class Engine:
        url = type("URL", (), dict(drivername="mysql+pymysql", query={}, host="db", port=None, database="shop"))

    found = flask_facts.facts_of(None, [Engine(), object()])
    assert found == {"databases": [database("mysql", "shop", "db")], "secret_key": "", "schedules": False}
