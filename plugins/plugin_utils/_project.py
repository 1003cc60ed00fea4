# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A project's folder on the controller: the files with which an application is deployed, as its repository suggests them."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import secrets
from collections.abc import Iterator
from typing import NamedTuple

import yaml
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.selfhost.flask.plugins.module_utils.common.pages import PAGE
from ansible_collections.selfhost.flask.plugins.plugin_utils._discovery import Found

PASSWORD, VAULT = ".vault-password", "group_vars/all/vault.yml"
OURS = ("SECRET_KEY", "DATABASE_URL", "MAIL_SERVER", "MAIL_PORT", "REDIS_URL", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND",
        "ELASTICSEARCH_URL")
SECRET = re.compile(r"KEY|TOKEN|SECRET|PASS|CREDENTIAL|DSN")
UNPACKAGED = ("elasticsearch",)
ANSIBLE_CFG = """[defaults]
inventory = inventory.yml
# The password of %s. Keep a copy of it in your password manager.
vault_password_file = %s
# Errors are printed on lines of their own.
callback_result_format = yaml
retry_files_enabled = false

[ssh_connection]
pipelining = true
""" % (VAULT, PASSWORD)
GITIGNORE = PASSWORD + "\n*.retry\n.ansible/\nbackups/\n*.tar\n"
REQUIREMENTS = """---
collections:
  - name: https://github.com/selfhost/flask
    type: git
"""
SECRETS = """---
# Read and change this file by: ansible-vault edit %s
# inventory.yml uses a value of it as "{{ vault_mail_password }}".
%s"""


class Project(NamedTuple):
    """What is to be deployed where."""

    folder: str
    app: str
    repo: str
    host: str
    email: str
    tag: str  # the newest version; empty where there is none
    found: Found


def app_of(repo: str) -> str:
    """A name for the application, by its repository's; it is also a user's and a database's."""
    name = re.split(r"[/:]", re.sub(r"(\.git)?/*$", "", repo))[-1].lower()
    return (re.sub(r"[^a-z0-9]+", "-", name).strip("-0123456789") or "app")[:30].rstrip("-")


def write_project(project: Project) -> tuple[list, list]:
    """Writes what is not there yet; the files that were written, and those that were left as they are."""
    written, kept = [], []
    os.makedirs(os.path.join(project.folder, os.path.dirname(VAULT)), exist_ok=True)
    for name, content, mode in files_of(project):
        path = os.path.join(project.folder, name)
        if os.path.lexists(path):
            kept.append(name)
            continue
        text = content if isinstance(content, str) else content()
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
            file.write(text)
        written.append(name)
    return written, kept


def files_of(project: Project) -> Iterator[tuple]:
    """The files, their contents and their modes. No password is made for a vault that has another one."""
    path = os.path.join(project.folder, PASSWORD)
    has_vault = os.path.lexists(os.path.join(project.folder, VAULT))
    yield ".gitignore", GITIGNORE, 0o644
    if not has_vault:
        yield PASSWORD, lambda: secrets.token_urlsafe(32) + "\n", 0o600
    yield VAULT, lambda: encrypted(SECRETS % (VAULT, secret_lines(project.found)), path), 0o600
    yield "inventory.yml", inventory(project), 0o644
    yield "ansible.cfg", ANSIBLE_CFG, 0o644
    yield "requirements.yml", REQUIREMENTS, 0o644


def encrypted(text: str, password: str) -> str:
    """A text as Ansible Vault keeps it, with the password that a file has."""
    with open(password, "rb") as file:
        secret = VaultSecret(file.read().strip())
    return VaultLib([("default", secret)]).encrypt(text, secret).decode()


def settings_of(found: Found) -> list:
    """The keys that somebody has to give a value: those that the collection does not write itself."""
    return [key for key in found.settings if key not in OURS and re.fullmatch(r"\w+", key)]


def secret_lines(found: Found) -> str:
    """A line for each setting that looks like a secret, to be filled in."""
    return "".join("vault_%s: \"\"\n" % key.lower() for key in settings_of(found) if SECRET.search(key))


def value(text: str) -> str:
    """A text in YAML, with quotes where it needs them."""
    plain = re.fullmatch(r"[A-Za-z][\w./@-]*(:[\w./@-]+)*", text) and yaml.safe_load(text) == text  # `no` is not
    return text if plain else json.dumps(text)


def inventory(project: Project) -> str:
    """The inventory, with what was found and why."""
    lines = ["---", "# What goes where. Deploy it by: ansible-playbook selfhost.flask.site", "all:", "  hosts:",
             "    %s: {}" % value(project.host), "  vars:"]
    return "\n".join(lines + ["    " + line if line else "" for line in variables(project)]) + "\n"


