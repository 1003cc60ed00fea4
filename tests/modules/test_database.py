# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import sqlite3

import pytest

USERS = {"revision": "a1", "message": "users"}
POSTS = {"revision": "b2", "message": "posts"}


def undone(item, reversible=True):
    """The same in a downgrade."""
    return dict(item, reversible=reversible)


def tables(release):
    with sqlite3.connect(release.path / "shop.db") as database:
        names = {row[0] for row in database.execute("select name from sqlite_master")}
    return sorted(name for name in names if name.startswith("table_"))


def summary(result):
    assert "failed" not in result, result["msg"]
    return result["changed"], result["before"], result["after"], result["pending"]


def test_check_then_run_then_run_again(run, release):
    arguments = release.arguments()
    expected = (True, [], ["b2"], [USERS, POSTS])
    assert summary(run("flask_db", _ansible_check_mode=True, **arguments)) == expected
    assert not (release.path / "shop.db").exists()
    assert summary(run("flask_db", **arguments)) == expected
    assert tables(release) == ["table_a1", "table_b2"]
    again = (False, ["b2"], ["b2"], [])
    assert summary(run("flask_db", **arguments)) == again
    assert summary(run("flask_db", _ansible_check_mode=True, **arguments)) == again


@pytest.mark.parametrize("app", ["shop", "wsgi:app", "wsgi"])
def test_the_application_by_any_name_that_flask_takes(app, run, release):
    assert summary(run("flask_db", **release.arguments(app))) == (True, [], ["b2"], [USERS, POSTS])


def test_applies_what_a_new_version_brings(run, release):
    run("flask_db", **release.arguments())
    release.revision("c3", "b2", "likes\n\nWith a long explanation.")
    result = run("flask_db", **release.arguments())
    assert summary(result) == (True, ["b2"], ["c3"], [{"revision": "c3", "message": "likes"}])
    assert result["diff"] == {"before": "revision: b2\n", "after": "revision: c3\napply c3 likes\n"}


def test_a_revision_by_name(run, release):
    assert summary(run("flask_db", **release.arguments(revision="a1"))) == (True, [], ["a1"], [USERS])
    assert summary(run("flask_db", **release.arguments(revision="a1"))) == (False, ["a1"], ["a1"], [])


def test_a_downgrade_only_where_it_is_allowed(run, release):
    run("flask_db", **release.arguments())
    for revision in ("a1", "base"):
        result = run("flask_db", **release.arguments(revision=revision))
        assert result["failed"] and "beyond %s" % revision in result["msg"]
    assert tables(release) == ["table_a1", "table_b2"]
    allowed = release.arguments(revision="a1", allow_downgrade=True)
    assert summary(run("flask_db", _ansible_check_mode=True, **allowed)) == (True, ["b2"], ["a1"], [undone(POSTS)])
    assert summary(run("flask_db", **allowed)) == (True, ["b2"], ["a1"], [undone(POSTS)])
    assert tables(release) == ["table_a1"]
    assert summary(run("flask_db", **allowed)) == (False, ["a1"], ["a1"], [])
    base = release.arguments(revision="base", allow_downgrade=True)
    assert summary(run("flask_db", **base)) == (True, ["a1"], [], [undone(USERS)])
    assert summary(run("flask_db", **base)) == (False, [], [], [])


# what the body of a downgrade is, and whether it undoes anything
DOWNGRADES = {
    "pass": False,
    "raise NotImplementedError('no way back')": False,
    "'nothing to do'": False,
    "...": False,
    "op.drop_table('table_c3')": True,
    "if True:\n        op.drop_table('table_c3')": True,
}


@pytest.mark.parametrize("body", DOWNGRADES)
def test_says_whether_a_downgrade_does_anything(body, run, release):
    release.revision("c3", "b2", "likes")
    path = release.path / "migrations/versions/c3.py"
    path.write_text(path.read_text().replace('op.drop_table("table_c3")', body))
    run("flask_db", **release.arguments())
    found = run("flask_db", _ansible_check_mode=True, **release.arguments(revision="base", allow_downgrade=True))
    likes = {"revision": "c3", "message": "likes"}
    assert found["pending"] == [undone(likes, DOWNGRADES[body]), undone(POSTS), undone(USERS)]


def test_a_failed_migration_says_where_it_left_the_database(run, release):
    release.revision("c3", "b2", "bad", failure="op.execute('no sql')")
    result = run("flask_db", **release.arguments())
    assert result["failed"] and (result["before"], result["after"], result["rc"]) == ([], ["b2"], 1)
    assert "at revision base and is at b2 now, not at c3" in result["msg"]
    assert "`flask db upgrade --directory migrations head` ended with exit code 1" in result["msg"]
    assert "no sql" in result["msg"]


def test_several_heads_are_named(run, release):
    release.revision("b3", "a1", "a branch")
    result = run("flask_db", **release.arguments())
    assert result["failed"] and "2 heads: b2, b3" in result["msg"]
    assert summary(run("flask_db", **release.arguments(revision="heads")))[:3] == (True, [], ["b2", "b3"])
    assert summary(run("flask_db", **release.arguments(revision="heads")))[:3] == (False, ["b2", "b3"], ["b2", "b3"])
    assert summary(run("flask_db", **release.arguments(revision="b2")))[0] is False


def test_a_database_of_a_newer_version_is_left_alone(run, release):
    run("flask_db", **release.arguments())
    (release.path / "migrations/versions/b2.py").unlink()
    result = run("flask_db", **release.arguments())
    assert result["failed"] and "revision b2, which this version of the application does not have" in result["msg"]


def test_a_database_that_cannot_be_reached_and_no_password(run, release):
    release.write(".env", "SECRET_KEY=x\nDATABASE_URL='mysql+pymysql://shop:s3%%40cret@127.0.0.1:1/shop'\n")
    result = run("flask_db", **release.arguments())
    assert result["failed"] and result["msg"].startswith("The database can't be reached: ")
    assert "127.0.0.1" in result["msg"] and "s3" not in str(result)


FAILURES = {
    "no Flask-Migrate": ({"app": "plain:app"}, "has no Flask-Migrate"),
    "no migrations": ({"directory": "db"}, "/db has no env.py"),
    "an unknown revision": ({"revision": "zz"}, "zz"),
    "a module that does not import": ({"app": "broken:app"}, "no_such_package"),
    "no such module": ({"app": "nothing:app"}, "Could not import 'nothing'"),
    "no such name": ({"app": "shop:nothing"}, "'nothing'"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_says_what_is_wrong(case, run, release):
    arguments, text = FAILURES[case]
    result = run("flask_db", **release.arguments(**arguments))
    assert result["failed"] and text in result["msg"]
    assert not (release.path / "shop.db").exists()
