# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of an installation by hand is found, what would be moved, and what stands in the way."""

from __future__ import annotations

import getpass
import os
import sqlite3
import subprocess
import sys
from types import SimpleNamespace

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.adoption import data as data_module
from ansible_collections.selfhost.flask.plugins.module_utils.adoption import installation as installation_module
from ansible_collections.selfhost.flask.plugins.module_utils.adoption import obstacles as obstacles_module
from ansible_collections.selfhost.flask.plugins.module_utils.adoption import plan as plan_module
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.data import count_files, find_data, read_status
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.installation import (
    AdoptionError,
    Installation,
    choose,
    installation,
)
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.obstacles import Wishes
from ansible_collections.selfhost.flask.plugins.module_utils.adoption.plan import make_plan
from ansible_collections.selfhost.flask.plugins.module_utils.database.url import read_url
from ansible_collections.selfhost.flask.plugins.module_utils.host.foreign_programs import ForeignProgram
from ansible_collections.selfhost.flask.plugins.module_utils.host.foreign_uwsgi import Options
from ansible_collections.selfhost.flask.plugins.module_utils.proxy.foreign_sites import ForeignSite

MAIL = ("MAIL_SERVER", "MAIL_PORT")
TASKS = {"name": "tasks", "command": "rq worker"}
WISHES = Wishes("sqlite", ("instance", "logs"), (), (), ("DATABASE_URL", *MAIL), workers=(TASKS,))


