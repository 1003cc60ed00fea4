# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backup of another application, whose name this one had before, is restored to it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.backup import restore as backup_restore
from ansible_collections.selfhost.flask.plugins.module_utils.backup import store
from ansible_collections.selfhost.flask.plugins.module_utils.backup.renaming import Renaming
from ansible_collections.selfhost.flask.plugins.module_utils.backup.store import BackupError
from ansible_collections.selfhost.flask.plugins.module_utils.common.dotenv import read
from ansible_collections.selfhost.flask.plugins.module_utils.database import data
from ansible_collections.selfhost.flask.plugins.module_utils.flask.env_keys import MARK
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import step
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

BLOG = Site("blog", "/srv/blog", "/var/log/blog")


@pytest.fixture
def shops(blog):
    """Gives a backup of the blog all the names that one of the shop has; the shop is on another host."""

    def shops(path):
        names = (str(blog.shared), str(blog.folder / "shop/shared")), ("blog.db", "shop.db")
        for name in ("settings.env", "database.json"):
            text = (path / name).read_text()
            for here, there in names:
                text = text.replace(here, there)
            (path / name).write_text(text)
        manifest = json.loads((path / "manifest.json").read_text())
        manifest["name"] = "shop"
        if manifest["database"]:
            manifest["database"] = json.loads((path / "database.json").read_text())
        manifest["files"] = {name: store.described(str(path / name)) for name in manifest["files"]}
        (path / "manifest.json").write_text(json.dumps(manifest))
        return path

    return shops


def restore(blog, path, **order):
    manifest = backup_restore.check(blog.site, str(path), "shop")
    with step(blog.site.root):
        order = backup_restore.Order(str(path), of="shop", folder=str(blog.backups), **order)
        return backup_restore.Restoration(blog.site, order, manifest).run()


def says(monkeypatch, *names):
    """The served application said that it has these SQLite files."""
    databases = [dict(kind="sqlite", name=str(name), host="", port=0, bind="") for name in names]
    monkeypatch.setattr(data, "application", lambda site, folder="": {"databases": databases})


def test_rows_and_files_of_the_other_one_take_the_place_of_this_ones(blog, shops):
    (blog.shared / "instance/photo").write_text("x")
    path = shops(blog.make())
    (blog.shared / "instance/photo").unlink()
    blog.sql("DELETE FROM post", "INSERT INTO post VALUES ('three')")
    before = blog.env.read_text()
    result = restore(blog, path)
    assert (blog.posts(), blog.files()) == (["one", "two"], {"instance/photo": "x"})
    assert blog.env.read_text() == before and not list(blog.shared.rglob("shop*"))
    assert result["notice"] == "" and result["before"].startswith(str(blog.backups))
    assert json.load(open(result["before"] + "/manifest.json"))["name"] == blog.site.name


def test_settings_come_along_but_for_what_is_this_ones(blog, shops):
    shop, own = blog.folder / "shop/shared", "sqlite:///%s" % blog.database
    blog.env.write_text(
        "SECRET_KEY=first\nDATABASE_URL=%s\nREDIS_URL=unix:///run/shop\nALSO=%s\nPHOTOS='%s/photos'\n"
        "SENDER=shop@example.com\n%s\n"
        % (own, own, blog.shared, MARK + "DATABASE_URL REDIS_URL SECRET_KEY")
    )
    path = shops(blog.make())
    assert read((path / "settings.env").read_text())["PHOTOS"] == "%s/photos" % shop
    blog.env.write_text(
        "DATABASE_URL=%s\nREDIS_URL=unix:///run/blog\nSECRET_KEY=second\nNEW=1\n%s\n"
        % (own, MARK + "DATABASE_URL NEW REDIS_URL SECRET_KEY")
    )
    notice = restore(blog, path, settings=True)["notice"]
    text = blog.env.read_text()
    assert read(text) == dict(
        DATABASE_URL=own, REDIS_URL="unix:///run/blog", ALSO=own, PHOTOS="%s/photos" % blog.shared, SECRET_KEY="first",
        SENDER="shop@example.com", NEW="1",
    )
    assert MARK + "DATABASE_URL NEW REDIS_URL SECRET_KEY\n" in text
    assert "The name shop is still in the value of SENDER in .env." in notice and "@example.com" not in notice


def test_a_backup_of_another_application_needs_its_name(blog, shops):
    path = shops(blog.make())
    with pytest.raises(BackupError, match="a backup of shop, and not of %s. .*add -e flask_backup_of=shop." % blog.site.name):
        backup_restore.check(blog.site, str(path))
    with pytest.raises(BackupError, match="a backup of shop, and not of store. Set flask_backup to another one.$"):
        backup_restore.check(blog.site, str(path), "store")
    with pytest.raises(BackupError, match="a backup of %s, and not of shop. Set flask_backup to another one.$" % blog.site.name):
        backup_restore.check(blog.site, str(blog.make()), "shop")


