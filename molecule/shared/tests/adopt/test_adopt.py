"""An installation by hand becomes one of the collection: what it had is there, and it is whole until it is removed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tarfile
import threading
import time
from pathlib import Path
from types import TracebackType

import pytest
import requests
from machine import APP, KEY, ROOT, STATE, TOP, Machine, machines, scenario_state, wait_for
from playbook import run, spoken
from traffic import Traffic, settle

MANAGER = os.environ.get("ADOPT_MANAGER", "supervisor")
DATABASE = os.environ.get("ADOPT_DATABASE", "mysql")
SECRETS = ("pelican4711", "heron4711")
POSTS = {
    "mysql": "mysql -N {0} -e 'SELECT body FROM posts'",
    "sqlite": f"python3 -c \"import sqlite3; [print(*row) for row in sqlite3.connect('{ROOT}/shared/instance/{APP}.db')"
    ".execute('SELECT body FROM posts')]\"",
    "postgresql": "cd / && runuser -u postgres -- psql -XAt {0} -c 'SELECT body FROM posts'",
}
LETS_IN = {"postgresql_hba": ["host site site samehost scram-sha-256"], "postgresql_settings": {"listen_addresses": "localhost"}}
CHOSEN = [f"flask_database={DATABASE}", *([json.dumps(LETS_IN)] if DATABASE == "postgresql" else [])]
UNITS = "systemctl is-active site site-tasks"
IS_OLD_UP = {"supervisor": "pgrep -u ubuntu gunicorn && pgrep -u ubuntu -f 'flask work'", "systemd": UNITS, "uwsgi": UNITS}
IS_ANY_UP = "pgrep -u ubuntu 'gunicorn|uwsgi|flask'"
OLD_FOLDER = "/home/ubuntu/site"


class Watch(threading.Thread):
    """One visitor who asks ten times a second; when there was no answer."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(daemon=True)
        self.machine, self.left = machine, threading.Event()
        self.asked, self.failed = 0, []

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.left.set()
        self.join(timeout=30)

    def run(self) -> None:
        while not self.left.wait(0.1):
            self.asked += 1
            try:
                with self.machine.visitor() as newcomer:
                    newcomer.get("/posts/count").raise_for_status()
            except requests.RequestException:
                self.failed.append(time.monotonic())

    def outages(self) -> list[float]:
        """The seconds of each stretch without an answer."""
        stretches: list[list[float]] = []
        for moment in self.failed:
            if stretches and moment - stretches[-1][-1] < 1:
                stretches[-1].append(moment)
            else:
                stretches.append([moment])
        return [round(one[-1] - one[0], 1) for one in stretches]


def adopt(*arguments: str) -> subprocess.CompletedProcess[str]:
    (name,) = [machine.name for machine in machines()]
    values = [f"flask_adopt_from={name}", *CHOSEN, *arguments]
    return run("adopt.yml", *[word for value in values for word in ("-e", value)])


def said(answer: subprocess.CompletedProcess[str]) -> str:
    """What a run said, which is never a secret."""
    text = spoken(answer)
    assert not [secret for secret in SECRETS if secret in text]
    return text