def database(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE posts (id INTEGER)")
        connection.execute("INSERT INTO posts VALUES (1), (2)")


@pytest.fixture
def folder(tmp_path):
    """A clone as an application leaves it: settings, a virtual environment, logs, uploads, a database."""
    folder = tmp_path / "microblog"
    folder.mkdir()
    (folder / "microblog.py").write_text("app = None\n")
    (folder / "app/static").mkdir(parents=True)
    (folder / "app/static/style.css").write_text("body {}\n")
    (folder / ".gitignore").write_text("venv/\napp.db\nlogs/\n")
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@example.com"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"], ["tag", "v1"]):
        subprocess.run([*git, *words], check=True)
    for name in ("venv/pyvenv.cfg", "logs/microblog.log", "app/__pycache__/x.pyc", "app/static/uploads/cat.jpg", "certs/key.pem"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x" * 10)
    (folder / ".env").write_text("SECRET_KEY='a # b'\nMAIL_SERVER=localhost\nMS_TRANSLATOR_KEY=x\n")
    (folder / "notes.txt").write_text("what to do\n")
    (folder / "app/static/style.css").write_text("body { color: red }\n")
    database(folder / "app.db")
    return folder


def program(folder, name="microblog", manager="supervisor", command="gunicorn -b localhost:8000 x:app", **about):
    return ForeignProgram(name, manager, "/etc/%s.conf" % name, command, str(folder), getpass.getuser(), **about)


@pytest.fixture
def found(folder, monkeypatch):
    monkeypatch.setattr(installation_module, "SITES", ())
    monkeypatch.setattr(obstacles_module, "MANAGERS", {})
    return installation([program(folder)], [program(folder), program(folder, "tasks", command="rq worker")])


def test_what_git_does_not_know_is_data_unless_it_is_made_again(folder):
    data = find_data(str(folder), [str(folder / "certs/key.pem")])
    assert data.files == ("app/static/uploads/", "notes.txt") and data.databases == ("app.db",)
    assert data.version == "v1" and len(data.commit) == 40 and data.changed == ("app/static/style.css",)


def test_without_git_data_is_found_by_names(folder):
    subprocess.run(["rm", "-r", str(folder / ".git")], check=True)
    data = find_data(str(folder), [])
    assert data.commit == "" and data.files == ("app/static/uploads/",) and data.databases == ("app.db",)


def test_an_application_in_a_subfolder_has_only_what_is_in_it():
    entries = ["?? web/uploads/", " M web/app.py", "!! docs/x.db", "?? web/", ""]
    assert read_status(entries, "web/") == (["uploads/"], ["app.py"])


def test_settings_come_from_the_dotenv_file_and_the_program_wins(folder, monkeypatch):
    monkeypatch.setattr(installation_module, "SITES", ())
    (folder / "more.env").write_text("MAIL_PORT=587\n")
    about = dict(environment={"SECRET_KEY": "b"}, environment_files=(str(folder / "more.env"),))
    found = installation([program(folder, **about)], [])
    assert found.settings == {"SECRET_KEY": "b", "MAIL_SERVER": "localhost", "MS_TRANSLATOR_KEY": "x", "MAIL_PORT": "587"}
    assert found.taken(["DATABASE_URL", *MAIL]) == ["SECRET_KEY", "MS_TRANSLATOR_KEY"]


def test_a_pipe_in_place_of_the_settings_stands_in_the_way(folder, monkeypatch):
    monkeypatch.setattr(installation_module, "SITES", ())
    (folder / ".env").unlink()
    os.mkfifo(folder / ".env")
    found = installation([program(folder)], [])
    assert found.settings == {} and found.unread
    assert [one for one in make_plan(found, WISHES).obstacles if "it is no regular file. Its settings would be lost" in one]


@pytest.mark.parametrize("settings, key, address", [
    ({"DATABASE_URL": "mysql+pymysql://microblog:pw@localhost:3306/microblog"}, "DATABASE_URL", ("mysql", "microblog")),
    ({"DATABASE_URL": "postgres://u:p@localhost/x"}, "DATABASE_URL", ("postgresql", "x")),
    ({"SQLALCHEMY_DATABASE_URI": "postgresql+psycopg2://u:p@localhost/x"}, "SQLALCHEMY_DATABASE_URI", ("postgresql", "x")),
    ({"REDIS_URL": "redis://localhost/0", "SHOP_DB": "mysql://u:p@localhost/y"}, "SHOP_DB", ("mysql", "y")),
    ({"DATABASE_URL": "sqlite:///app.db"}, "DATABASE_URL", ("sqlite", "/x/instance/app.db")),
    ({"REDIS_URL": "redis://localhost/0"}, "", ("sqlite", "/x/instance/app.db")),
])
def test_where_its_data_is(settings, key, address):
    found = Installation((program("/x"),), "/x", "ana", settings)
    assert found.database_key() == key
    assert found.address(["instance/app.db"])[:2] == address


def test_of_several_applications_one_has_to_be_named(folder):
    found = [Installation((program(folder, name),), str(folder), "ana", {}) for name in ("blog", "shop")]
    with pytest.raises(AdoptionError, match="2 applications: blog in .*; shop in .*Set flask_adopt_program"):
        choose(found, "", "old")
    with pytest.raises(AdoptionError, match="flask_adopt_program is 'x', which is none"):
        choose(found, "x", "old")
    assert choose(found, "shop", "old").name == "shop"
    with pytest.raises(AdoptionError, match="No application of Flask was found on old"):
        choose([], "", "old")


def test_a_plan_says_what_is_moved_and_no_secret(found, folder, monkeypatch):
    monkeypatch.setattr(plan_module.DRIVERS["sqlite"], "_about", lambda self: {"tables": {"posts": 2}, "revision": []})
    plan = make_plan(found, WISHES._replace(shared=("instance", "app/static/uploads"), left_out=("certs",)))
    assert plan.obstacles == [] and plan.places == ["app/static/uploads"]
    assert "Moves the SQLite file %s: 1 table, 2 rows." % (folder / "app.db") in plan.lines
    assert "Moves the folder app/static/uploads: 1 file, 10 bytes." in plan.lines
    assert "Takes over the settings MS_TRANSLATOR_KEY, SECRET_KEY." in plan.lines
    assert plan.taken(WISHES) == {"SECRET_KEY": "a # b", "MS_TRANSLATOR_KEY": "x"}
    assert "a # b" not in str(plan.lines + plan.notes)


def test_what_would_be_lost_stands_in_the_way(found):
    assert [one for one in make_plan(found, WISHES).obstacles if "Add app/static/uploads to flask_shared_paths" in one]
    left = WISHES._replace(left_out=("app/static/uploads", "certs"))
    assert not [one for one in make_plan(found, left).obstacles if "uploads" in one]


@pytest.mark.parametrize("settings, wishes, said", [
    ({"DATABASE_URL": "mysql://u:p@localhost/x"}, {"database": "postgresql"}, "Set flask_database to mysql"),
    ({"DATABASE_URL": "mysql://u:p@db.example.com/x"}, {"database": "mysql"}, "Set flask_database to external"),
    ({"DATABASE_URL": "postgresql://u:p@localhost/x"}, {"database": "postgresql", "same_host": True},
     "set postgresql_hba: ['host x u samehost scram-sha-256'] and postgresql_settings: {listen_addresses: localhost}; after"),
    ({"DATABASE_URL": "postgresql:///x"}, {"database": "postgresql", "same_host": True}, "set postgresql_hba: ['local x x peer']; after"),
    ({"DATABASE_URL": "postgresql://u:p@localhost/x"},
     {"database": "postgresql", "same_host": True, "entrances": {"hba": ["host x u samehost scram-sha-256"]}},
     "set postgresql_settings: {listen_addresses: localhost}; after"),
    ({"DATABASE_URL": "mssql://u:p@localhost/x"}, {"database": "mysql"}, "which this collection does not copy"),
    ({"DATABASE_URL": "sqlite:///none.db"}, {"database": "sqlite"}, "there is none of that name"),
    ({"MAIL_SERVER": "smtp.example.com"}, {}, "Set flask_mail_enabled to false"),
])
def test_what_does_not_fit_is_said_with_what_to_do(found, settings, wishes, said):
    obstacles = make_plan(found._replace(settings=settings), WISHES._replace(**wishes)).obstacles
    assert [one for one in obstacles if said in one], obstacles


@pytest.mark.parametrize("database", ["mysql", "external"])
@pytest.mark.parametrize("url", [
    "mysql://u@localhost/--execute=\\! sh -c id", "mysql://u@localhost/--tee=/etc/cron.d/x", "mysql://u'@localhost/x",
    "mysql://u\n\\! id@localhost/x", "postgresql://u@localhost/host=evil",
])
def test_a_name_that_is_not_safe_stands_in_the_way_and_no_client_gets_it(found, database, url, monkeypatch):
    asked = []
    monkeypatch.setattr("subprocess.run", lambda argv, **about: asked.append(argv))
    plan = make_plan(found._replace(settings={"DATABASE_URL": url}, folder=""), WISHES._replace(database=database))
    assert [one for one in plan.obstacles if "signs that are not safe" in one] and plan.database is None and asked == []


MICROBLOG = {"DATABASE_URL": "mysql+pymysql://u:p@localhost:3306/microblog"}


@pytest.mark.parametrize("url, same_host, is_shared", [
    ("mysql://blog@localhost/blog", True, False), ("mysql+pymysql://blog@localhost/microblog?unix_socket=/x", True, True),
    ("mariadb://u:p@10.0.0.5/microblog", True, True), ("postgresql://u@localhost/microblog", True, False),
    ("mysql://u:p@old.example.com/microblog", False, True), ("mysql://blog@localhost/microblog", False, False),
])
def test_a_new_one_that_would_have_the_old_database_is_refused(found, url, same_host, is_shared, monkeypatch):
    monkeypatch.setattr(plan_module.DRIVERS["mysql"], "check", lambda self: None)
    monkeypatch.setattr(plan_module.DRIVERS["mysql"], "tables", lambda self: {})
    wishes = WISHES._replace(database="mysql", same_host=same_host, databases=(read_url(url),))
    obstacles = make_plan(found._replace(settings=MICROBLOG), wishes).obstacles
    assert bool([one for one in obstacles if "itself, which ends with the old one" in one]) == is_shared


@pytest.mark.parametrize("same_host", [True, False])
def test_of_an_external_database_nothing_is_moved_or_noted_for_removal(found, same_host):
    wishes = WISHES._replace(database="external", same_host=same_host, given=("DATABASE_URL",))
    plan = make_plan(found._replace(settings=MICROBLOG), wishes)
    assert (plan.database, plan.address, plan.external) == (None, None, "the MySQL database microblog")
    assert "Its data: the MySQL database microblog." in plan.lines and "DATABASE_URL" not in plan.taken(wishes)


def test_a_site_whose_file_leads_elsewhere_as_well_stands_in_the_way(found):
    sites = ((None, ForeignSite("/etc/nginx/sites-enabled/all", others=("shop.example.com", "http://127.0.0.1:9000/"))),)
    said = [one for one in make_plan(found._replace(sites=sites), WISHES).obstacles if "sites-enabled/all" in one]
    assert said and "leads to shop.example.com and http://127.0.0.1:9000/, which is no part" in said[0]


def test_a_site_that_has_only_files_of_the_folder_is_noted_and_stays(found, folder, monkeypatch):
    monkeypatch.setattr(plan_module, "SITES", (lambda: SimpleNamespace(with_files=lambda path: ["/etc/static"]),))
    assert "/etc/static has files of its folder in it" in " ".join(make_plan(found, WISHES).notes)


def test_mail_that_the_inventory_knows_of_stands_in_nobodys_way(found):
    found = found._replace(settings={"MAIL_SERVER": "smtp.example.com"})
    for wishes in (WISHES._replace(own=("DATABASE_URL",)), WISHES._replace(given=MAIL)):
        assert not [one for one in make_plan(found, wishes).obstacles if "mail" in one]


def test_loose_files_of_a_folder_are_one_obstacle(found, folder):
    for number in range(9):
        (folder / ("app/static/%d.png" % number)).write_text("x")
    said = [one for one in make_plan(found, WISHES).obstacles if "app/static/0.png" in one]
    assert len(said) == 1 and "app/static/5.png and 3 more, among the source" in said[0]
    assert "add a folder of data to flask_shared_paths" in said[0]


def test_a_folder_that_is_not_there_stands_in_the_way(tmp_path):
    gone = str(tmp_path / "gone")
    obstacles = make_plan(Installation((program(gone, manager="x"),), gone, "ana", {}), WISHES._replace(database="none")).obstacles
    assert obstacles == ["microblog is to run in %s, which is no folder. Correct that in /etc/microblog.conf." % gone]


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives a file away")
def test_a_folder_of_nobodys_stands_in_the_way(found, folder):
    os.chown(folder, 54321, 54321)
    obstacles = make_plan(found, WISHES._replace(database="none")).obstacles
    assert "%s belongs to the user 54321, whom this host does not know. Give it to %s by chown." % (folder, found.user) in obstacles


def test_a_setting_that_its_manager_alone_knows_stands_in_the_way(found, folder):
    unknown = program(folder, unresolved=("SECRET_KEY", "PATH"))
    found = found._replace(programs=(unknown,))
    (said,) = [one for one in make_plan(found, WISHES).obstacles if "environment of supervisor itself" in one]
    assert said.startswith("microblog has SECRET_KEY from") and "set it in flask_env" in said
    given = make_plan(found, WISHES._replace(given=("SECRET_KEY",))).obstacles
    assert not [one for one in given if "supervisor itself" in one]


def test_a_program_that_nobody_would_start_again_is_not_stopped(folder):
    by_hand = program(folder, manager="by hand")._replace(file="")
    plan = make_plan(Installation((by_hand,), str(folder), "ana", {}), WISHES)
    assert [one for one in plan.obstacles if "was started in a session" in one]


def test_files_are_counted_without_the_database_and_without_following_links(folder):
    database(folder / "instance/app.db")
    database(folder / "instance/other.db")
    (folder / "instance/other.db-wal").write_text("x")
    (folder / "instance/a").write_text("abc")
    (folder / "instance/link").symlink_to("/etc/passwd")
    assert count_files(str(folder), ["instance"], ["instance/app.db"]) == {"instance": [2, 3]}


def test_git_is_asked_as_the_owner_of_the_folder(folder, monkeypatch):
    asked = []
    monkeypatch.setattr(data_module, "run", lambda argv, user="": asked.append((argv[:3], user)) or b"")
    data_module.git(str(folder), "ana", "status")
    data_module.git(str(folder), "root", "status")
    assert [user for dummy, user in asked] == ["ana", ""] and os.path.isdir(folder)


def test_what_works_beside_it_has_an_entry_in_the_inventory_or_stands_in_the_way(found, folder):
    job = program(folder, "send-mails", "cron", "cd %s && venv/bin/flask send-mails" % folder, schedule="30 4 * * *")
    found = found._replace(programs=(*found.programs, job))

    def obstacles(**wishes):
        return [one for one in make_plan(found, WISHES._replace(**wishes)).obstacles if "works beside it" in one]

    said = obstacles(workers=())
    assert "add {name: tasks, command: rq worker} to flask_workers; if" in said[0]
    assert "add {name: send-mails, command: flask send-mails, schedule: '30 4 * * *'} to flask_jobs; if" in said[1]
    by_command = {"name": "mails", "command": "flask send-mails", "schedule": "@daily"}
    assert obstacles(jobs=(by_command,)) == [] and len(obstacles(jobs=(dict(by_command, command="flask x"),))) == 1
    assert obstacles(workers=(), left_out=("tasks", "send-mails")) == []


def test_the_line_for_the_inventory_has_the_names_of_settings_and_not_their_values(found, folder):
    settings = {"REDIS_URL": "redis://:heron4711@localhost/0", "QUEUE": "mails", "DATABASE_URL": "sqlite:///app.db"}
    settings["PATH"] = "/home/ana/blog/venv/bin"  # as DigitalOcean's unit has it
    worker = program(folder, "tasks", command="/home/ana/blog/venv/bin/rq worker --url redis://:heron4711@localhost/0 mails")
    found = found._replace(programs=(found.programs[0], worker), settings=settings)
    (said,) = [one for one in make_plan(found, WISHES._replace(workers=())).obstacles if "works beside it" in one]
    assert "{name: tasks, command: rq worker --url $REDIS_URL mails}" in said


def test_what_uwsgi_starts_itself_is_named_as_well(found, folder):
    options = Options(beside=(("venv/bin/celery -A blog worker", ""), ("flask often", "?")))
    server = program(folder, command="uwsgi --ini x.ini", options=options)
    said = make_plan(found._replace(programs=(server,)), WISHES).obstacles
    assert [one for one in said if "add {name: celery-blog-worker, command: celery -A blog worker} to flask_workers" in one]
    assert [one for one in said if "command: flask often, schedule: '…'} to flask_jobs" in one]


def test_a_value_that_a_worker_alone_has_comes_along_and_two_are_told_apart(folder, monkeypatch):
    monkeypatch.setattr(installation_module, "SITES", ())
    worker = program(folder, "tasks", command="rq worker", environment={"REDIS_URL": "redis://x", "MS_TRANSLATOR_KEY": "y"})
    found = installation([program(folder)], [worker])
    assert found.settings["REDIS_URL"] == "redis://x" and found.settings["MS_TRANSLATOR_KEY"] == "x"
    (said,) = [one for one in make_plan(found, WISHES).obstacles if "another value" in one]
    assert said.startswith("tasks has another value of MS_TRANSLATOR_KEY than microblog") and "'y'" not in said
    command = {"name": "tasks", "command": "env MS_TRANSLATOR_KEY=y rq worker"}
    assert not [one for one in make_plan(found, WISHES._replace(workers=(command,))).obstacles if "another value" in one]


@pytest.mark.parametrize("file, user, is_taken", [
    ("/var/spool/cron/crontabs/mallory", "mallory", False), ("/var/spool/cron/crontabs/root", "root", True),
    ("/var/spool/cron/crontabs/own", getpass.getuser(), True), ("/etc/cron.d/blog", "mallory", True),
])
def test_another_users_crontab_says_nothing_to_the_new_one(folder, monkeypatch, file, user, is_taken):
    monkeypatch.setattr(installation_module, "SITES", ())
    monkeypatch.setattr(obstacles_module, "MANAGERS", {})
    job = program(folder, "tasks", "cron", "true", environment={"LD_PRELOAD": "/tmp/x.so"}, schedule="@daily")
    found = installation([program(folder)], [job._replace(file=file, user=user)])
    assert ("LD_PRELOAD" in found.settings) == is_taken
    server = job._replace(command="gunicorn x", file=file, user=user)
    assert ("LD_PRELOAD" in installation([program(folder), server], []).settings) == is_taken
    said = [one for one in make_plan(found, WISHES).obstacles if "LD_PRELOAD from the crontab of mallory" in one]
    assert bool(said) != is_taken
    command = {"name": "tasks", "command": "env LD_PRELOAD=/tmp/x.so true"}
    assert not [one for one in make_plan(found, WISHES._replace(workers=(command,))).obstacles if "LD_PRELOAD" in one]


def test_what_only_names_the_folder_is_noted_and_not_stopped(folder, monkeypatch):
    monkeypatch.setattr(installation_module, "SITES", ())
    backup = program("/", "backup", "cron", "/usr/bin/tar czf /x.tgz %s" % folder)
    found = installation([program(folder)], [backup])
    assert backup not in found.programs
    assert "backup (cron) has its folder in its command, and stays as it is" in " ".join(make_plan(found, WISHES).notes)


def test_a_job_that_looks_after_it_is_no_second_application(folder, monkeypatch):
    monkeypatch.setattr(installation_module, "SITES", ())
    monkeypatch.setattr(installation_module, "processes", list)
    job = program("", "restart", "cron", "systemctl restart gunicorn", schedule="0 4 * * *")
    run = [program(folder, "gunicorn.service"), job]
    monkeypatch.setattr(installation_module, "MANAGERS", {"x": lambda: SimpleNamespace(programs=lambda: run)})
    (found,) = installation_module.find_installations()
    assert [one.name for one in found.programs] == ["gunicorn.service"]
    said = " ".join(make_plan(found, WISHES).notes)
    assert "restart (cron) looks after a program of it, and stays as it is: after the move, it may start that again." in said


def test_what_runs_in_a_session_is_to_be_ended_and_ansible_itself_is_none(folder, monkeypatch):
    for name in ("ansible-playbook", "worker.py"):
        (folder / name).write_text("input()\n")
    monkeypatch.setattr(installation_module, "unit_of", lambda group: "")
    names = [str(folder / "ansible-playbook"), "worker.py"]
    started = [subprocess.Popen([sys.executable, name], cwd=folder, stdin=subprocess.PIPE) for name in names]
    try:
        (worker,) = [one for one in installation_module.processes() if one.folder == str(folder)]
    finally:
        for one in started:
            one.communicate(b"\n")
    assert worker.command.endswith(" worker.py")
    said = make_plan(Installation((program(folder), worker), str(folder), "ana", {}), WISHES).obstacles
    assert [one for one in said if "was started in a session, and may write to the data. End it, and look again" in one]


@pytest.mark.parametrize("group, unit", [
    ("0::/user.slice/user-1000.slice/session-4.scope\n", ""),
    ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/blog.service\n", ""),
    ("9:name=systemd:/\n0::/system.slice/uwsgi.service\n", "uwsgi.service"),
    ("0::/system.slice/supervisor.service\n", None), ("0::/system.slice/cron.service\n", None),
    ("0::/system.slice/own.service\n", None), ("0::/init.scope\n", "init.scope"), ("0::/\n", None),
])
def test_who_could_be_told_to_stop_a_process(group, unit, tmp_path, monkeypatch):
    (tmp_path / "own.service").touch()
    monkeypatch.setattr(installation_module, "UNITS", str(tmp_path) + "/")
    assert installation_module.unit_of(group) == unit


def test_a_program_of_another_unit_stands_in_the_way(folder):
    other = program(folder, manager="by hand")._replace(file="uwsgi.service")
    said = make_plan(Installation((other,), str(folder), "ana", {}), WISHES).obstacles
    assert [one for one in said if "is run by uwsgi.service, which is no unit of the administrator's" in one]


def test_a_worker_is_a_part_of_the_nearest_application(tmp_path, monkeypatch):
    home, shop = tmp_path / "ana", tmp_path / "ana/shop"
    shop.mkdir(parents=True)
    run = [program(home, "blog"), program(shop, "shop"), program(shop, "tasks", command="rq worker")]
    run.append(program(home, "mails", command="x"))
    monkeypatch.setattr(installation_module, "MANAGERS", {"x": lambda: SimpleNamespace(programs=lambda: run)})
    monkeypatch.setattr(installation_module, "SITES", ())
    monkeypatch.setattr(installation_module, "processes", list)
    found = {one.name: [other.name for other in one.programs[1:]] for one in installation_module.find_installations()}
    assert found == {"blog": ["mails"], "shop": ["tasks"]}


def test_an_emperor_is_told_from_its_applications(folder):
    emperor = program("", command="uwsgi --emperor /etc/uwsgi/vassals --uid ana").completed()
    said = make_plan(Installation((emperor,), "", "ana", {}), WISHES).obstacles
    assert "an application for each file in /etc/uwsgi/vassals" in said[0]
    assert not [one for one in said if "in which folder" in one]


@pytest.mark.parametrize("state, same_host, stands", [
    (b"active\n", True, True), (b"active\n", False, False), (b"inactive\n", True, False),
])
def test_what_the_new_one_stops_before_the_old_one_ends_stands_in_the_way(found, monkeypatch, state, same_host, stands):
    monkeypatch.setattr(obstacles_module, "run", lambda argv: state)
    wishes = WISHES._replace(displaced={"redis-server.service": "redis_default_enabled"}, same_host=same_host)
    said = [one for one in make_plan(found, wishes).obstacles if "Set redis_default_enabled to true" in one]
    assert bool(said) == stands
