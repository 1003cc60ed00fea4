# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an administrator types on the host: sudo flask-<app> logs, status, dbshell and restart."""

from __future__ import annotations

import json
import os

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.database import (
    clients,
    mysql_client,
    postgresql_client,
    sqlite,
)
from ansible_collections.selfhost.flask.plugins.module_utils.database.data import Data
from ansible_collections.selfhost.flask.plugins.module_utils.deployment import console
from ansible_collections.selfhost.flask.plugins.module_utils.deployment import status as deployment_status
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.restart import NotRestarted, restart
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.transaction import recover
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import Lock
from deployment_host import Killed


@pytest.fixture
def served(host, deploy):
    """A release that is served in the slot blue."""
    host.release("v1")
    deploy("v1", version="the v1", commit="abc", health_url="/healthz")
    host.look_anew()
    return host


def typed(host, *words):
    console.main([str(host.root), str(host.root / "log"), *words])


class Became(Exception):
    """The process is another program from here on."""


@pytest.fixture
def become(monkeypatch):
    """The program that a command becomes, and its environment."""

    def execute(name, argv, environment=None):
        raise Became(argv, environment)

    monkeypatch.setattr(console.os, "execvp", execute)
    monkeypatch.setattr(console.os, "execvpe", execute)


class TestRestart:
    """The served release is launched again."""

    def test_moves_to_the_other_slot_once_it_is_healthy_there(self, served):
        assert restart(served.site, "ana@host") == []
        assert served.links() == {"current": "v1", "run/live.sock": "green.sock", "slots/green": "v1"}
        assert [step for step in served.steps if step in ("start blog-green", "switch", "stop blog-blue")] == [
            "start blog-green", "switch", "stop blog-blue",
        ]
        last = served.entries()[-1]
        about = ("release", "outcome", "by", "version", "commit")
        assert [last[key] for key in about] == ["v1", "served", "ana@host", "the v1", "abc"]
        assert served.journal() is None

    def test_has_the_settings_as_they_are_now(self, served):
        (served.root / "shared/.env").write_text("NEW=1\n")
        restart(served.site, "ana@host")
        assert (served.root / "slots/green.settings/.env").read_text() == "NEW=1\n"

    def test_the_next_update_has_nothing_to_do(self, served, deploy):
        restart(served.site, "ana@host")
        assert not deploy("v1", version="the v1", commit="abc", health_url="/healthz")["changed"]

    def test_asks_for_the_health_as_the_deployment_did(self, served):
        launch = json.loads((served.root / "slots/blue.launch").read_text())
        assert launch["health"][0] == "/healthz"
        restart(served.site, "ana@host")
        assert json.loads((served.root / "slots/green.launch").read_text()) == launch
        assert not (served.root / "slots/blue.launch").exists()

    def test_that_fails_leaves_what_is_served(self, served):
        served.broken["v1"] = {"status": 500}
        with pytest.raises(NotRestarted, match="(?s)v1 could not be launched again.*goes on running as before"):
            restart(served.site, "ana@host")
        assert served.links() == {"current": "v1", "run/live.sock": "blue.sock", "slots/blue": "v1"}
        assert served.records()[-1] == ("v1", "failed") and served.journal() is None

    def test_that_is_killed_is_ended_by_the_recovery(self, served):
        served.on["switch"] = Killed()
        with pytest.raises(Killed):
            restart(served.site, "ana@host")
        assert recover(served.site) == "took back the change to v1"
        assert served.links() == {"current": "v1", "run/live.sock": "blue.sock", "slots/blue": "v1"}

    def test_of_a_release_that_an_older_collection_launched(self, served):
        (served.root / "slots/blue.launch").unlink()
        restart(served.site, "ana@host")
        assert served.links()["run/live.sock"] == "green.sock"

    def test_needs_something_that_is_served(self, host):
        with pytest.raises(NotRestarted, match="No version is served yet"):
            restart(host.site, "ana@host")

    def test_starts_the_workers_anew_and_says_so(self, served, capsys):
        served.workers("mail")
        served.supervisor.states["blog.mail"] = "RUNNING"
        typed(served, "restart")
        assert "stop blog.mail" in served.steps and "start blog.mail" in served.steps
        assert capsys.readouterr().out.endswith("v1 was restarted, in the slot green.\n")
        assert Lock(served.site).holder() is None

    def test_waits_for_nobody_who_deploys(self, served):
        owner = dict(id="x", owner="ana@laptop", reason="the deployment of v2", machine="a", process=1, started="")
        Lock(served.site).take(owner, [])
        with pytest.raises(SystemExit, match="ana@laptop is at work on the application: the deployment of v2"):
            typed(served, "restart")
        assert served.steps == [] and Lock(served.site).holder()["id"] == "x"


