"""What each version of the demo application does, and how each broken one breaks.

Runs in an environment that has the requirements of v2.
"""

from __future__ import annotations

import io
import os
import re
import socketserver
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from flask.cli import FlaskGroup

BUILD = Path(__file__).resolve().parent / "build"
VERSIONS = ("v1", "v2", "v3", "v4", "v5", "v6")
HEADS = {"v1": "1f6d0a93b7c1", "v2": "2b8e4c75d0f2", "v6": "6d2a7f90c5b6"}


def run(*command, cwd=None, **environment):
    """Run a command, and keep what it printed."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def succeed(*command, **options):
    """Run a command that has to succeed, and return what it printed."""
    result = run(*command, **options)
    assert result.returncode == 0, result.stdout
    return result.stdout


@pytest.fixture(scope="session")
def repository(tmp_path_factory):
    """Return the application's repository, with every version."""
    target = tmp_path_factory.mktemp("git") / "guestbook"
    succeed(BUILD, target)
    return target


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch):
    """Configure an application that keeps everything in the test's own folder."""
    monkeypatch.setenv("SECRET_KEY", "p%4$#'\"@/ :\\w")
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/guestbook.db")
    monkeypatch.setenv("UPLOAD_FOLDER", str(tmp_path / "uploads"))
    for key in ("FLASK_APP", "FLASK_SLOT", "MAIL_SERVER", "MAIL_PORT", "MAIL_SENDER"):
        monkeypatch.delenv(key, raising=False)


@pytest.fixture
def checkout(repository, tmp_path):
    """Return a function that checks a version out."""

    def at(version):
        tree = tmp_path / version
        if not tree.exists():
            succeed("git", "clone", "--quiet", "--branch", version, repository, tree)
        return tree

    return at


@pytest.fixture
def load(checkout, monkeypatch):
    """Return a function that imports a version in place of the one before."""

    def at(version):
        forget_application()
        monkeypatch.chdir(checkout(version))
        monkeypatch.syspath_prepend(str(checkout(version)))
        from wsgi import app

        return app

    yield at
    forget_application()


@pytest.fixture
def flask(load):
    """Return a function that runs a version's flask command, and says what it printed."""

    def at(version, *arguments, fails=False):
        commands = FlaskGroup(create_app=lambda: load(version), load_dotenv=False)
        result = CliRunner().invoke(commands, arguments)
        assert (result.exit_code != 0) == fails, result.output
        return f"{result.output}{result.exception or ''}"

    return at


def forget_application():
    """Let another version be imported."""
    for name in [name for name in sys.modules if name.split(".")[0] in ("demo", "wsgi")]:
        del sys.modules[name]


@pytest.fixture
def select(tmp_path):
    """Return a function that asks the database for one value."""

    def at(statement):
        with closing(sqlite3.connect(str(tmp_path / "guestbook.db"))) as database:
            return database.execute(f"SELECT {statement}").fetchone()[0]

    return at


@pytest.fixture
def serve(flask, load):
    """Return a function that migrates to a version and gives a client of it."""

    def at(version):
        flask(version, "db", "upgrade")
        flask(version, "translate", "compile")
        return load(version).test_client()

    return at


def submit(client, page, **fields):
    """Fill in a page's form as a browser does."""
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get(page).text)
    return client.post(page, data={"csrf_token": token.group(1), **fields}, follow_redirects=True)


def register(client):
    """Make the member that the tests sign in as."""
    return submit(client, "/register", name="ana", email="ana@example.com", password="secret")


def sign_in(client):
    """Register and sign in."""
    register(client)
    return submit(client, "/login", name="ana", password="secret")


@pytest.fixture
def mailbox(monkeypatch):
    """Run a mail server that keeps every line it is sent."""
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), MailSession)
    server.daemon_threads = True
    server.lines = []
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setenv("MAIL_SERVER", "127.0.0.1")
    monkeypatch.setenv("MAIL_PORT", str(server.server_address[1]))
    yield server.lines
    server.shutdown()
    server.server_close()


class MailSession(socketserver.StreamRequestHandler):
    """As much SMTP as one message needs."""

    replies = {"DATA": b"354 go on\r\n", "QUIT": b"221 bye\r\n"}

    def handle(self):
        """Accept whatever comes."""
        self.wfile.write(b"220 ready\r\n")
        in_message = False
        for raw in self.rfile:
            line = raw.decode().rstrip("\r\n")
            self.server.lines.append(line)
            if in_message and line != ".":
                continue
            in_message = line == "DATA"
            self.wfile.write(self.replies.get(line.upper(), b"250 ok\r\n"))


