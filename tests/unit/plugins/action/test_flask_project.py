# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A project's folder, as it is made from an application's repository."""

from __future__ import annotations

import os
import subprocess
from types import SimpleNamespace

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.selfhost.flask.plugins.action.flask_project import ActionModule
from ansible_collections.selfhost.flask.plugins.module_utils.common.tree import Tree
from ansible_collections.selfhost.flask.plugins.plugin_utils._discovery import discover, find_tree
from ansible_collections.selfhost.flask.plugins.plugin_utils._project import app_of
from ansible_collections.selfhost.flask.plugins.plugin_utils._variable_names import read_defaults

GIT = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.com",
       "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.com", "PATH": os.environ["PATH"]}
TUTORIAL = {
    "microblog.py": "from app import create_app, db\n\napp = create_app()\n",
    "app/__init__.py": "def create_app():\n    pass\n",
    ".flaskenv": "FLASK_APP=microblog.py\nFLASK_DEBUG=1\n",
    ".env.example": "SECRET_KEY=\nDATABASE_URL=\nLANGUAGES=en,es\nMS_TRANSLATOR_KEY=\nREDIS_URL=redis://\nFLASK_DEBUG=1\n",
    "requirements.txt": "flask==3.1\nFlask-SQLAlchemy\nrq\n",
    "migrations/env.py": "",
    ".python-version": "3.12\n",
}
KNOWN = {name for role in read_defaults().values() for name in role} | {"flask_app", "flask_repo", "flask_entrypoint"}


@pytest.fixture
def tree(tmp_path):
    """A checked out repository with these files."""

    def tree(files):
        (tmp_path / "repository").mkdir(exist_ok=True)
        for name, text in files.items():
            path = tmp_path / "repository" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        folder = str(tmp_path / "repository")
        return Tree(folder, folder)

    return tree


@pytest.fixture
def repository(tree):
    """The tutorial's application in git, with two tags."""
    folder = tree(TUTORIAL).folder
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"], ["tag", "v0.9"], ["tag", "v0.17"]):
        subprocess.run(["git", *command], cwd=folder, env=GIT, check=True)
    return folder


@pytest.fixture
def begin(tmp_path, repository):
    """Runs the task."""

    def begin(check_mode=False, **arguments):
        arguments = dict(dict(repo=repository, host="blog.example.com", folder=str(tmp_path / "project")), **arguments)
        task = SimpleNamespace(async_val=0, args=arguments, check_mode=check_mode, diff=False)
        return ActionModule(task, SimpleNamespace(_shell=SimpleNamespace(tmpdir="")), SimpleNamespace(), None, None, None).run(task_vars={})

    return begin


class TestDiscovery:
    """What a repository says."""

    def test_of_the_tutorial_s_application(self, tree):
        found = discover(tree(TUTORIAL))
        assert (found.entrypoint, found.entrypoint_from) == ("microblog:app", ".flaskenv")
        assert (found.python, found.python_from) == ("==3.12.*", ".python-version")
        assert (found.requirements, found.migrations, found.services) == ("requirements.txt", "migrations", ("redis",))
        assert (found.database, found.problems, found.builds) == ("", (), False)
        assert found.settings == ("SECRET_KEY", "DATABASE_URL", "LANGUAGES", "MS_TRANSLATOR_KEY", "REDIS_URL")

    @pytest.mark.parametrize("files, entrypoint, where", [
        ({"Procfile": "web: flask db upgrade; gunicorn blog:app\n", "blog.py": "app = 1\n"}, "blog:app", "Procfile"),
        ({".flaskenv": "FLASK_APP=blog:create_app\n", "blog/__init__.py": "def create_app(): pass\n"}, "blog:create_app()", ".flaskenv"),
        ({"wsgi.py": "application = 1\n", "app.py": "app = 1\n"}, "wsgi:application", "wsgi.py"),
        ({"shop/__init__.py": "def create_app(config=None): pass\n"}, "shop:create_app()", "shop/"),
        ({"tests/__init__.py": "app = 1\n", "setup.py": "app = 1\n", "lib.py": ""}, "", ""),
        ({".flaskenv": "FLASK_APP={{ lookup('pipe', 'id') }}\n"}, "", ""),
    ])
    def test_of_the_entrypoint(self, files, entrypoint, where, tree):
        found = discover(tree(files))
        assert (found.entrypoint, found.entrypoint_from) == (entrypoint, where)

    @pytest.mark.parametrize("files, database", [
        ({"requirements.txt": "flask\npsycopg2-binary\n"}, "postgresql"),
        ({"requirements.txt": "flask\nPyMySQL\nflask-sqlalchemy\n"}, "mysql"),
        ({"requirements.txt": "flask\nflask-sqlalchemy\n", ".env.example": "DATABASE_URL=sqlite:///x.db\n"}, "sqlite"),
        ({"requirements.txt": "flask\nrequests\n"}, "none"),
        ({"requirements.txt": "flask\nflask-sqlalchemy\n"}, ""),
        ({"pyproject.toml": "[project]\nname = 'x'\nversion = '1'\ndependencies = ['flask', 'psycopg[binary]>=3']\n"}, "postgresql"),
        ({}, ""),
    ])
    def test_of_the_database(self, files, database, tree):
        assert discover(tree(files)).database == database

    @pytest.mark.parametrize("line, old", [
        ("greenlet==3.0.1", "greenlet 3.0.1"), ("Greenlet == 3.0.1 ; python_version > '3'", "Greenlet 3.0.1"), ("psycopg2_binary==2.9.9", "psycopg2_binary 2.9.9"),
        ("greenlet==3.1.0", ""), ("greenlet>=3.0.1", ""), ("flask==1.0", ""), ("lxml==some", ""),
    ])
    def test_of_what_is_too_old_for_the_newest_python(self, line, old, tree):
        assert discover(tree({"requirements.txt": "flask\n%s\n" % line})).old == old

    @pytest.mark.parametrize("files, subfolder", [
        ({"requirements.txt": "", "web/requirements.txt": ""}, ""), ({"README": "", "web/requirements.txt": ""}, "web"),
        ({"a/requirements.txt": "", "b/requirements.txt": ""}, ""), ({"README": ""}, ""),
    ])
    def test_of_where_the_application_is(self, files, subfolder, tree):
        assert discover(find_tree(tree(files).top)).subfolder == subfolder

    def test_of_what_can_t_be_read_is_said_and_the_rest_is_known(self, tree):
        found = discover(tree({"pyproject.toml": "[", "wsgi.py": "app = 1\n"}))
        assert found.entrypoint == "wsgi:app" and "pyproject.toml can't be read" in found.problems[0]