class TestLogs:
    """The ends of the logs."""

    @pytest.fixture(autouse=True)
    def logs(self, served):
        for name in ("blue.log", "green.log", "mail.log", "deploy.log", "blue.log.1"):
            (served.root / "log" / name).write_text("a line\n")
        (served.root / "access.log").touch()

    def shown(self, served, *words):
        with pytest.raises(Became) as became:
            typed(served, "logs", "--also", str(served.root / "access.log"), "--also", "/nowhere", *words)
        argv = became.value.args[0]
        return argv[1:argv.index("--")], [os.path.basename(path) for path in argv[argv.index("--") + 1:]]

    def test_are_those_of_the_live_slot_the_workers_and_the_web_server(self, served, become):
        expected = ["mail.log", "blue.log", "deploy.log", "access.log"]
        options, names = self.shown(served)
        assert options == ["--verbose", "--lines=20"] and sorted(names) == sorted(expected) and names[0] == "mail.log"

    def test_are_followed_over_a_switch(self, served, become):
        options, names = self.shown(served, "-f", "-n", "5")
        assert options == ["--verbose", "--lines=5", "--follow=name", "--retry"] and "green.log" in names


def test_the_status_is_that_of_the_playbook(served, capsys, monkeypatch):
    monkeypatch.setattr(deployment_status, "data_of", lambda *dummy: Data())
    typed(served, "status")
    assert capsys.readouterr().out.startswith("serves v1 from the blue slot\n")


CLIENTS = {
    "mysql+pymysql://blog@localhost/blog?unix_socket=/run/mysqld/mysqld.sock&charset=utf8mb4":
        (["CLIENT", "--user=blog", "--database=blog"], {}),
    "mysql://ana:s%40crt@db.example.com:3307/shop":
        (["CLIENT", "--user=ana", "--host=db.example.com", "--port=3307", "--database=shop"], {"MYSQL_PWD": "s@crt"}),
    "postgresql+psycopg://blog@/blog?host=/run/postgresql":
        (["CLIENT", "--host=/run/postgresql", "--username=blog", "--dbname=blog"], {}),
    "postgresql://ana:s%40crt@db.example.com/shop":
        (["CLIENT", "--host=db.example.com", "--username=ana", "--dbname=shop"], {"PGPASSWORD": "s@crt"}),
    "sqlite:////srv/blog/shared/instance/blog.db": (["sqlite3", "--", "/srv/blog/shared/instance/blog.db"], {}),
}


class TestDatabase:
    """The database's client, with the application's login."""

    @pytest.fixture(autouse=True)
    def installed(self, monkeypatch):
        for module in (mysql_client, postgresql_client):
            monkeypatch.setattr(module, "CLIENT", "CLIENT")
        for module in (mysql_client, postgresql_client, sqlite):
            monkeypatch.setattr(module.shutil, "which", lambda name: "/usr/bin/" + name)

    @pytest.mark.parametrize("url", CLIENTS)
    def test_is_opened_as_the_url_says_and_no_argument_has_the_password(self, served, url):
        (served.root / "shared/.env").write_text("DATABASE_URL='%s'\n" % url)
        assert clients.client_of(served.site) == CLIENTS[url]

    def test_is_opened_as_the_application_s_user(self, served, become, monkeypatch):
        (served.root / "shared/.env").write_text("DATABASE_URL=postgresql://blog:secret@/blog?host=/run/postgresql\n")
        monkeypatch.setattr(console.pwd, "getpwnam", lambda name: type("User", (), {"pw_dir": "/var/cache/" + name}))
        with pytest.raises(Became) as became:
            typed(served, "dbshell")
        argv, environment = became.value.args
        assert argv[:4] == ["runuser", "-u", "blog", "--"] and "secret" not in " ".join(argv)
        assert (environment["PGPASSWORD"], environment["HOME"]) == ("secret", "/var/cache/blog")

    @pytest.mark.parametrize("url, said", [
        ("", "no DATABASE_URL"), ("sqlite:///relative.db", "no DATABASE_URL"), ("mongodb://db/x", "no client here for the MongoDB"),
    ])
    def test_that_is_nowhere_is_said(self, served, url, said):
        (served.root / "shared/.env").write_text("DATABASE_URL=%s\n" % url)
        with pytest.raises(SystemExit, match=said):
            typed(served, "dbshell")

    def test_without_its_client_says_what_to_install(self, served, monkeypatch):
        monkeypatch.setattr(sqlite.shutil, "which", lambda name: None)
        (served.root / "shared/.env").write_text("DATABASE_URL=sqlite:////srv/blog/blog.db\n")
        with pytest.raises(SystemExit, match="sudo apt install sqlite3"):
            typed(served, "dbshell")
