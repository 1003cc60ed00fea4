"""What a service can't do, even where a hole in it makes somebody else its master."""

from __future__ import annotations

import re

import pytest
from machine import APP, ROOT
from testinfra.host import Host

# What `systemd-analyze security` may say at most: 10 is a service that can do everything.
EXPOSURE = {
    "supervisor": 3.0,
    "nginx": 3.0,
    "mysql": 2.0,  # also the name by which MariaDB is known
    f"flask-{APP}-backup": 3.0,
    f"flask-{APP}-drill": 3.0,
    f"flask-{APP}-recover": 3.0,
}
PROCESSES = {"gunicorn": f"pgrep -u {APP} gunicorn", "nginx": "pgrep nginx", "database": "pgrep -x 'mariadbd|mysqld'"}
WRITABLE = {"gunicorn": [f"{ROOT}/shared/instance", "/var/log", "/tmp"], "nginx": ["/var/log/nginx", "/tmp"]}
READ_ONLY = {
    "gunicorn": ["/etc", "/usr/local/bin", "/var/lib", "/var/spool/cron", "/opt"],
    "nginx": ["/etc", "/usr/local/bin", "/srv", "/var/lib/mysql", "/etc/ssl/selfhost"],
    "database": ["/etc", "/usr/local/bin", "/boot"],
}


def processes(host: Host, name: str) -> list[str]:
    return host.check_output(PROCESSES[name]).split()


def inside(host: Host, name: str, command: str) -> str:
    """What root would be told by a command in the file system that a service sees."""
    done = host.run(f"nsenter --target {processes(host, name)[0]} --mount -- {command}")
    return done.stdout + done.stderr


@pytest.mark.parametrize("unit", EXPOSURE)
def test_exposure_of_a_unit(host: Host, unit: str) -> None:
    report = host.check_output(f"systemd-analyze security --no-pager {unit}.service")
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", report)
    assert found and float(found[1]) <= EXPOSURE[unit], report


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_gets_no_new_rights_and_is_refused_foreign_system_calls(host: Host, name: str) -> None:
    for process in processes(host, name):
        status = host.file(f"/proc/{process}/status").content_string
        assert "NoNewPrivs:\t1" in status
        assert "Seccomp:\t2" in status


def test_the_application_has_no_capabilities(host: Host) -> None:
    for process in processes(host, "gunicorn"):
        status = host.file(f"/proc/{process}/status").content_string
        for kind in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
            assert f"{kind}:\t0000000000000000" in status


def test_the_application_can_t_take_all_processes_of_the_host(host: Host) -> None:
    for process in processes(host, "gunicorn"):
        limits = host.file(f"/proc/{process}/limits").content_string
        assert re.search(r"(?m)^Max processes +1024 +1024 ", limits), limits


@pytest.mark.parametrize(("name", "path"), [(name, path) for name, paths in READ_ONLY.items() for path in paths])
def test_the_system_is_read_only(host: Host, name: str, path: str) -> None:
    assert "Read-only file system" in inside(host, name, f"touch {path}/intruder")


@pytest.mark.parametrize(("name", "path"), [(name, path) for name, paths in WRITABLE.items() for path in paths])
def test_a_service_writes_where_it_has_to(host: Host, name: str, path: str) -> None:
    assert inside(host, name, f"sh -c 'touch {path}/trace && rm {path}/trace'") == ""


@pytest.mark.parametrize("name", PROCESSES)
def test_homes_are_hidden(host: Host, name: str) -> None:
    assert inside(host, name, "ls -A /home /root").split() == ["/home:", "/root:"]


@pytest.mark.parametrize("name", PROCESSES)
def test_temporary_files_are_a_service_s_own(host: Host, name: str) -> None:
    host.check_output("touch /tmp/of-the-host")
    try:
        assert "of-the-host" not in inside(host, name, "ls /tmp")
    finally:
        host.check_output("rm /tmp/of-the-host")
