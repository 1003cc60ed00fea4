"""The recipes of public applications, and what their journeys make of answers, without a host."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests/applications"), str(TOP / "molecule/shared/tests"), str(TOP / "molecule/shared")]

import guest  # noqa: E402
import journey  # noqa: E402
import table  # noqa: E402
from recipe import recipes  # noqa: E402
from testhost.image import SUITES  # noqa: E402

ALL = recipes([])


@pytest.fixture(params=ALL, ids=lambda recipe: recipe.name)
def recipe(request):
    return request.param


def test_a_recipe_has_at_most_twelve_lines_and_names_all_that_is_needed(recipe):
    assert recipe.lines <= 12
    assert {"flask_app", "flask_repo", "flask_version", "flask_entrypoint"} <= set(recipe.variables)
    assert recipe.variables["flask_repo"].startswith("https://")


def test_an_application_comes_from_another_version_and_is_used(recipe):
    use = recipe.use
    assert use.OLDER != recipe.version and use.MAIN.startswith("/") and use.__doc__
    assert callable(use.write) and callable(use.read) and isinstance(use.STATIC, str)
    assert getattr(use, "IMAGE", "debian-13") in SUITES and getattr(use, "ROLLBACK", "refuse") in ("refuse", "downgrade", "restore", "keep")


def test_an_unknown_name_is_refused_with_those_that_there_are():
    with pytest.raises(SystemExit, match="no recipe nothing; there are .*flaskr"):
        recipes(["nothing"])


def test_what_is_missing_is_named_and_nothing_is_started(tmp_path):
    answer = subprocess.run(
        [sys.executable, TOP / "tests/applications/table.py", tmp_path, "flaskr"], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 1 and "git clone --bare https://github.com/pallets/flask" in answer.stdout


PAGE = """<link rel="stylesheet" href="a.css"><link rel="alternate" href="/feed"><script src="//cdn.test/b.js"></script>
<script src="/static/b.js"></script><img src="https://site.test/c.png">
<form action="/search"><input name="q"></form>
<form method="post"><input type="hidden" name="csrf_token" value="x"><input name="title"><textarea name="body"></textarea>
<input type="checkbox" name="public"><input type="checkbox" name="mail" checked><input type="submit" name="go"></form>"""


def test_a_page_loads_its_own_assets_and_has_forms():
    page = guest.Page(SimpleNamespace(url="https://site.test/blog/", text=PAGE))
    assert page.own_assets() == [
        "https://site.test/blog/a.css", "https://site.test/static/b.js", "https://site.test/c.png",
    ]
    search, post = page.forms
    assert search.action == "/search" and post.names >= {"title", "body", "public"}
    assert post.fields == {"csrf_token": "x", "title": "", "mail": ""}


def test_a_name_leads_to_the_host_within_its_block():
    with guest.named("blog.example.com", "127.0.0.9"):
        assert guest.socket.getaddrinfo("blog.example.com", 443)[0][4][0] == "127.0.0.9"


def test_what_failed_is_the_message_of_the_last_task():
    said = "TASK [a] ***\n[ERROR]: Task failed: first\nok\n[ERROR]: Task failed: The version has no entrypoint\n\nPLAY RECAP\n"
    assert journey.told(SimpleNamespace(stdout=said, stderr="")) == "[ERROR]: Task failed: The version has no entrypoint"


def test_a_line_of_the_table_ends_where_the_application_failed():
    steps = [journey.Step("host", 1.0, ""), journey.Step("site", 2.0, "no")]
    cells = table.row(recipes(["flaskr"])[0], "debian-12", steps)
    assert cells[4:7] == ["1.0", "failed", ""] and len(cells) == 4 + len(table.COLUMNS)


@pytest.fixture
def trip(tmp_path):
    """A journey of specter-desktop's, to a host that is not there."""
    trip = journey.Journey(recipes(["specter-desktop"])[0], tmp_path, "debian-12")
    trip.folder, trip.git = tmp_path, "git://clones"
    trip.about = {"address": "192.0.2.7", "user": "root", "key": "key"}
    return trip


def test_what_the_doctor_finds_is_said(trip, monkeypatch):
    report = [{"findings": [{"id": "disk-full", "what": "The disk is full.", "remedy": "Make room."}]}]
    monkeypatch.setattr(trip, "run", lambda *dummy: (trip.folder / "report.json").write_text(json.dumps(report)))
    with pytest.raises(journey.Failed, match="disk-full: The disk is full."):
        trip.examine()


def test_what_a_recipe_has_the_doctor_ignore_stays_ignored(trip):
    trip.lay_over("v1")
    (variables,) = yaml.safe_load((trip.folder / "host.yml").read_text())["all"]["hosts"].values()
    assert set(variables["doctor_ignored"]) == {*journey.SURROUNDINGS, "scheduler-repeated"}
