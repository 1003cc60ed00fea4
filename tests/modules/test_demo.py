# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo application from version to version: one database, a folder for each, as on a host."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

DEMO = Path(__file__).resolve().parents[2] / "molecule/demo"
SECRET = "p%4$#'\"@/ :\\w"
FIRST = {"revision": "1f6d0a93b7c1", "message": "Users and posts."}
SECOND = {"revision": "2b8e4c75d0f2", "message": "Likes, and the language of a post."}
CATALOGUE = "demo/translations/es/LC_MESSAGES/messages.mo"


@pytest.fixture(scope="session")
def repository(tmp_path_factory):
    """The repository that the scenarios deploy from."""
    folder = tmp_path_factory.mktemp("git") / "demo"
    subprocess.run([DEMO / "build", "--bare", folder], check=True)
    return folder


@pytest.fixture
def version(repository, venv, run, tmp_path):
    """Runs a module on a version's release."""
    (tmp_path / "shared").mkdir()
    run("dotenv", path=str(tmp_path / "shared/.env"), values={
        "SECRET_KEY": SECRET,
        "DATABASE_URL": "sqlite:///%s/shared/guestbook.db" % tmp_path,
    })

    def version(name, module, **arguments):
        release = tmp_path / name
        if not release.exists():
            clone = ["git", "-c", "advice.detachedHead=false", "clone", "--quiet", "--branch", name]
            subprocess.run([*clone, repository, release], check=True)
            (release / ".venv").symlink_to(venv)
            (release / ".env").symlink_to("../shared/.env")
        return run(module, chdir=str(release), app="wsgi:app", **arguments)

    return version


def test_a_new_version_applies_its_migration(version):
    assert version("v1", "flask_db")["pending"] == [FIRST]
    planned = version("v2", "flask_db", _ansible_check_mode=True)
    assert (planned["changed"], planned["pending"]) == (True, [SECOND])
    done = version("v2", "flask_db")
    assert (done["before"], done["after"]) == ([FIRST["revision"]], [SECOND["revision"]])
    assert not version("v2", "flask_db")["changed"]
    assert "which this version of the application does not have" in version("v1", "flask_db")["msg"]


def test_a_migration_that_fails_half_way_says_where_the_database_is(version):
    version("v2", "flask_db")
    failed = version("v3", "flask_db")
    assert failed["failed"] and failed["before"] == failed["after"] == [SECOND["revision"]]
    assert "at revision 2b8e4c75d0f2 and is at 2b8e4c75d0f2 now, not at 3c9f1d86e4a3" in failed["msg"]
    assert "subject" in failed["msg"]
    assert not version("v2", "flask_db")["changed"]


@pytest.mark.parametrize("module", ["flask_db", "flask_info"])
def test_a_version_that_cannot_be_imported_says_why(module, version):
    failed = version("v4", module)
    assert failed["failed"] and "cannot import name 'relative_time'" in failed["msg"]


def test_translations_are_compiled_once(version):
    runs = [version("v2", "flask_translate", _ansible_check_mode=check) for check in (True, False, False)]
    assert [(run["changed"], run["compiled"]) for run in runs] == [(True, [CATALOGUE])] * 2 + [(False, [])]


def test_info_has_what_it_serves_and_no_secret(version):
    info = version("v2", "flask_info")
    assert {"/", "/healthz", "/posts/count"} <= {route["rule"] for route in info["routes"]}
    assert {"db", "translate"} <= set(info["commands"]) and info["migrations"]
    assert "SECRET_KEY" in info["config_keys"] and SECRET not in str(info)
