"""What the application, and whoever took it over, can do on the host."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator

import pytest
from machine import ADMIN, APP, ROOT, Machine
from testinfra.host import Host

MODES = {
    f"{ROOT}/shared": ("root", APP, 0o750),
    f"{ROOT}/shared/.env": ("root", APP, 0o640),
    f"{ROOT}/shared/instance": (APP, APP, 0o750),
    f"{ROOT}/run": (APP, "www-data", 0o750),
    f"{ROOT}/gunicorn.conf.py": ("root", "root", 0o644),
    f"{ROOT}/serve": ("root", "root", 0o755),
    f"{ROOT}/current/wsgi.py": ("root", "root", 0o644),
    f"/var/log/{APP}": ("root", "adm", 0o750),
    f"/var/backups/{APP}": ("root", "root", 0o700),
    f"/usr/local/sbin/flask-{APP}": ("root", "root", 0o755),
    f"/etc/sudoers.d/selfhost-admins-{APP}": ("root", "root", 0o440),
    "/etc/postfix/smarthost": ("root", "root", 0o600),
    f"/home/{ADMIN}/.ssh/authorized_keys": (ADMIN, ADMIN, 0o600),
}
OWN = [f"{ROOT}/shared/instance", f"{ROOT}/shared/logs", f"{ROOT}/run", f"/var/cache/{APP}"]
WRITABLE = "find / /run /tmp /dev/shm -xdev ( -type f -o -type d ) ( -user {user} -o -writable ) -print"


def writable(host: Host, user: str) -> set[str]:
    """The files and folders that a user can change, or can make his own again."""
    command = shlex.join(WRITABLE.format(user=user).split())
    return set(host.run(f"runuser -u {user} -- {command}").stdout.splitlines())


def test_application_runs_as_its_own_user(host: Host) -> None:
    users = host.check_output("ps -o user:32= -C gunicorn").split()
    assert len(users) > 1
    assert set(users) == {APP}


def test_application_s_user_has_neither_shell_nor_password_nor_groups(host: Host) -> None:
    user = host.user(APP)
    assert user.shell == "/usr/sbin/nologin"
    assert user.password.startswith("!") or user.password == "*"
    assert user.groups == [APP]


def test_application_s_user_has_no_sudo(host: Host) -> None:
    assert "is not allowed to run sudo" in host.check_output(f"sudo -l -U {APP}")


def test_application_writes_in_its_own_folders_alone(host: Host) -> None:
    found = writable(host, APP)
    assert set(OWN) <= found
    foreign = found - writable(host, "nobody")
    assert [path for path in foreign if not path.startswith(tuple(OWN))] == []


@pytest.mark.parametrize("path", MODES)
def test_files_have_their_owner_and_mode(host: Host, path: str) -> None:
    file = host.file(path)
    assert (file.user, file.group, oct(file.mode)) == (*MODES[path][:2], oct(MODES[path][2]))


@pytest.mark.parametrize("user", ["nobody", "www-data", "postfix"])
def test_settings_are_hidden_from_other_users(host: Host, user: str) -> None:
    answer = host.run(f"runuser -u {user} -- cat {ROOT}/shared/.env {ROOT}/current/.env")
    assert answer.stdout == ""
    assert answer.stderr.count("Permission denied") == 2


def test_uploads_and_logs_are_hidden_from_other_users(host: Host) -> None:
    for folder in (f"{ROOT}/shared/instance", f"/var/log/{APP}", f"/var/backups/{APP}", f"/var/cache/{APP}"):
        assert host.run(f"runuser -u nobody -- ls {folder}").rc != 0


NEIGHBOUR = "neighbour"
# What another application of the host tries, and whether it is refused; $1 is the name of this one, $2 a process of it.
TRIES = {
    "read its settings": "cat /srv/$1/shared/.env /srv/$1/current/.env",
    "read its uploads": "ls /srv/$1/shared /srv/$1/shared/instance",
    "read its logs": "ls /var/log/$1",
    "read its cache": "ls /var/cache/$1",
    "read its backups": "ls /var/backups/$1",
    "read its certificate's key": "cat /etc/ssl/selfhost/$1.key",
    "read its environment": "cat /proc/$2/environ",
    "look into its memory": "head -c 1 /proc/$2/mem",
    "write to its code": "touch /srv/$1/current/intruder",
    "write to its folder": "touch /srv/$1/intruder",
    "write to its data": "touch /srv/$1/shared/instance/intruder",
    "replace its socket": "ln -sfn green.sock /srv/$1/run/live.sock",
    "open its gate": "rm -f /srv/$1/gate/site.closed",
    "end its processes": "kill $2",
    "connect to its socket": "python3 -c 'import socket, sys; socket.socket(1).connect(sys.argv[1])' /srv/$1/run/live.sock",
    "speak to the process manager": "supervisorctl pid",
    "run its commands": "/usr/local/sbin/flask-$1 --version",
    "run them as its user": "runuser -u $1 -- true",
    "log in to its database by its name": "mysql --no-defaults --user=$1 --execute 'SELECT 1'",
    "use its database": "mysql --no-defaults --execute \"SHOW TABLES\" $1",
    "see its processes' files": "ls /proc/$2/fd",
}


OWN_TRIES = "kill -0 $$ && cat /proc/$$/environ >/dev/null && mysql --no-defaults --execute 'SHOW TABLES' $(id -un)"
ACCOUNT = """
useradd --system --no-create-home --shell /usr/sbin/nologin "$1"
mysql --execute "CREATE DATABASE $1"
mysql --execute "CREATE USER '$1'@localhost IDENTIFIED VIA unix_socket" 2>/dev/null ||
    mysql --execute "CREATE USER '$1'@localhost IDENTIFIED WITH auth_socket"
mysql --execute "GRANT ALL ON $1.* TO '$1'@localhost"
"""
ALL = """
user=$1 app=$2 process=$(pgrep --oldest --uid "$2" gunicorn)
shift 2
while [ $# -gt 0 ]; do
    if runuser -u "$user" -- timeout 10 sh -c "$2" sh "$app" "$process" >/dev/null 2>&1; then echo "$1"; fi
    shift 2
done
"""


@pytest.fixture
def neighbour(machine: Machine) -> Iterator[Callable[[dict[str, str]], list[str]]]:
    """Another application's user, with a database of its own, and less around it than a process of the application server has.

    Of what it tries, that in which it succeeds.
    """
    made = machine.inside(ACCOUNT, NEIGHBOUR)
    assert made.returncode == 0, made.stderr

    def succeed(tries: dict[str, str]) -> list[str]:
        words = [word for pair in tries.items() for word in pair]
        return machine.inside(ALL, NEIGHBOUR, APP, *words).stdout.splitlines()

    yield succeed
    machine.inside('mysql -e "DROP DATABASE $1; DROP USER \'$1\'@localhost"; userdel "$1"', NEIGHBOUR)


def test_another_application_can_do_nothing_to_this_one(neighbour: Callable[[dict[str, str]], list[str]], machine: Machine) -> None:
    """The first one is what it may do with its own, so that the others fail for what they are."""
    assert neighbour({"use its own": OWN_TRIES, **TRIES}) == ["use its own"]
    assert machine.answers()
