# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real virtual environment, and a small but real application with migrations and translations."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from ansible.module_utils.basic import AnsibleModule

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "molecule/demo"
REQUIREMENTS = DEMO / "versions/v2/requirements.txt"
EXTRA = ["pymysql==1.1.1", "cryptography>=42"]
UV = "ansible_collections.selfhost.flask.plugins.module_utils.build.uv"
PIP = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]

FILES = {
    ".flaskenv": "FLASK_APP=elsewhere:app\n",
    ".env": "DATABASE_URL='sqlite:///%(folder)s/shop.db'\nSECRET_KEY='never-shown-2b5e'\n",
    "wsgi.py": "from shop import create_app\n\napp = create_app()\n",
    "plain.py": "from flask import Flask\n\napp = Flask(__name__)\n",
    "broken.py": "import no_such_package\n",
    "babel.cfg": "[python: **.py]\n",
    "shop/__init__.py": '''
        import os
        import subprocess

        import click
        from flask import Flask
        from flask_babel import Babel
        from flask_migrate import Migrate
        from flask_sqlalchemy import SQLAlchemy

        print("noise on standard output")
        subprocess.run(["echo", "noise of a child"])
        db, migrate, babel = SQLAlchemy(), Migrate(), Babel()


        def create_app():
            app = Flask(__name__)
            app.config["SECRET_KEY"] = os.environ["SECRET_KEY"]
            app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
            for extension in (db, babel):
                extension.init_app(app)
            migrate.init_app(app, db)
            app.cli.add_command(translate)
            app.add_url_rule("/hello/<name>", "hello", lambda name: name, methods=["GET", "POST"])

            @app.cli.command("fail")
            def fail():
                raise RuntimeError("the key is " + app.config["SECRET_KEY"])

            return app


        @click.group()
        def translate():
            pass


        @translate.command("compile")
        def compile_catalogues():
            if os.system("pybabel compile -d shop/translations"):
                raise RuntimeError("pybabel failed")
        ''',
    "shop/translations/es/LC_MESSAGES/messages.po": '''
        msgid ""
        msgstr ""
        "Content-Type: text/plain; charset=utf-8\\n"

        msgid "Hello"
        msgstr "Hola"
        ''',
}

REVISION = '''
"""{message}"""

from alembic import op
import sqlalchemy as sa

revision = "{name}"
down_revision = {parent!r}


def upgrade():
    op.create_table("table_{name}", sa.Column("id", sa.Integer))
    {failure}


def downgrade():
    op.drop_table("table_{name}")
'''


@pytest.fixture
def warnings(monkeypatch):
    """What modules warn of."""
    found = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda self, text: found.append(text))
    return found


@pytest.fixture(scope="session")
def kept():
    """Makes a folder by commands, and keeps it for the next run for as long as the key is the same.

    Tests run in several processes: the first one makes the folder, the others wait for it.
    """

    def kept(key, *commands):
        folder = ROOT / ".cache/tests" / hashlib.sha256((sys.version + key).encode()).hexdigest()[:12]
        folder.parent.mkdir(parents=True, exist_ok=True)
        with folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "complete").exists():
                shutil.rmtree(folder, ignore_errors=True)
                for command in commands:
                    subprocess.run([str(word).replace("FOLDER", str(folder)) for word in command], check=True)
                (folder / "complete").touch()
        return folder

    return kept


@pytest.fixture(scope="session")
def venv(kept):
    """A virtual environment with what the demo application needs."""
    make = [sys.executable, "-m", "venv", "FOLDER"]
    install = ["FOLDER/bin/python", *PIP, "-r", REQUIREMENTS, *EXTRA]
    return kept(REQUIREMENTS.read_text() + " ".join(EXTRA), make, install)


@pytest.fixture(scope="session")
def migrations(venv, tmp_path_factory):
    """The folder that `flask db init` makes, made once."""
    folder = tmp_path_factory.mktemp("init")
    lines = ["from flask import Flask", "from flask_migrate import Migrate",
             "app = Flask(__name__)", "Migrate(app, object())"]
    (folder / "app.py").write_text("\n".join(lines))
    subprocess.run([venv / "bin/flask", "db", "init"], cwd=folder, check=True, capture_output=True)
    return folder / "migrations"


class Release:
    """An application's folder."""

    def __init__(self, path):
        self.path = path

    def write(self, name, text):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n") % {"folder": self.path})

    def revision(self, name, parent=None, message="a change", failure="pass"):
        text = REVISION.format(name=name, parent=parent, message=message, failure=failure)
        self.write("migrations/versions/%s.py" % name, text)

    def arguments(self, app="shop:create_app()", **others):
        return dict(chdir=str(self.path), app=app, **others)


@pytest.fixture
def release(venv, migrations, tmp_path):
    """A release with two revisions, as a deployment leaves it."""
    found = Release(tmp_path / "release")
    for name, text in FILES.items():
        found.write(name, text)
    (found.path / ".venv").symlink_to(venv)
    shutil.copytree(migrations, found.path / "migrations")
    found.revision("a1", None, "users")
    found.revision("b2", "a1", "posts")
    return found


OLD_GENERATION = (
    "Flask==2.0.1", "Werkzeug==2.0.1", "Flask-SQLAlchemy==2.5.1", "SQLAlchemy==1.4.54", "python-dotenv==1.2.1", EXTRA[0],
)


@pytest.fixture(scope="session")
def old_venv(kept):
    """A virtual environment of the generation before: Flask 2.0 and Flask-SQLAlchemy 2."""
    install = ["FOLDER/bin/python", *PIP, *OLD_GENERATION]
    return kept(" ".join(OLD_GENERATION), [sys.executable, "-m", "venv", "FOLDER"], install)


@pytest.fixture
def furnish(kept, run, tmp_path, monkeypatch):
    """Makes the environment of a release with these files; the module's result."""
    monkeypatch.setattr(UV + ".TOOLS", str(kept("uv", [sys.executable, *PIP, "--target", "FOLDER", "uv"])))
    monkeypatch.setattr(UV + ".LOCK", str(tmp_path / "uv.lock"))
    (tmp_path / "venvs").mkdir()
    folder = tmp_path / "releases/v1"

    def furnish(files, **options):
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        cache = os.path.join(os.environ.get("TMPDIR", "/tmp"), "selfhost-flask-uv-cache")
        about = dict(root=str(tmp_path), release=str(folder), user="root", cache=cache)
        return run("flask_venv", **dict(about, python=os.path.realpath(sys.executable), **options))

    return furnish


@pytest.fixture(scope="session")
def packages():
    """What is installed in an environment, each with its version."""
    program = "import importlib.metadata as m; print(*sorted(d.metadata['Name'].lower() + '==' + d.version for d in m.distributions()))"

    def packages(path):
        return subprocess.run([path + "/bin/python", "-c", program], check=True, capture_output=True, text=True).stdout.strip()

    return packages