class TestRepository:
    """The repository that the script makes."""

    def test_has_a_commit_and_a_tag_for_each_version(self, repository):
        tags = succeed("git", "tag", cwd=repository).split()
        commits = succeed("git", "log", "--reverse", "--format=%s", "main", cwd=repository)
        assert tags == list(VERSIONS)
        assert [line.split(":")[0] for line in commits.splitlines()] == list(VERSIONS)
        assert succeed("git", "status", "--porcelain", cwd=repository) == ""

    def test_has_the_same_ids_whoever_builds_it(self, repository, tmp_path):
        other = tmp_path / "other.git"
        (tmp_path / ".gitconfig").write_text("[user]\nname = Somebody\n[core]\nautocrlf = true\n")
        succeed(BUILD, "--bare", other, HOME=str(tmp_path), TZ="Asia/Tokyo")
        tags = succeed("git", "show-ref", "--tags", cwd=repository)
        assert succeed("git", "show-ref", "--tags", cwd=other) == tags

    def test_leaves_an_existing_folder_alone(self, tmp_path):
        result = run(BUILD, tmp_path)
        assert result.returncode == 1
        assert "already exists" in result.stdout
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("version", VERSIONS)
    def test_shows_the_version_of_its_tag(self, checkout, version):
        assert f'VERSION = "{version}"' in (checkout(version) / "demo" / "version.py").read_text()


class TestCommands:
    """The application as its flask command sees it."""

    def test_is_found_by_its_wsgi_module_in_the_first_version(self, checkout):
        assert not (checkout("v1") / ".flaskenv").exists()
        assert "/healthz" in succeed(sys.executable, "-m", "flask", "routes", cwd=checkout("v1"))

    def test_is_found_by_its_flaskenv_in_the_second_version(self, checkout):
        (checkout("v2") / "wsgi.py").unlink()
        assert "/healthz" in succeed(sys.executable, "-m", "flask", "routes", cwd=checkout("v2"))

    def test_names_the_secret_key_where_it_is_missing(self, load, monkeypatch):
        monkeypatch.delenv("SECRET_KEY")
        with pytest.raises(RuntimeError, match="SECRET_KEY is not set"):
            load("v1")

    def test_reads_settings_from_its_env_file(self, checkout, load, monkeypatch):
        monkeypatch.delenv("SECRET_KEY")
        (checkout("v1") / ".env").write_text("SECRET_KEY='from the file'\n")
        assert load("v1").config["SECRET_KEY"] == "from the file"

    def test_has_every_text_in_spanish(self, flask, checkout):
        flask("v2", "translate", "update")
        catalogue = checkout("v2") / "demo/translations/es/LC_MESSAGES/messages.po"
        assert 'msgstr ""\n\n' not in catalogue.read_text(encoding="utf-8")

    def test_begins_another_language(self, flask, checkout):
        flask("v1", "translate", "init", "fr")
        assert (checkout("v1") / "demo/translations/fr/LC_MESSAGES/messages.po").exists()


class TestMigrations:
    """The database, from version to version."""

    @pytest.mark.parametrize("version", HEADS)
    def test_brings_the_database_to_what_the_models_say(self, flask, select, version):
        flask(version, "db", "upgrade")
        assert select("version_num FROM alembic_version") == HEADS[version]
        flask(version, "db", "check")

    def test_leaves_the_second_version_ahead_of_the_first(self, flask, select):
        flask("v1", "db", "upgrade")
        assert "not up to date" in flask("v2", "db", "check", fails=True)
        flask("v2", "db", "upgrade", "+1")
        assert select("version_num FROM alembic_version") == HEADS["v2"]

    def test_goes_down_again(self, flask):
        flask("v6", "db", "upgrade")
        flask("v6", "db", "downgrade", HEADS["v1"])
        flask("v1", "db", "check")

    def test_fails_half_way_in_the_third_version(self, flask, select):
        flask("v2", "db", "upgrade")
        assert "subject" in flask("v3", "db", "upgrade", fails=True)
        assert select("version_num FROM alembic_version") == HEADS["v2"]
        assert select("count(*) FROM reactions") == 0

    def test_knows_nothing_of_the_failed_revision_in_later_versions(self, checkout):
        for version in ("v4", "v5", "v6"):
            files = [path.name for path in (checkout(version) / "migrations/versions").iterdir()]
            assert not [name for name in files if "reactions" in name]