class TestProject:
    """What is written."""

    def test_the_inventory_has_what_was_found_and_no_variable_that_there_is_not(self, begin, tmp_path, repository):
        result = begin(email="me@example.com")
        inventory = yaml.safe_load((tmp_path / "project/inventory.yml").read_text())["all"]
        assert list(inventory["hosts"]) == ["blog.example.com"]
        variables = inventory["vars"]
        assert variables == {
            "flask_app": "repository", "flask_repo": repository, "flask_entrypoint": "microblog:app", "flask_services": ["redis"],
            "flask_tls": "letsencrypt", "tls_acme_email": "me@example.com",
        }
        assert set(variables) <= KNOWN
        assert "entrypoint: microblog:app (.flaskenv)" in result["lines"] and result["changed"]
        text = (tmp_path / "project/inventory.yml").read_text()
        assert "# flask_version: v0.17 " in text and "#   LANGUAGES: \"\"" in text and "SECRET_KEY:" not in text

    def test_the_commented_lines_are_right_once_they_are_not_comments(self, begin, tmp_path):
        begin()
        lines = (tmp_path / "project/inventory.yml").read_text().splitlines()
        bare = [line.replace("# ", "", 1) if line.strip().startswith(("# flask_", "#   ", "# tls_")) else line for line in lines]
        variables = yaml.safe_load("\n".join(bare))["all"]["vars"]
        assert variables["flask_env"] == {"LANGUAGES": "", "MS_TRANSLATOR_KEY": "{{ vault_ms_translator_key }}"}
        assert set(variables) <= KNOWN

    def test_elasticsearch_waits_for_a_package_source(self, begin, tmp_path, tree):
        folder = tree({"requirements.txt": "flask\nelasticsearch\nredis\ngreenlet==3.0.1\n"}).folder
        subprocess.run(["git", "commit", "-qam", "x"], cwd=folder, env=GIT, check=True)
        begin()
        text = (tmp_path / "project/inventory.yml").read_text()
        assert yaml.safe_load(text)["all"]["vars"]["flask_services"] == ["redis"]
        offered = yaml.safe_load("\n".join(line.strip()[2:] for line in text.splitlines() if line.strip().startswith(
            ("# elasticsearch_", "# flask_services"))))
        assert offered["flask_services"] == ["elasticsearch", "redis"] and set(offered) <= KNOWN and len(offered) == 3

    def test_the_secrets_are_encrypted_with_a_password_that_nobody_else_reads_and_git_ignores(self, begin, tmp_path):
        begin()
        folder = tmp_path / "project"
        password, vault = folder / ".vault-password", (folder / "group_vars/all/vault.yml").read_text()
        assert password.stat().st_mode & 0o777 == 0o600 and len(password.read_text()) > 40
        secret = VaultSecret(password.read_bytes().strip())
        assert vault.startswith("$ANSIBLE_VAULT;") and "translator" not in vault
        assert yaml.safe_load(VaultLib([("default", secret)]).decrypt(vault)) == {"vault_ms_translator_key": ""}
        assert ".vault-password" in (folder / ".gitignore").read_text().splitlines()
        assert "vault_password_file = .vault-password" in (folder / "ansible.cfg").read_text()

    def test_what_is_there_stays_as_it_is(self, begin, tmp_path):
        folder = tmp_path / "project"
        (folder / "group_vars/all").mkdir(parents=True)
        (folder / "inventory.yml").write_text("mine\n")
        (folder / "group_vars/all/vault.yml").write_text("mine\n")
        result = begin()
        assert result["kept"] == ["group_vars/all/vault.yml", "inventory.yml"]
        assert (folder / "inventory.yml").read_text() == (folder / "group_vars/all/vault.yml").read_text() == "mine\n"
        assert not (folder / ".vault-password").exists()  # the vault has another one
        assert not begin()["changed"]

    def test_check_mode_writes_nothing(self, begin, tmp_path):
        assert begin(check_mode=True)["changed"] is False and not (tmp_path / "project").exists()

    def test_a_password_in_the_url_is_refused(self, begin, tmp_path):
        result = begin(repo="https://me:secret@git.example.com/blog")
        assert result["failed"] and "Nothing was written" in result["msg"] and "secret" not in result["msg"]

    def test_a_repository_that_can_t_be_read_is_said(self, begin, tmp_path):
        result = begin(repo=str(tmp_path / "nothing"))
        assert result["failed"] and "can't be read" in result["msg"] and not (tmp_path / "project").exists()


@pytest.mark.parametrize("repo, app", [
    ("https://github.com/me/My_Blog.git", "my-blog"), ("git@github.com:me/shop", "shop"), ("/home/me/2048/", "app"), ("/x/" + "a" * 40, "a" * 30),
])
def test_the_application_s_name_is_the_repository_s(repo, app):
    assert app_of(repo) == app
