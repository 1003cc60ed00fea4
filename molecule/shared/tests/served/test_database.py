"""The database server, and what the application may do in it."""

from __future__ import annotations

import re

import pytest
from machine import APP, SETTINGS
from testinfra.host import Host

PASSWORD = SETTINGS["flask_database_password"]


def as_root(host: Host, statement: str) -> str:
    return host.check_output("mysql --batch --skip-column-names -e %s", statement)


def as_application(host: Host, statement: str) -> str:
    """What the application's database user gets, or the server's refusal."""
    command = "MYSQL_PWD=%s mysql --user %s --batch --skip-column-names %s -e %s"
    answer = host.run(command, PASSWORD, APP, APP, statement)
    return answer.stdout + answer.stderr


def test_application_s_password_lets_it_in(host: Host) -> None:
    assert as_application(host, "SELECT CURRENT_USER()").strip() == f"{APP}@localhost"
    assert "posts" in as_application(host, "SHOW TABLES").split()


def test_another_password_does_not(host: Host) -> None:
    answer = host.run("MYSQL_PWD=wrong mysql --user %s -e 'SELECT 1'", APP)
    assert "Access denied" in answer.stderr


def test_application_has_rights_on_its_own_database_alone(host: Host) -> None:
    grants = as_root(host, f"SHOW GRANTS FOR '{APP}'@'localhost'").splitlines()
    rights = [re.match(r"GRANT (.+) ON (\S+) TO ", grant).groups() for grant in grants]
    elsewhere = [(right, where) for right, where in rights if where != f"`{APP}`.*"]
    assert elsewhere == [("USAGE", "*.*")]
    assert len(rights) == 2


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT User FROM mysql.user",
        "CREATE DATABASE another",
        "CREATE USER another@localhost",
        "SELECT 'x' INTO OUTFILE '/tmp/from-the-database'",
    ],
)
def test_application_can_t_reach_beyond_its_database(host: Host, statement: str) -> None:
    assert re.search("command denied|Access denied", as_application(host, statement))


def test_not_even_the_server_s_root_reads_files_of_the_host(host: Host) -> None:
    assert as_root(host, "SELECT LOAD_FILE('/etc/hostname') IS NULL").strip() == "1"
    refusal = host.run("mysql -e \"SELECT 'x' INTO OUTFILE '/var/lib/mysql/from-the-database'\"").stderr
    assert "--secure-file-priv" in refusal


TWO_TRANSACTIONS = """
import pymysql

first, other = (pymysql.connect(unix_socket="/run/mysqld/mysqld.sock", user="root", autocommit=auto) for auto in (False, True))
with first.cursor() as one, other.cursor() as two:
    two.execute("CREATE DATABASE herons")
    try:
        two.execute("CREATE TABLE herons.nests (eggs INT)")
        two.execute("INSERT INTO herons.nests VALUES (1)")
        one.execute("SELECT eggs FROM herons.nests")
        two.execute("UPDATE herons.nests SET eggs = 5")
        one.execute("UPDATE herons.nests SET eggs = eggs + 1")
        first.commit()
        two.execute("SELECT eggs FROM herons.nests")
        print(two.fetchone()[0])
    finally:
        first.rollback()
        two.execute("DROP DATABASE herons")
"""


def test_a_transaction_may_write_to_a_row_that_another_one_has_changed_meanwhile(host: Host) -> None:
    """MariaDB from 11.6 on refuses that by itself, which few applications expect."""
    answer = host.run("/usr/bin/python3 -c %s", TWO_TRANSACTIONS)
    assert answer.stdout.strip() == "6", answer.stderr


def test_application_does_not_see_which_databases_there_are(host: Host) -> None:
    assert re.search("command denied|Access denied", as_application(host, "SHOW DATABASES"))


def test_application_s_user_is_known_from_this_host_alone(host: Host) -> None:
    assert as_root(host, f"SELECT Host FROM mysql.user WHERE User = '{APP}'").split() == ["localhost"]


@pytest.mark.parametrize("user", ["nobody", APP])
def test_root_of_the_database_is_root_of_the_host_alone(host: Host, user: str) -> None:
    assert as_root(host, "SELECT CURRENT_USER()") == "root@localhost"
    answer = host.run(f"runuser -u {user} -- mysql --user root -e 'SELECT 1'")
    assert "Access denied" in answer.stderr


def test_text_is_utf8mb4(host: Host) -> None:
    schema = f"information_schema.schemata WHERE schema_name = '{APP}'"
    assert as_root(host, f"SELECT default_character_set_name FROM {schema}") == "utf8mb4"
    tables = f"information_schema.tables WHERE table_schema = '{APP}'"
    collations = as_root(host, f"SELECT DISTINCT table_collation FROM {tables}").split()
    assert collations
    assert all(collation.startswith("utf8mb4_") for collation in collations)


def test_no_anonymous_users_and_no_test_database(host: Host) -> None:
    assert as_root(host, "SELECT COUNT(*) FROM mysql.user WHERE User = ''") == "0"
    assert as_root(host, "SHOW DATABASES LIKE 'test%'") == ""


def test_server_listens_on_the_loopback_alone(host: Host) -> None:
    lines = host.check_output("ss -H -l -n -t -p").splitlines()
    addresses = [line.split()[3] for line in lines if re.search(r'"(mysqld|mariadbd)"', line)]
    assert addresses
    assert all(address.startswith(("127.0.0.1:", "[::1]:")) for address in addresses)
