"""site.yml was killed after it had written files, and before anything had loaded them: the next run makes up for it."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from machine import APP, ROOT, Machine
from playbook import run


class Case(NamedTuple):
    """What a service runs with while its file is newer already, and how to see it."""

    path: str
    older: str  # sed's expression for what the file was before
    load: str  # how the service got that
    question: str  # its answer is another one as soon as the service has loaded the file


TIMER = f"flask-{APP}-backup.timer"
RECORDS = "/var/lib/selfhost/loaded"
# systemd is the last one, since it reads the files of all units at once.
CASES = {
    "nginx": Case(
        "/etc/nginx/conf.d/selfhost.conf", "$a server { listen 127.0.0.1:4711; return 204; }",
        "systemctl reload nginx; until ss -ltn | grep -q :4711; do sleep 0.1; done", "ss -ltn | grep -c :4711 || true",
    ),
    "mysql": Case(
        "/etc/mysql/conf.d/selfhost.cnf", "$a max_connections = 77",
        "systemctl restart mysql", "mysql -Ne 'select @@max_connections'",
    ),
    "supervisor": Case(
        "/etc/systemd/system/supervisor.service.d/selfhost.conf", "$a Environment=OLD=yes",
        "systemctl daemon-reload; systemctl restart supervisor",
        "tr '\\0' '\\n' </proc/$(systemctl show -P MainPID supervisor)/environ | grep -c OLD= || true",
    ),
    "fail2ban": Case(
        "/etc/fail2ban/jail.d/selfhost.conf", "s/^maxretry = .*/maxretry = 77/",
        "systemctl restart fail2ban; until fail2ban-client get sshd maxretry; do sleep 0.1; done",
        "fail2ban-client get sshd maxretry",
    ),
    "postfix": Case(
        "/etc/postfix/main.cf", "s/^smtpd_banner = .*/smtpd_banner = old/",
        "systemctl reload postfix", "journalctl -u 'postfix*' | grep -c 'reload -- version'",
    ),
    "journal": Case(
        "/etc/systemd/journald.conf.d/selfhost.conf", "s/^SystemMaxUse=.*/SystemMaxUse=77M/",
        "systemctl restart systemd-journald", "systemctl show -P MainPID systemd-journald",
    ),
    "timer": Case(
        f"/etc/systemd/system/{TIMER}", "$a # older",
        f"systemctl stop {TIMER}", f"systemctl is-active {TIMER} || true",
    ),
    "permissions": Case(
        "/etc/tmpfiles.d/selfhost-permissions.conf", "$a # older",
        f"rm -f {RECORDS}/permissions.json; chmod 0644 /etc/crontab", "stat -c %a /etc/crontab",
    ),
    "folders": Case(
        f"/etc/tmpfiles.d/{APP}.conf", "$a # older",
        f"rm -f {RECORDS}/{APP}.folders.json; chmod 0711 {ROOT}/gate", f"stat -c %a {ROOT}/gate",
    ),
    "systemd": Case(
        "/etc/systemd/system.conf.d/selfhost.conf", "s/^DefaultLimitCORE=.*/DefaultLimitCORE=77/",
        f"rm -f {RECORDS}/manager.json; systemctl daemon-reload", "systemctl show -P DefaultLimitCORE",
    ),
}
# Whatever the file is replaced by, it gets its times now, as it does when a run writes it.
PREPARE = """
cp -p "$1" /root/wanted; sed -i "$2" "$1"; cmp -s "$1" /root/wanted && exit 3
eval "$3" >/dev/null 2>&1
cp -p /root/wanted "$1.new"; mv "$1.new" "$1"; rm /root/wanted
"""
WITHOUT = ("--skip-tags", "base,hardening,tls")  # they load nothing of this, and take their time
Answers = dict[str, str]


def ask(machine: Machine) -> Answers:
    """What each service runs with."""
    return {name: machine.inside(case.question).stdout for name, case in CASES.items()}


def prepare(machine: Machine) -> None:
    """Each service runs with an older file than the one that is there."""
    for case in CASES.values():
        answer = machine.inside(PREPARE, case.path, case.older, case.load)
        assert answer.returncode == 0, (case.path, answer.stderr)


@pytest.fixture(scope="module")
def answers(machine: Machine) -> tuple[Answers, Answers]:
    """What each service runs with after the interruption, and after the next run."""
    prepare(machine)
    before = ask(machine)
    answer = run("provision.yml", *WITHOUT)
    assert answer.returncode == 0, answer.stdout[-4000:]
    return before, ask(machine)


@pytest.mark.parametrize("name", CASES)
def test_the_next_run_loads_what_a_service_does_not_run_with(answers: tuple[Answers, Answers], name: str) -> None:
    before, after = answers
    assert before[name] and after[name] and before[name] != after[name]


def test_the_run_after_that_has_nothing_to_do(machine: Machine, answers: tuple[Answers, Answers]) -> None:
    after = answers[1]
    answer = run("provision.yml", *WITHOUT)
    assert " changed=0 " in answer.stdout and ask(machine) == after, answer.stdout[-4000:]
    assert machine.answers()
