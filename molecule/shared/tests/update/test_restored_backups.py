"""A backup is made, lost rows and files come back from it, and a damaged one is refused."""

from __future__ import annotations

import json
from pathlib import Path

from machine import APP, ROOT, Machine, Visitor
from on_database import names, statement
from playbook import Visitors, run, spoken
from testinfra.host import Host

BACKUPS = f"/var/backups/{APP}"
NEWEST = f"ls -d {BACKUPS}/2*Z | tail -n 1"
UPLOAD = f"{ROOT}/shared/instance/uploads/kept"


def play(playbook: str, *arguments: str) -> str:
    answer = run(playbook, *arguments)
    assert answer.returncode == 0, spoken(answer)
    return spoken(answer)


def count(visitor: Visitor) -> int:
    return visitor.get("/posts/count").json()["count"]


def test_what_is_lost_comes_back_from_a_backup(machine: Machine, host: Host, visitor: Visitor) -> None:
    assert visitor.post("/posts", data={"body": "to be lost"}).ok
    host.check_output(f"runuser -u {APP} -- sh -c 'mkdir -p {ROOT}/shared/instance/uploads; echo hi >{UPLOAD}'")
    before = count(visitor)
    play("backup.yml")
    statement(host, "DELETE FROM posts")
    host.check_output(f"rm {UPLOAD}")
    assert count(visitor) == 0
    with Visitors(machine) as visitors:
        play("restore.yml")
    assert visitors.problems == []
    assert count(visitor) == before
    assert host.file(UPLOAD).content_string == "hi\n"
    assert host.file(UPLOAD).user == APP
    assert visitor.post("/posts", data={"body": "after it"}).status_code == 201


def test_backups_are_for_root_alone(machine: Machine, host: Host) -> None:
    assert host.check_output(f"find {BACKUPS} -perm /077") == ""
    assert host.check_output(f"find {BACKUPS} -not -user root") == ""


def test_drill_says_whether_the_newest_backup_is_good(host: Host) -> None:
    play("drill.yml")
    report = json.loads(host.check_output(f"cat {ROOT}/deployment/drill.json"))
    assert report["ok"] and report["rows"] > 0
    assert APP + "__" not in names(host)


def test_backup_that_was_brought_home_comes_back_to_a_host_without_it(host: Host, visitor: Visitor, tmp_path: Path) -> None:
    play("backup.yml", "-e", f"flask_backup_fetch={tmp_path}")
    (file,) = tmp_path.iterdir()
    before, settings = count(visitor), host.check_output(f"cat {ROOT}/shared/.env")
    host.check_output(f"rm -r {BACKUPS}/2*Z {UPLOAD}; sed -i s/^SECRET_KEY=/SECRET_KEY=not/ {ROOT}/shared/.env")
    statement(host, "DELETE FROM posts")
    play("restore.yml", "-e", f"flask_backup_source={file}", "-e", "flask_backup_settings=true")
    assert count(visitor) == before > 0
    assert host.file(UPLOAD).content_string == "hi\n"
    assert host.check_output(f"cat {ROOT}/shared/.env") == settings


def test_damaged_backup_is_neither_restored_nor_good(host: Host, visitor: Visitor) -> None:
    play("backup.yml")
    before = count(visitor)
    host.check_output(f"printf x >>$({NEWEST})/database.gz")
    for playbook in ("restore.yml", "drill.yml"):
        answer = run(playbook)
        assert answer.returncode == 2
        assert "database.gz" in spoken(answer)
    assert count(visitor) == before
    assert host.run(f"systemctl start {'flask-' + APP + '-drill'}").rc == 1
    host.check_output(f"rm -r $({NEWEST}); systemctl reset-failed flask-{APP}-drill")


def test_backups_are_scheduled(host: Host) -> None:
    timers = host.check_output("systemctl list-timers --all")
    assert f"flask-{APP}-backup.timer" in timers and f"flask-{APP}-drill.timer" in timers
    host.check_output(f"systemctl start flask-{APP}-backup")