@pytest.fixture(scope="session", autouse=True)
def installation() -> None:
    """Made on a bare host, by the commands of the tutorials, and used."""
    repository = json.loads((scenario_state() / "answer.json").read_text())["git"] + "/demo"
    (machine,) = machines()
    known = STATE / "hosts" / machine.name / "known_hosts"
    ssh = ["ssh", "-F", "none", "-i", KEY, "-o", f"UserKnownHostsFile={known}", f"root@{machine.address}"]
    with open(TOP / "molecule/adopt/by_hand.sh") as script:
        words = f"sh -s {repository} v1 wsgi:app {MANAGER} {DATABASE}"
        done = subprocess.run([*ssh, words], stdin=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    visitor = machine.visitor()
    wait_for(lambda: visitor.get("/posts/count").ok, "the old site")
    for number in range(20):
        assert visitor.post("/posts", data={"body": f"before the move, {number}"}).status_code == 201


def is_old_up(machine: Machine) -> bool:
    return machine.inside(IS_OLD_UP[MANAGER]).returncode == 0


def crontab(machine: Machine) -> str:
    return machine.inside("crontab -u ubuntu -l").stdout


def workers(machine: Machine) -> str:
    """What runs of the new one's workers."""
    return machine.inside(f"pgrep -u {APP} -f 'flask work' || true").stdout


def timers(machine: Machine) -> str:
    """The timers of the new one's jobs that there are."""
    return machine.inside(f"cd /etc/systemd/system && ls -d flask-{APP}.*.timer */flask-{APP}.*.timer 2>/dev/null || true").stdout


def count(machine: Machine) -> int:
    return machine.visitor().get("/posts/count").json()["count"]


def test_a_look_says_what_there_is_and_changes_nothing(machine: Machine) -> None:
    answer = adopt()
    text = said(answer)
    assert answer.returncode == 0 and "changed=0 " in text, text
    assert OLD_FOLDER in text and "at v1" in text
    assert "Moves the folder uploads: 2 files, 100006 bytes." in text
    assert "Takes over the settings MAIL_SENDER, SECRET_KEY, UPLOAD_FOLDER." in text
    assert "The new one has its own DATABASE_URL, MAIL_PORT, MAIL_SERVER." in text
    assert re.search(r"site-tasks(.service)? \(\w+\), translate-compile \(cron\): /home/ubuntu/site as ubuntu", text)
    assert "find (cron)" not in text
    assert not machine.inside("test -e /var/lib/selfhost -o -e /var/lib/selfhost-adoption").returncode == 0


def test_what_would_be_lost_stands_in_the_way(machine: Machine) -> None:
    answer = adopt("flask_adopt=start", '{"flask_shared_paths": ["instance"], "flask_workers": [], "flask_jobs": []}')
    assert answer.returncode == 2
    assert "Add uploads to flask_shared_paths to move it" in said(answer)
    assert "add {name: site-tasks, command: flask work --seconds 1} to flask_workers" in said(answer)
    line = "{name: translate-compile, command: flask translate compile, schedule: '30 4 * * *'}"
    assert f"add {line} to flask_jobs" in said(answer)
    assert is_old_up(machine) and machine.inside("test -e /var/lib/selfhost").returncode == 1


def test_another_kind_of_database_is_refused(machine: Machine) -> None:
    other = "sqlite" if DATABASE != "sqlite" else "mysql"
    answer = adopt("flask_adopt=start", f"flask_database={other}")
    assert answer.returncode == 2
    assert f"Set flask_database to {DATABASE}" in said(answer)


def test_a_failure_in_the_end_starts_the_old_one_again(machine: Machine) -> None:
    before, table = count(machine), crontab(machine)
    answer = adopt("flask_adopt=start", "flask_web_include='no_such_directive on;'")
    assert answer.returncode == 2, said(answer)
    assert "The old installation was started again and serves as before" in said(answer)
    assert is_old_up(machine) and count(machine) == before and crontab(machine) == table
    assert workers(machine) == timers(machine) == ""
    visitor = machine.visitor()
    assert visitor.get("/static/style.css").ok
    assert visitor.post("/posts", data={"body": "to the old one"}).status_code == 201


def test_visitors_find_all_that_they_had(machine: Machine) -> None:
    with Traffic(machine.address, rate=10) as traffic, Watch(machine) as watch:
        answer = adopt("flask_adopt=start")
    assert answer.returncode == 0, said(answer)
    report = traffic.report()
    outage = float(re.search(r"no answer for about ([\d.]+) s", said(answer)).group(1))
    failed = report.failed_gets + report.failed_posts + report.refused
    figures = f"{MANAGER}, {DATABASE}: {failed} of {report.requests} requests failed; the outage by the playbook {outage} s, "
    figures += f"by a visitor {watch.outages()} s, {len(watch.failed)} of {watch.asked}\n"
    with open(STATE / "adopt.txt", "a") as file:
        file.write(figures)
    bodies = machine.inside(POSTS[DATABASE].format(APP)).stdout.splitlines()
    assert settle(report, set(bodies)) == []
    assert {f"before the move, {number}" for number in range(20)} < set(bodies)
    assert machine.inside(f"cmp {OLD_FOLDER}/uploads/2024/cat.jpg {ROOT}/shared/uploads/2024/cat.jpg").returncode == 0
    assert max(watch.outages(), default=0) < 60


def test_what_worked_beside_the_old_one_works_for_the_new_one(machine: Machine) -> None:
    assert machine.inside(IS_ANY_UP).stdout == ""
    assert workers(machine) and machine.inside(f"systemctl is-active flask-{APP}.translate-compile.timer").returncode == 0
    lines = crontab(machine).splitlines()
    assert [line for line in lines if line.startswith("# moved to selfhost.flask: 30 4 * * * cd /home/ubuntu/site")]
    assert "15 5 * * 1 /usr/bin/find /home/ubuntu/tmp -mtime +30 -delete" in lines


def test_its_settings_came_along(machine: Machine) -> None:
    settings = machine.inside(f"cat {ROOT}/shared/.env").stdout
    assert "heron4711-52cb883e323b48d78a0a36e8e951ba4a" in settings and "The site <site@example.com>" in settings
    assert "pelican4711" not in settings
    assert machine.inside(f"stat -c '%a %U' {ROOT}/shared/.env").stdout == "640 root\n"


def test_settings_stay_when_the_site_is_set_up_again(machine: Machine) -> None:
    answer = run("site.yml", *[word for value in CHOSEN for word in ("-e", value)])
    assert answer.returncode == 0 and "changed=0 " in said(answer), said(answer)
    assert "The site <site@example.com>" in machine.inside(f"cat {ROOT}/shared/.env").stdout


def test_the_old_one_stays_down_and_whole(machine: Machine) -> None:
    machine.reboot()
    wait_for(machine.answers, "the new site after the reboot", seconds=60)
    assert not is_old_up(machine)
    assert machine.inside(f"test -d {OLD_FOLDER}/venv").returncode == 0
    if DATABASE != "sqlite":
        assert "before the move, 0" in machine.inside(POSTS[DATABASE].format("site")).stdout
    assert machine.inside("nginx -t").returncode == 0


def test_it_can_be_started_again_and_moved_again(machine: Machine) -> None:
    answer = adopt("flask_adopt=back")
    assert answer.returncode == 0, said(answer)
    assert is_old_up(machine) and "\n30 4 * * * cd /home/ubuntu/site" in crontab(machine)
    assert workers(machine) == "" and machine.inside(f"systemctl is-active flask-{APP}.translate-compile.timer").returncode != 0
    assert "wants" not in timers(machine)
    again = adopt("flask_adopt=back")
    assert again.returncode == 0 and "changed=0 " in said(again), said(again)
    wait_for(lambda: machine.visitor().get("/posts/count").ok, "the old site")
    assert machine.visitor().post("/posts", data={"body": "to the old one again"}).status_code == 201
    answer = adopt("flask_adopt=start")
    assert answer.returncode == 0, said(answer)
    assert "to the old one again" in machine.inside(POSTS[DATABASE].format(APP)).stdout
    assert not is_old_up(machine) and workers(machine)
    assert machine.inside(f"systemctl is-active flask-{APP}.translate-compile.timer").returncode == 0


def test_it_is_removed_once_its_backup_is_at_home(machine: Machine, tmp_path: Path) -> None:
    answer = adopt("flask_adopt=finish")
    assert answer.returncode == 2 and "flask_backup_fetch is empty" in said(answer)
    before = count(machine)
    answer = adopt("flask_adopt=finish", f"flask_backup_fetch={tmp_path}")
    assert answer.returncode == 0, said(answer)
    (backup,) = tmp_path.iterdir()
    assert backup.stat().st_mode & 0o777 == 0o600
    with tarfile.open(backup) as packed:
        names = packed.getnames()
    assert "home/ubuntu/site/uploads/note.txt" in names and "home/ubuntu/site/.env" in names
    assert any(name.endswith("/manifest.json") for name in names) and not any("/venv/" in name for name in names)
    left = machine.inside("ls -d /home/ubuntu/site /var/lib/selfhost-adoption/* /etc/nginx/sites-enabled/site "
                          "/etc/supervisor/conf.d/site*.conf /etc/systemd/system/site*.service 2>/dev/null || true").stdout
    assert left == ""
    if DATABASE == "mysql":
        assert machine.inside("mysql -Ne \"SELECT COUNT(*) FROM mysql.user WHERE user = 'site'\"").stdout == "0\n"
        assert "site" not in machine.inside("mysql -Ne 'SHOW DATABASES'").stdout.split()
    if DATABASE == "postgresql":
        query = "SELECT datname FROM pg_database UNION SELECT rolname FROM pg_roles"
        names = machine.inside(f"cd / && runuser -u postgres -- psql -XAtc '{query}'")
        assert APP in names.stdout.split() and "site" not in names.stdout.split()
    assert count(machine) == before and machine.answers()