def test_a_database_of_another_kind_is_refused(blog, shops):
    path = shops(blog.make())
    blog.env.write_text("DATABASE_URL=mysql+pymysql://localhost/blog\n")
    with pytest.raises(BackupError, match="The backup's database is sqlite, and the one .* is mysql. Set flask_database"):
        backup_restore.check(blog.site, str(path), "shop")


def make_events(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE event (name TEXT)")
        connection.execute("INSERT INTO event VALUES ('first')")


def test_each_of_several_databases_comes_to_that_of_its_name(blog, shops, monkeypatch):
    events = blog.shared / "instance/events"
    make_events(events)
    says(monkeypatch, blog.database, events)
    path = shops(blog.make())
    for where, table in ((blog.database, "post"), (events, "event")):
        with closing(sqlite3.connect(where)) as connection, connection:
            connection.execute("DELETE FROM " + table)
    assert restore(blog, path)["notice"] == ""
    with closing(sqlite3.connect(events)) as connection:
        assert connection.execute("SELECT * FROM event").fetchall() == [("first",)]
    assert blog.posts() == ["one", "two"]


def test_a_database_that_both_use_on_this_host_stays(blog, shops, monkeypatch):
    events = blog.folder / "events"
    make_events(events)
    says(monkeypatch, blog.database, events)
    monkeypatch.setattr(data, "is_here", lambda site, address, env: True)
    path = shops(blog.make())
    with closing(sqlite3.connect(events)) as connection, connection:
        connection.execute("INSERT INTO event VALUES ('second')")
    blog.sql("DELETE FROM post")
    (blog.folder / "shop").mkdir()
    notice = restore(blog, path)["notice"]
    assert notice == "%s is as it was: shop uses it as well." % events
    with closing(sqlite3.connect(events)) as connection:
        assert connection.execute("SELECT * FROM event").fetchall() == [("first",), ("second",)]
    assert blog.posts() == ["one", "two"]


@pytest.mark.parametrize("kind, name, here", [
    ("mysql", "shop", "blog"),
    ("postgresql", "shop", "blog"),
    ("mysql", "shop_stats", "shop_stats"),
    ("sqlite", "/srv/shop/shared/instance/shop.db", "/srv/blog/shared/instance/blog.db"),
    ("sqlite", "/srv/shop/shared/instance/app.db", "/srv/blog/shared/instance/app.db"),
    ("sqlite", "/srv/shop/shared/data/shop.db", "/srv/blog/shared/data/shop.db"),
    ("sqlite", "/srv/shop/shared/data/shop.sqlite", "/srv/blog/shared/data/shop.sqlite"),
])
def test_a_database_is_called_as_the_application_is_or_as_it_calls_it_itself(kind, name, here):
    assert Renaming(BLOG, "shop", ("/srv/blog/shared/data/shop.db",)).database(kind, name) == here


@pytest.mark.parametrize("value, here", [
    ("/srv/shop/shared/photos", "/srv/blog/shared/photos"),
    ("sqlite:////srv/shop/shared/x.db", "sqlite:////srv/blog/shared/x.db"),
    ("/srv/shop:/var/log/shop/app.log,/var/cache/shop", "/srv/blog:/var/log/blog/app.log,/var/cache/blog"),
    *((value, value) for value in ("/srv/shop2/x", "/srv/shop-old", "/data/srv/shop/x", "shop", "https://shop.example.com/srv")),
])
def test_a_folder_is_replaced_where_it_is_a_whole_one(value, here):
    assert Renaming(BLOG, "shop").path(value) == here


def test_an_address_of_the_other_ones_database_becomes_that_of_this_ones():
    text = "DATABASE_URL=mysql://shop@localhost/shop\nURI=${DATABASE_URL}\nEMPTY=\n# kept\n"
    own = {"DATABASE_URL": "mysql://blog@localhost/blog"}
    assert read(Renaming(BLOG, "shop").settings(text, own)) == {
        "DATABASE_URL": own["DATABASE_URL"], "URI": own["DATABASE_URL"], "EMPTY": "",
    }
    assert "# kept" in Renaming(BLOG, "shop").settings(text, own)


def test_the_name_is_found_where_it_is_a_word_of_its_own():
    text = "ONE=mysql://x/shop\nTWO=workshop\nTHREE=shop_stats\nOWN=shop\n"
    assert Renaming(BLOG, "shop").still_named(text, {"OWN": "x"}) == ["ONE", "THREE"]
