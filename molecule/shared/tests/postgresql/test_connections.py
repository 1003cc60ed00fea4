"""Who gets into the database server, and what the application may do in it."""

from __future__ import annotations

import re

import pytest
from machine import APP, TOP
from testinfra.host import Host

SERVER = "postgresql@15-main"
SOCKETS = "/run/postgresql"
PROCESS = "$(systemctl show -P MainPID postgresql@15-main)"
REFUSED = r"pg_hba.conf rejects connection|Peer authentication failed|permission denied for database"


def psql(host: Host, user: str, *arguments: str) -> str:
    """What a system user is told by the server."""
    words = " ".join(["%s"] * len(arguments))
    answer = host.run(f"cd /; runuser -u {user} -- psql -XAtq --no-password {words}", *arguments)
    return answer.stdout + answer.stderr


def test_application_is_let_in_by_its_system_user(host: Host) -> None:
    assert psql(host, APP, "-c", "SELECT current_user, current_database()") == f"{APP}|{APP}\n"


@pytest.mark.parametrize(
    ("user", "arguments"),
    [
        ("nobody", ["-d", APP]),
        ("nobody", ["-U", APP, "-d", APP]),
        ("nobody", ["-U", "postgres", "-d", "postgres"]),
        ("www-data", ["-U", APP + "__loader", "-d", APP]),
        (APP, ["-d", "postgres"]),
        (APP, ["-d", "template1"]),
        (APP, ["-U", "postgres", "-d", APP]),
        (APP, ["-U", APP + "__loader", "-d", APP]),  # there is none but while a copy is loaded
        (APP, ["-U", "selfhost_passwords", "-d", APP]),
        ("postgres", ["-U", APP, "-d", APP]),
    ],
)
def test_nobody_else_is_let_in_and_nowhere_else(host: Host, user: str, arguments: list[str]) -> None:
    assert re.search(REFUSED, psql(host, user, *arguments, "-c", "SELECT 1")), arguments


def test_a_database_that_is_not_the_application_s_is_closed_to_it_by_its_rights_too(host: Host) -> None:
    may = "SELECT datname FROM pg_database WHERE datname <> 'template0' AND has_database_privilege('%s', oid, 'CONNECT')"
    assert psql(host, "postgres", "-c", may % APP) == f"{APP}\n"


def test_application_owns_its_database_and_is_nothing_else(host: Host) -> None:
    owned = "SELECT datname FROM pg_database WHERE datdba = '%s'::regrole"
    assert psql(host, "postgres", "-c", owned % APP) == f"{APP}\n"
    rights = (
        "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls, "
        "(SELECT COUNT(*) FROM pg_auth_members WHERE member = r.oid) FROM pg_roles r WHERE rolname = '%s'"
    )
    assert psql(host, "postgres", "-c", rights % APP) == "f|0\n"


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT rolpassword FROM pg_authid",
        "CREATE DATABASE another",
        "CREATE ROLE another",
        "COPY posts TO '/tmp/from-the-database'",
        "COPY posts TO PROGRAM 'cat'",
        "SELECT pg_read_file('/etc/hostname')",
        "CREATE TABLE extensions.mine (id int)",
        "CREATE EXTENSION adminpack",
        "SET ROLE postgres",
    ],
)
def test_application_can_t_reach_beyond_its_database(host: Host, statement: str) -> None:
    assert re.search("permission denied|must be superuser|must be a member", psql(host, APP, "-c", statement))


def test_application_can_use_the_extensions_that_were_asked_for(host: Host) -> None:
    assert psql(host, APP, "-c", "SELECT 'A'::citext = 'a'::citext") == "t\n"


def test_server_listens_on_its_socket_alone(host: Host) -> None:
    assert "postgres" not in host.check_output("ss -H -l -n -t -u -p")
    assert "postgres" in host.check_output("ss -H -l -n -x -p")


def test_text_is_utf_8_whatever_the_host_s_locale_is(host: Host) -> None:
    about = "SELECT pg_encoding_to_char(encoding), datcollate FROM pg_database WHERE datname = current_database()"
    assert psql(host, APP, "-c", about) == "UTF8|C.UTF-8\n"


def test_what_is_built_has_no_way_to_the_socket(host: Host) -> None:
    """As the application's user, in the sandbox of builds and probes."""
    sandbox = (TOP / "plugins/module_utils/flask/sandbox.py").read_text()
    listing = f"import subprocess; print(subprocess.run([*Sandbox({APP!r}).prefix(), 'ls', '-A', {SOCKETS!r}], " \
        "capture_output=True, text=True))"
    said = host.check_output("python3 -I -c %s", f"{sandbox}\n{listing}")
    assert "returncode=0, stdout='', stderr=''" in said
    assert host.file(f"{SOCKETS}/.s.PGSQL.5432").is_socket


def test_server_is_confined(host: Host) -> None:
    report = host.check_output(f"systemd-analyze security --no-pager {SERVER}.service")
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", report)
    assert found and float(found[1]) <= 3.0, report
    inside = f"nsenter --target {PROCESS} --mount --"
    assert "Read-only file system" in host.run(f"{inside} touch /etc/intruder").stderr
    assert host.check_output(f"{inside} ls -A /home /root").split() == ["/home:", "/root:"]
