"""The settings, on their way from the inventory into the running application."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

import pytest
from machine import ADMIN, APP, ROOT, SETTINGS, Visitor
from testinfra.host import Host

PASSWORD = SETTINGS["flask_database_password"]
SECRET_KEY = SETTINGS["flask_env"]["SECRET_KEY"]
DOTENV = "import dotenv, sys; print(end=dotenv.dotenv_values(sys.argv[1])[sys.argv[2]])"


def by_shell(host: Host, key: str) -> str:
    """A setting as a shell script reads it."""
    return host.check_output("sh -c %s", f'. {ROOT}/shared/.env; printf %s "${key}"')


def by_dotenv(host: Host, key: str) -> str:
    """A setting as the application's own library reads it, as its user, in its environment."""
    python = f"runuser -u {APP} -- {ROOT}/current/.venv/bin/python"
    return host.check_output(f"{python} -c %s {ROOT}/current/.env %s", DOTENV, key)


def signature(value: str, secret: str) -> str:
    """What Flask signs the cookie of a session with."""
    key = hmac.new(secret.encode(), b"cookie-session", hashlib.sha1).digest()
    digest = hmac.new(key, value.encode(), hashlib.sha1).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def test_running_application_signs_with_the_secret_that_was_set(visitor: Visitor) -> None:
    visitor.get("/language/es")
    value, _, signed = visitor.cookies["session"].rpartition(".")
    assert signed == signature(value, SECRET_KEY)


@pytest.mark.parametrize("read", [by_shell, by_dotenv])
def test_secret_reads_back_unchanged(host: Host, read: Callable[[Host, str], str]) -> None:
    assert read(host, "SECRET_KEY") == SECRET_KEY


@pytest.mark.parametrize("read", [by_shell, by_dotenv])
def test_database_password_reads_back_unchanged(host: Host, read: Callable[[Host, str], str]) -> None:
    assert unquote(urlsplit(read(host, "DATABASE_URL")).password) == PASSWORD


def test_administrator_runs_flask_commands_by_one_line(host: Host) -> None:
    assert "(head)" in host.check_output(f"runuser -u {ADMIN} -- sudo flask-{APP} db current")


def test_flask_command_speaks_as_the_application_s_user(host: Host) -> None:
    users = host.check_output(f"echo 'import os; print(os.getuid())' | flask-{APP} shell 2>/dev/null")
    assert str(host.user(APP).uid) in users
