# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables that follow from others, such as what the .env gets."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.login import problem

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


ADMINS = [{"name": "ana"}, {"name": "bob"}, {"name": "eva"}]
ORDER = {"eva": ["eva", "ana", "bob"], "pi": ["ana", "bob", "eva", "pi"], "": ["ana", "bob", "eva"]}


@pytest.mark.parametrize("user", ORDER)
def test_the_login_that_is_known_is_tried_first(user, evaluate):
    given = {"flask_admins": ADMINS, **({"ansible_user": user} if user else {})}
    expected = [*ORDER[user], "root"]
    assert list(dict.fromkeys(evaluate("flask", "__flask_logins", **given)))[: len(expected)] == expected
    tried = evaluate("hardening", "__hardening_logins", hardening_admins=ADMINS, **given)
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
