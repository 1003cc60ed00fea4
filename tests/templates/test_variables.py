# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables that follow from others: what is refused before a host is touched, and what the .env gets."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from deployments import DEPLOYMENTS

GOOD = {
    "a module": {"flask_entrypoint": "blog:app"},
    "a factory": {"flask_entrypoint": "blog.web:create_app()"},
    "a factory with arguments": {"flask_entrypoint": "blog:create_app('production')"},
    "the longest name": {"flask_app": "a" * 30},
    "an address": {"flask_domain": "192.0.2.1"},
    "an IPv6 address": {"flask_domain": "2001:db8::1"},
    "a name of one letter": {"flask_domain": "x"},
    "other names": {"flask_aliases": ["www.example.com", "*.example.com"]},
    "paths for passwords": {"flask_login_urls": ["/auth/login", "/"]},
    "a database elsewhere": {"flask_database": "external", "flask_env": {"DATABASE_URL": "postgresql://db/blog"}},
}

# what is set, and what the message begins with
BAD = {
    "a name with capitals": ({"flask_app": "Blog"}, "flask_app is 'Blog', which is no valid user name. Set it"),
    "a name that begins with a digit": ({"flask_app": "1blog"}, "flask_app is '1blog', which is no valid"),
    "a name that is too long": ({"flask_app": "a" * 31}, "flask_app is '%s', which is no valid" % ("a" * 31)),
    "a name with a line after it": ({"flask_app": "blog\n"}, "flask_app is 'blog\n', which is no valid"),
    "an empty name": ({"flask_app": ""}, "flask_app is ''"),
    "a name of the system": ({"flask_app": "www-data"}, "flask_app is 'www-data', the name of an administrator or"),
    "the name of an administrator": ({"flask_app": "deploy"}, "flask_app is 'deploy', the name of an administrator or"),
    "no repository": ({"flask_repo": ""}, "flask_repo is empty. Set it to the URL"),
    "no entrypoint": ({"flask_entrypoint": ""}, "flask_entrypoint is ''. Set it to 'module:name'"),
    "a file as entrypoint": ({"flask_entrypoint": "blog.py"}, "flask_entrypoint is 'blog.py'. Set it to"),
    "a path as entrypoint": ({"flask_entrypoint": "web/blog:app"}, "flask_entrypoint is 'web/blog:app'. Set it to"),
    "a URL as domain": ({"flask_domain": "https://blog.example.com"}, "flask_domain is 'https://blog.example.com'"),
    "two domains": ({"flask_domain": "a.example.com b.example.com"}, "flask_domain is 'a.example.com b.example.com'"),
    "a URL among the other names": ({"flask_aliases": ["https://x"]}, "flask_aliases is https://x. Set it to host names"),
    "a pattern for passwords": ({"flask_login_urls": ["/login*"]}, "flask_login_urls is /login*. Set it to paths"),
    "a health URL with a host": ({"flask_health_url": "https://x/"}, "flask_health_url is 'https://x/'. Set it to a path"),
    "no administrators": ({"flask_admins": []}, "flask_admins is empty, so nobody could log in afterwards."),
    "a database nobody named": ({"flask_database": "external"}, "flask_database is 'external'. Set DATABASE_URL"),
}


@pytest.fixture
def refusals(evaluate):
    """The messages that the preflight would end with."""

    def refusals(deployment="usual", **given):
        checks = evaluate("flask", "__flask_checks", deployment, **given)
        return [check["message"] for check in checks if not check["valid"]]

    return refusals


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_a_valid_inventory_passes(deployment, refusals):
    assert refusals(deployment) == []


@pytest.mark.parametrize("case", GOOD)
def test_what_is_right_passes(case, refusals):
    assert refusals(**GOOD[case]) == []


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_answered_with_what_to_set(case, refusals):
    given, message = BAD[case]
    assert [text[: len(message)] for text in refusals(**given)] == [message]


PASSWORD = "p%4$#'\"@/ :\\w"


def test_a_password_survives_in_the_database_url(evaluate):
    url = evaluate("app", "__app_env", flask_database_password=PASSWORD)["DATABASE_URL"]
    assert unquote(urlsplit(url).password) == PASSWORD
    assert urlsplit(url).hostname == "localhost" and urlsplit(url).path == "/microblog"


@pytest.mark.parametrize("given, keys", [
    ({}, {"DATABASE_URL", "MAIL_SERVER", "MAIL_PORT"}),
    ({"flask_mail_enabled": False}, {"DATABASE_URL"}),
    ({"flask_mail_enabled": False, "flask_database": "external", "flask_env": {"X": "1"}}, {"X"}),
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