class TestPages:
    """What a visitor and a member do."""

    @pytest.mark.parametrize("version", HEADS)
    def test_takes_a_members_post(self, serve, version):
        client = serve(version)
        assert "ana" in sign_in(client).text
        assert "Hello, world" in submit(client, "/", body="Hello, world 🌍").text
        assert client.get("/posts/count").json["count"] == 1
        assert f"<strong>{version}</strong>" in client.get("/").text

    def test_refuses_a_wrong_password(self, serve):
        client = serve("v1")
        register(client)
        page = submit(client, "/login", name="ana", password="wrong").text
        assert "Wrong name or password" in page

    def test_refuses_a_name_that_is_taken(self, serve):
        client = serve("v1")
        register(client)
        assert "This name is taken" in register(client).text

    def test_refuses_a_form_without_its_token(self, serve):
        assert serve("v1").post("/", data={"body": "forged"}).status_code == 400

    def test_serves_an_uploaded_picture(self, serve, tmp_path):
        client = serve("v1")
        sign_in(client)
        page = submit(client, "/", body="Look", image=(io.BytesIO(b"GIF89a"), "../me.GIF")).text
        picture = re.search(r'src="(/uploads/[^"]+)"', page).group(1)
        assert client.get(picture).data == b"GIF89a"
        assert [path.suffix for path in (tmp_path / "uploads").iterdir()] == [".gif"]

    def test_refuses_a_file_that_is_no_picture(self, serve, tmp_path):
        client = serve("v1")
        sign_in(client)
        submit(client, "/", body="Look", image=(io.BytesIO(b"<script>"), "me.html"))
        assert client.get("/posts/count").json["count"] == 0
        assert not (tmp_path / "uploads").exists()

    def test_speaks_the_browsers_language(self, serve):
        page = serve("v1").get("/", headers={"Accept-Language": "es-MX,es;q=0.9"}).text
        assert "Libro de visitas" in page

    def test_keeps_the_language_that_was_chosen(self, serve):
        client = serve("v1")
        assert "Libro de visitas" in client.get("/language/es", follow_redirects=True).text
        assert "Guestbook" in client.get("/language/en", follow_redirects=True).text
        assert client.get("/language/xx").status_code == 404

    @pytest.mark.parametrize("name", ["style.css", "logo.svg"])
    def test_serves_static_files(self, load, name):
        assert load("v1").test_client().get(f"/static/{name}").status_code == 200

    def test_welcomes_a_member_by_mail(self, serve, mailbox):
        register(serve("v1"))
        assert "Subject: Welcome, ana" in mailbox
        assert "To: ana@example.com" in mailbox

    def test_registers_although_the_mail_server_is_down(self, serve, monkeypatch):
        monkeypatch.setenv("MAIL_SERVER", "127.0.0.1")
        monkeypatch.setenv("MAIL_PORT", "1")
        assert "You can sign in now" in register(serve("v1")).text

    def test_adds_likes_and_relative_times_in_the_second_version(self, serve):
        client = serve("v2")
        client.post("/posts", data={"body": "Hola"}, headers={"Accept-Language": "es"})
        client.post("/posts/1/like")
        page = client.get("/", headers={"Accept-Language": "es"}).text
        assert "Me gusta (1)" in page
        assert "escrito en es" in page
        assert re.search(r">(ahora|hace [^<]+)</time>", page)


class TestEndpoints:
    """What a machine asks."""

    def test_stores_a_visitors_post(self, serve):
        client = serve("v1")
        answer = client.post("/posts", data={"body": "by machine"})
        assert (answer.status_code, answer.json["id"]) == (201, 1)
        assert client.post("/posts", data={"body": " "}).status_code == 400
        assert client.get("/posts/count").json["count"] == 1

    @pytest.mark.parametrize("version", HEADS)
    def test_is_healthy(self, serve, version):
        answer = serve(version).get("/healthz")
        assert (answer.status_code, answer.json["version"]) == (200, version)
        assert answer.headers["X-Version"] == version

    def test_is_unhealthy_in_the_fifth_version_and_works(self, serve):
        client = serve("v5")
        answer = client.get("/healthz")
        assert (answer.status_code, answer.json["version"]) == (500, "v5")
        assert client.get("/").status_code == 200
        assert client.post("/posts", data={"body": "still here"}).status_code == 201

    def test_is_unhealthy_without_its_database(self, load, monkeypatch):
        monkeypatch.setenv("DATABASE_URL", "sqlite:////nowhere/guestbook.db")
        assert load("v1").test_client().get("/healthz").status_code == 503

    def test_cannot_be_imported_in_the_fourth_version(self, load):
        with pytest.raises(ImportError, match="relative_time"):
            load("v4")

    def test_believes_one_proxy(self, load):
        forwarded = {
            "X-Forwarded-For": "198.51.100.7, 203.0.113.9",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "blog.example.com",
        }
        assert load("v1").test_client().get("/whoami", headers=forwarded).json == {
            "remote_addr": "203.0.113.9",
            "scheme": "https",
            "host": "blog.example.com",
        }

    def test_waits_ten_seconds_at_most(self, load, monkeypatch):
        naps = []
        client = load("v1").test_client()
        monkeypatch.setattr("demo.probes.time", SimpleNamespace(sleep=naps.append))
        for seconds in ("0.5", "900", "-1"):
            client.get(f"/slow?seconds={seconds}")
        assert naps == [0.5, 10.0, 0.0]

    def test_sends_ten_events(self, load, monkeypatch):
        client = load("v1").test_client()
        monkeypatch.setattr("demo.probes.time", SimpleNamespace(sleep=lambda seconds: None))
        answer = client.get("/ticks")
        assert (answer.mimetype, answer.text.count("data: ")) == ("text/event-stream", 10)

    def test_names_its_slot(self, load, monkeypatch):
        monkeypatch.setenv("FLASK_SLOT", "green")
        answer = load("v1").test_client().get("/slow?seconds=0").json
        assert (answer["slot"], answer["pid"]) == ("green", str(os.getpid()))
