"""The database server, by the controls of dev-sec's mysql-baseline 5.1.0."""

from __future__ import annotations

import pytest
from baseline import Facts, misfits

OFF = {"DISABLED", "NO", None}  # None: an option that a newer server has not
VARIABLES = {
    "mysql-conf-03": {
        "local_infile": "OFF", "old_passwords": {"OFF", "0", None}, "have_symlink": OFF, "skip_show_database": "ON",
    },
    "mysql-db-02": {"protocol_version": "10"},
}
MODES = {
    "mysql-conf-04": ("/var/lib/mysql", 0o022, "mysql"),
    "mysql-conf-05": ("/var/lib/mysql/ibdata1", 0o007, "mysql"),
}
OWN_TESTS = {
    *("mysql-conf-02", "mysql-conf-09", "mysql-db-03", "mysql-db-04", "mysql-db-05", "mysql-db-06", "mysql-db-07"),
    "mysql-db-08",
}
OMITTED = {
    "mysql-conf-03b": "an option of MySQL before 8.0.3",
    "mysql-conf-06": "the log is systemd's journal",
    "mysql-conf-07": "clients of all users read my.cnf; it has no secret",
    "mysql-conf-08": "a file of dev-sec's own",
    "mysql-db-01": "Debian's servers are their communities'",
    "mysql-db-05b": "as mysql-db-05, in older servers",
}


@pytest.fixture
def accounts(facts: Facts) -> list[list[str]]:
    """User, host, grant option, plugin and hash of each account."""
    found = [line.split("\t") for line in facts.lines("accounts")]
    assert found
    return found


@pytest.mark.parametrize("control", VARIABLES)
def test_server_is_set(facts: Facts, control: str) -> None:
    assert misfits(facts.table("variables"), VARIABLES[control]) == {}


@pytest.mark.parametrize("control", MODES)
def test_files_are_the_server_s(facts: Facts, control: str) -> None:
    path, forbidden, owner = MODES[control]
    mode, user, group = facts.modes[path]
    assert (mode & forbidden, user, group) == (0, owner, owner), oct(mode)


def test_mysql_conf_02_one_instance_runs(facts: Facts) -> None:
    servers = ("/usr/sbin/mariadbd", "/usr/sbin/mysqld")
    assert len([line for line in facts.lines("processes") if line.split()[1] in servers]) == 1


def test_mysql_conf_03_statements_reach_files_in_one_folder_at_most(facts: Facts) -> None:
    assert facts.table("variables")["secure_file_priv"] != ""


def test_mysql_conf_09_no_password_is_in_the_environment_or_a_command_line(facts: Facts) -> None:
    assert [line for line in facts.lines("processes") if "MYSQL_PWD=" in line] == []


def test_mysql_db_03_test_database_is_gone(facts: Facts) -> None:
    names = facts.lines("databases")
    assert names and not [name for name in names if name == "test" or name.startswith("test_")]


def test_mysql_db_04_nobody_is_anonymous(accounts: list[list[str]]) -> None:
    assert [account for account in accounts if not account[0] and account[3]] == []


def test_mysql_db_05_nobody_logs_in_without_a_password(accounts: list[list[str]]) -> None:
    """An account has a hash, is the system user's of the same name, or the server's own and locked."""
    without = [account for account in accounts if not account[4] and account[0] != "mariadb.sys"]
    assert [account[:4] for account in without if account[3] not in ("auth_socket", "unix_socket")] == []


def test_mysql_db_06_only_the_server_s_own_accounts_give_rights_away(accounts: list[list[str]]) -> None:
    assert {account[0] for account in accounts if account[2] == "Y"} <= {"root", "debian-sys-maint", "mysql"}


def test_mysql_db_07_no_account_is_for_all_hosts(accounts: list[list[str]]) -> None:
    assert [account[:2] for account in accounts if "%" in account[1]] == []


def test_mysql_db_08_root_is_local(accounts: list[list[str]]) -> None:
    assert {account[1] for account in accounts if account[0] == "root"} <= {"localhost", "127.0.0.1", "::1"}


def test_each_control_is_tested_or_has_a_reason() -> None:
    files = {f"mysql-conf-{number:02}" for number in range(2, 10)} | {"mysql-conf-03b"}
    contents = {f"mysql-db-{number:02}" for number in range(1, 9)} | {"mysql-db-05b"}
    assert sorted([*VARIABLES, *MODES, *OWN_TESTS, *OMITTED]) == sorted(files | contents)
