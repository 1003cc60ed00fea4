# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of cron's tables: what they run, and how one is stopped and started again."""

from __future__ import annotations

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.host import foreign_crontabs
from ansible_collections.selfhost.flask.plugins.module_utils.host.foreign_commands import bare, name_of, shown
from ansible_collections.selfhost.flask.plugins.module_utils.host.foreign_crontabs import MARK, ForeignCrontabs, read_table
from ansible_collections.selfhost.flask.plugins.module_utils.host.foreign_programs import Was

TABLE = """# at night
MAILTO=""
REDIS_URL = "redis://localhost"
30 4 * * * cd /home/ana/blog && venv/bin/flask send-mails >>logs/cron.log 2>&1
#0 3 * * * /bin/false
@daily /home/ana/blog/venv/bin/python /home/ana/blog/clean.py --days 30
*/5 * * * *\tcd $HOME/blog; . venv/bin/activate; flask send-mails
0 5 1 * * date +\\%F%input
@reboot /home/ana/blog/venv/bin/gunicorn blog:app
"""


@pytest.fixture(autouse=True)
def homes(monkeypatch):
    monkeypatch.setattr(foreign_crontabs, "home_of", "/home/{}".format)


def test_a_users_table():
    mails, clean, often, date, server = [line.program for line in read_table("/spool/ana", TABLE, "ana")]
    assert (mails.name, mails.folder, mails.user, mails.schedule) == ("send-mails", "/home/ana/blog", "ana", "30 4 * * *")
    assert mails.environment == {"REDIS_URL": "redis://localhost"} and not mails.is_server()
    assert (clean.name, clean.schedule) == ("clean", "@daily")
    assert (often.name, often.folder) == ("send-mails-7", "/home/ana/blog")
    assert date.command == "date +%F"
    assert server.is_server() and "cron could not stop it" in ForeignCrontabs().obstacles(server)[0]
    assert ForeignCrontabs().obstacles(mails) == []


def test_a_line_of_the_systems_tables_says_whose_it_is():
    (line,) = read_table("/etc/cron.d/blog", "17 * * * *  ana  cd /srv/blog && ./clean.sh\n# 1 * * * * root x\n")
    assert (line.program.user, line.program.folder, line.program.schedule) == ("ana", "/srv/blog", "17 * * * *")


def test_a_home_is_taken_as_it_is_written():
    (line,) = read_table("/spool/ana", "HOME=/\\9\n@daily cd ~/blog && ~/x.sh\n", "ana")
    assert line.program.folder == "/\\9/blog" and line.program.runs() == []


@pytest.fixture
def spool(tmp_path, monkeypatch):
    monkeypatch.setattr(foreign_crontabs, "SPOOL", str(tmp_path) + "/")
    monkeypatch.setattr(foreign_crontabs, "TABLE", str(tmp_path / "none"))
    monkeypatch.setattr(foreign_crontabs, "TABLES", str(tmp_path / "none.d") + "/")
    table = tmp_path / "ana"
    table.write_text(TABLE)
    table.chmod(0o600)
    return table


def test_a_line_is_stopped_by_a_mark_and_started_again_as_it_was(spool):
    cron, (first, dummy, second, *others) = ForeignCrontabs(), ForeignCrontabs().programs()
    was = {one.name: Was(cron.is_up(one), cron.parts(one)) for one in (first, second)}
    for one in (second, first):
        cron.stop(one, {})
    lines = spool.read_text().splitlines()
    assert lines[3].startswith(MARK + "30 4 * * * cd") and lines[6].startswith(MARK) and lines[5].startswith("@daily")
    assert not cron.is_up(first) and not cron.is_up(second) and cron.is_up(others[0])
    assert spool.stat().st_mode & 0o777 == 0o600 and cron.files(first) == cron.shared_with(first) == []
    cron.stop(first, {})
    spool.write_text(spool.read_text() + "0 0 * * * true\n")
    for name, about in was.items():
        cron.start(first._replace(name=name), {}, about)
    assert spool.read_text() == TABLE + "0 0 * * * true\n"


def test_a_job_that_runs_is_up_until_it_has_ended(spool, monkeypatch):
    cron, first = ForeignCrontabs(), ForeignCrontabs().programs()[0]
    cron.stop(first, {})
    monkeypatch.setattr(foreign_crontabs, "runs_in", lambda folder: folder == "/home/ana/blog")
    assert cron.is_up(first)


@pytest.mark.parametrize("command, left, name", [
    ("cd /home/ana/blog && venv/bin/flask send-mails --all >>logs/cron.log 2>&1", "flask send-mails --all", "send-mails"),
    ("cd /x; source venv/bin/activate && python tasks/clean.py > /dev/null", "python tasks/clean.py", "clean"),
    ("/home/ana/blog/venv/bin/rq worker blog-tasks", "rq worker blog-tasks", "rq-worker-blog-tasks"),
    ("/bin/bash -c 'cd /x && venv/bin/celery -A blog.tasks worker'", "celery -A blog.tasks worker", "celery-blog-tasks-worker"),
    ("/usr/bin/env A=b /x/venv/bin/python3 -m loop 2>/dev/null", "env A=b python3 -m loop", "loop"),
    ("/usr/local/bin/", "/usr/local/bin/", "job"),
    ("/x/venv/bin/flask sync --login bob:hunter2", "flask sync --login bob:hunter2", "sync"),
    ("/x/venv/bin/flask sync bob:hunter2 https://bob@example.com", "flask sync bob:hunter2 https://bob@example.com", "sync"),
    ("flask --app blog:app --token hunter2 sync; rm x", "flask --app blog:app --token hunter2 sync; rm x", "sync"),
    ("python3 -u /x/loop.py", "python3 -u /x/loop.py", "loop"),
])
def test_what_is_left_of_a_command(command, left, name):
    assert (bare(command), name_of(command)) == (left, name)


@pytest.mark.parametrize("command, said", [
    ("rq worker --url redis://:heron4711@localhost/0 mails", "rq worker --url redis://…@localhost/0 mails"),
    ("API_TOKEN=heron4711 python x.py", "API_TOKEN=… python x.py"),
    ("mails --password heron4711 --user ana", "mails --password … --user ana"),
    ("mails --api-key=heron4711 -p heron4711 all", "mails --api-key=… -p … all"),
    ("flask sync --login bob:heron4711", "flask sync --login …"),
    ("curl -u bob:heron4711 --user=bob:heron4711 https://example.com", "curl -u … --user=… https://example.com"),
    ("python -u x.py --user ana", "python -u x.py --user ana"),
    ("celery -A blog worker --concurrency=2", "celery -A blog worker --concurrency=2"),
])
def test_no_secret_of_a_command_is_shown(command, said):
    assert shown(command) == said