def variables(project: Project) -> Iterator[str]:
    """The variables of the deployment."""
    found = project.found
    yield "# The application's name is also that of its user and its database."
    yield "flask_app: %s" % value(project.app)
    yield "flask_repo: %s" % value(project.repo)
    if re.match(r"ssh:|[^/]+@[^/]+:", project.repo):
        yield '# flask_deploy_key: "{{ vault_deploy_key }}"   # a private key that may read it'
    yield "# flask_version: %s   # without it, the newest commit is deployed" % value(project.tag or "v1.0")
    if found.subfolder:
        yield "# The folder of the repository in which the requirements are."
        yield "flask_subfolder: %s" % value(found.subfolder)
    yield from entrypoint_lines(found)
    yield from python_lines(found)
    yield from database_lines(found)
    yield from certificate_lines(project)
    yield from services_lines(found)
    yield from settings_lines(found)


def entrypoint_lines(found: Found) -> Iterator[str]:
    yield "" if found.entrypoint else "# Nothing in the repository says what to serve: write it as you would give it to gunicorn."
    if found.entrypoint:
        yield "# What gunicorn serves, found in %s." % found.entrypoint_from
    yield "flask_entrypoint: %s" % value(found.entrypoint or "CHANGE:ME")


def python_lines(found: Found) -> Iterator[str]:
    if found.python:
        yield "# Python %s, as %s asks, is found or fetched. Set this for another one." % (found.python, found.python_from)
    elif found.old:
        yield "# The Python of the server's distribution. %s is older than Python 3.13: on Debian 13, remove this #." % found.old
    else:
        yield "# Without this, the Python of the server's distribution."
    yield '# flask_python: "3.12"'
    yield "# The requirements are in %s." % found.requirements if found.requirements else "# No file with requirements was found."


def database_lines(found: Found) -> Iterator[str]:
    yield ""
    if found.database:
        yield "# mysql, postgresql, sqlite, external or none. Found: %s." % found.database_from
        yield "flask_database: %s" % found.database
    else:
        yield "# mysql is the default; there are postgresql, sqlite, external and none, too."
        yield "# flask_database: mysql"
    if found.migrations == "migrations":
        yield "# The migrations in migrations/ run with each update."
    elif found.migrations:
        yield "# Where the migrations are, which run with each update."
        yield "flask_migrations_folder: %s" % value(found.migrations)


def certificate_lines(project: Project) -> Iterator[str]:
    mark = "" if project.email and not is_address(project.host) else "# "
    yield ""
    yield "# A certificate of Let's Encrypt, once the server's name resolves to it. Otherwise, the server makes its own."
    yield mark + "flask_tls: letsencrypt"
    yield mark + "tls_acme_email: %s" % value(project.email or "you@example.com")
    yield "# flask_aliases: [%s]   # each needs a DNS record of its own" % value("www." + project.host)


def is_address(host: str) -> bool:
    try:
        return bool(ipaddress.ip_address(host))
    except ValueError:
        return False


def services_lines(found: Found) -> Iterator[str]:
    if found.services:
        yield ""
        yield "# Found in the requirements or in .env.example; see %s" % PAGE % "services"
        ready = [name for name in found.services if name not in UNPACKAGED]
        if ready:
            yield "flask_services: [%s]" % ", ".join(ready)
        if ready != list(found.services):
            yield "# Debian has no package of elasticsearch: with a package source of yours, and 2 GB of memory, remove these #."
            yield "# elasticsearch_repository: https://packages.example.com/apt stable main"
            yield "# elasticsearch_repository_key: \"{{ lookup('file', 'packages.asc') }}\""
            yield "# flask_services: [%s]" % ", ".join(found.services)
    if found.builds:
        yield ""
        yield "# There is a package.json: see %s" % PAGE % "builds"
        yield "# flask_build: [npm ci, npm run build]"


def settings_lines(found: Found) -> Iterator[str]:
    """The settings of the application's own .env.example, without a value: an update refuses to go on until they have one."""
    yield ""
    yield "# Settings for the application's .env. SECRET_KEY, DATABASE_URL, MAIL_SERVER and MAIL_PORT are written by themselves."
    keys = settings_of(found)
    if keys:
        yield "# .env.example has these. Remove the # of those that you need."
    yield "# flask_env:"
    for key in keys or ["MAIL_SERVER"]:
        in_vault = '"{{ vault_%s }}"   # its value: ansible-vault edit %s' % (key.lower(), VAULT)
        yield "#   %s: %s" % (key, in_vault if SECRET.search(key) else '""')
