# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which applications are seen to change their database before anybody asked them to."""

from __future__ import annotations

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

SHOP = '''
from flask import Flask
from flask_migrate import Migrate, upgrade
from flask_sqlalchemy import SQLAlchemy

db, app = SQLAlchemy(), Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = "{url}"
db.init_app(app)
Migrate(app, db)


class Article(db.Model):
    id = db.Column(db.Integer, primary_key=True)


{act}
'''
MYSQL = "mysql+pymysql://shop:sec4ret@db.invalid/shop"
SQLITE = "sqlite:///%(folder)s/shop.db"
CREATE = '''
with app.app_context():
    db.create_all()
'''
SWALLOW = '''
with app.app_context():
    try:
        db.create_all()
    except Exception as error:
        print("an error of the database:", error)
'''
UPGRADE = '''
with app.app_context():
    upgrade()
'''
AT_REQUEST = '''
def prepare():
    db.create_all()


@app.before_request
def first():
    if not app.config.get("READY"):
        prepare()
'''
DIRECT = '''
import pymysql

try:
    pymysql.connect(unix_socket="/run/mysqld/mysqld.sock", user="shop")
except pymysql.MySQLError:
    pass
'''
CHILD = '''
import subprocess
import sys

subprocess.run([sys.executable, "-m", "flask", "db", "upgrade"], check=False, env={})
'''
WAIT = '''
import time

while True:
    try:
        with app.app_context():
            db.create_all()
        break
    except Exception:
        time.sleep(0.05)
'''
LEAVE = '''
import sys

with app.app_context():
    try:
        db.create_all()
    except Exception:
        sys.exit("no database")
'''
IN_MEMORY = '''
import sqlite3

sqlite3.connect(":memory:").execute("CREATE TABLE words (word)")
'''
BY_HAND = '''
import sqlite3

sqlite3.connect("notes.db").execute("CREATE TABLE notes (text)")
sqlite3.connect("file:words.db?mode=rwc", uri=True)
'''
MAIL = '''
import socket

try:
    socket.create_connection(("127.0.0.1", 25), 1)
except OSError:
    pass
'''


@pytest.fixture
def inspect(release):
    """What an application that does something is seen to do, from its source."""
    from ansible_collections.selfhost.flask.plugins.module_utils.flask.application import FlaskApp

    def inspect(act="", url=MYSQL, **question):
        (release.path / "shop2.py").write_text(SHOP.format(url=url, act=act) % {"folder": release.path})
        with patch_module_args(release.arguments("shop2:app")):
            module = AnsibleModule(argument_spec=dict.fromkeys(("chdir", "app"), {}))
        return FlaskApp(module).answer("inspect", **question)

    return inspect


@pytest.mark.parametrize("act, url, touches", [
    (CREATE, SQLITE, ["opens a SQLite file"]),
    (UPGRADE, SQLITE, ["opens a SQLite file"]),
    (SWALLOW, MYSQL, ["connects to mysql", "connects by pymysql", "connects to a server that may be a database's"]),
    (DIRECT, SQLITE, ["connects by pymysql", "connects to a server that may be a database's"]),
    (CHILD, SQLITE, ["starts a program that migrates"]),
    (AT_REQUEST, MYSQL, ["calls create_all at a request"]),
])
def test_an_application_that_changes_its_database_is_seen(inspect, act, url, touches):
    answer = inspect(act, url)
    assert (answer.get("loads"), answer["why"], answer["touches"]) == (True, "", touches)


@pytest.mark.parametrize("act, url", [("", MYSQL), ("", SQLITE), (IN_MEMORY, MYSQL), (MAIL, MYSQL), (SWALLOW, "sqlite://")])
def test_one_that_leaves_it_alone_is_not(inspect, act, url):
    answer = inspect(act, url)
    assert (answer["loads"], answer["why"], answer["touches"]) == (True, "", [])


def test_the_files_that_it_opens_without_sqlalchemy_are_known(inspect, release):
    assert inspect(BY_HAND)["files"] == [str(release.path / name) for name in ("notes.db", "words.db")]
    assert inspect(IN_MEMORY)["files"] == []


def test_one_that_ends_without_its_database_is_seen(inspect):
    answer = inspect(LEAVE)
    assert (answer["loads"], answer["why"]) == (False, "SystemExit: no database")
    assert "connects to mysql" in answer["touches"]


def test_one_that_waits_for_its_database_is_not_waited_for(inspect, monkeypatch):
    from ansible_collections.selfhost.flask.plugins.module_utils.common import user_program
    from ansible_collections.selfhost.flask.plugins.module_utils.flask.probe import watch

    monkeypatch.setattr(user_program, "PROGRAM", user_program.PROGRAM.replace(
        "module.main()", "sys.modules[%r].PATIENCE = 1\nmodule.main()" % watch.__name__
    ))
    answer = inspect(WAIT)
    assert (answer["loads"], answer["why"]) == (False, "it takes too long")
    assert "connects to mysql" in answer["touches"]


def test_one_that_can_not_be_loaded_says_why(inspect):
    answer = inspect("import no_such_package")
    assert answer["loads"] is False
    assert "no_such_package" in answer["why"]
    assert answer["touches"] == []


@pytest.mark.parametrize("current, pending", [
    ([[]], ["a1", "b2"]), ([["a1"]], ["b2"]), ([["b2"]], []), ([["b2"], ["a1"]], ["b2"]), ([["b2"], []], ["a1", "b2"]),
])
def test_what_is_pending_is_known_without_the_database(current, pending, inspect):
    found = inspect("", directory="migrations", current=current)["revisions"]
    assert [item["revision"] for item in found["pending"]] == pending
    known = sorted({name for one in current for name in one})
    assert (found["current"], found["desired"], found["command"]) == (known, ["b2"], "db")


def test_several_heads_are_all_pending(inspect, release):
    release.revision("b3", "a1", "a branch")
    found = inspect("", directory="migrations", current=[["b2"]])["revisions"]
    assert ([item["revision"] for item in found["pending"]], found["desired"]) == (["b3"], ["b2", "b3"])
    assert inspect("", directory="migrations", current=[["b2", "b3"]])["revisions"]["pending"] == []


def test_another_way_to_migrate_has_a_line_that_helps(inspect):
    said = inspect("", directory="db", current=[[]])["revisions"]["problem"]
    assert "/db has no env.py" in said and "set flask_migration_command to the command" in said


def test_a_database_beyond_the_version_is_a_problem(inspect):
    said = inspect("", directory="migrations", current=[["c3"]])["revisions"]["problem"]
    assert "The database is at revision c3, which this version of the application does not have" in said


def test_why_it_was_not_loaded_has_no_secret(inspect, release):
    (release.path / ".env").write_text("SECRET_KEY='never-shown-2b5e'\n")
    assert inspect("import os\nraise RuntimeError('no ' + os.environ['SECRET_KEY'])")["why"] == "RuntimeError: no ********"


def test_a_thread_that_never_ends_is_not_waited_for(inspect):
    assert inspect("import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()")["loads"]
