"""What the application, and whoever took it over, can do on the host."""

from __future__ import annotations

import shlex

import pytest
from machine import ADMIN, APP, ROOT
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
