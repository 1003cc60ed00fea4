# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's own commands in the build of a release: they are really run, and the sandbox alone is left out."""

from __future__ import annotations

import os

import pytest
from ansible_collections.selfhost.flask.plugins.module_utils.common import process
from ansible_collections.selfhost.flask.plugins.module_utils.flask.sandbox import Sandbox

INSTALL = "mkdir -p node_modules/x && date +%N >>node_modules/x/index.js"


@pytest.fixture(autouse=True)
def sandboxes(monkeypatch, tmp_path):
    """The sandboxes that commands were to run in."""
    found = []
    monkeypatch.setattr(Sandbox, "prefix", lambda self: found.append(self) or ["/usr/bin/env"])
    monkeypatch.setattr(process, "as_user", lambda argv, user: argv)
    return found


@pytest.fixture
def made(build, tmp_path):
    """Builds a release by commands; the module's result."""
    return lambda *commands, **options: build(commands=list(commands), cache=str(tmp_path / "cache"), **options)


def read(release, name):
    with open(os.path.join(release["path"], name), encoding="utf-8") as file:
        return file.read()


def test_they_run_in_turn_with_the_environment_and_without_settings(made, tmp_path):
    release = made("echo $PATH >made.txt", 'echo "$FLASK_APP $HOME" >>made.txt')
    assert "msg" not in release, release["msg"]
    path, about = read(release, "made.txt").splitlines()
    assert path.startswith(release["path"] + "/.venv/bin:") and about == "blog:app %s/cache" % tmp_path


def test_neither_the_network_nor_data_is_there_unless_asked_for(made, host, sandboxes):
    made("true", {"command": "true", "network": True}, {"command": "true", "network": False}, shared=["instance"])
    assert [sandbox.network for sandbox in sandboxes] == [False, True, False]
    shared = str(host.root / "shared")
    assert {sandbox.empty for sandbox in sandboxes} == {(shared, shared + "/instance")}
    assert {sandbox.hidden for sandbox in sandboxes} == {(str(host.root / "slots"),)}


def test_files_of_the_users_come_when_no_command_can_read_them(made):
    files = {"config.py": "KEY = 1\n", "instance/blog.cfg": "A=1\n"}
    release = made("ls -R >made.txt", config_files=files, shared=["instance"])
    assert "blog" in read(release, "made.txt") and read(release, "config.py") == "KEY = 1\n"
    assert not {"config.py", "blog.cfg"} & set(read(release, "made.txt").split())


def test_what_they_make_is_public(made):
    release = made("mkdir -p blog/static && echo body >blog/static/site.css", static_folder="blog/static")
    assert read(release, ".public/static/site.css") == "body\n"


def test_other_commands_are_another_release_and_the_same_are_none(made, update, build, tmp_path):
    cache = str(tmp_path / "cache")
    one = ["mkdir -p static && echo 1 >static/x"]
    first = update(commands=one, cache=cache)
    again = update(commands=one, cache=cache)
    assert (again["changed"], again["served"], again["path"]) == (False, True, first["path"])
    other = update(commands=["mkdir -p static && echo 2 >static/x"], cache=cache)
    assert other["path"] == first["path"] + "-2" and read(other, ".public/static/x") == "2\n"
    assert build(commands=[])["path"] == first["path"] + "-3"
    assert build(commands=one, cache=cache, node="22")["path"] == first["path"] + "-3"


def test_a_release_that_was_made_before_there_were_commands_stays(update):
    first = update()
    assert not os.path.exists(first["path"] + "/.build.json") and update()["served"]


def test_what_npm_installs_is_kept_for_the_next_release_and_in_none(made, remote, tmp_path):
    (remote.folder / "vendored/node_modules").mkdir(parents=True)
    (remote.folder / "vendored/node_modules/own.js").touch()
    remote.commit_all()
    first = made(INSTALL, node="22")
    assert os.path.exists(first["path"] + "/vendored/node_modules/own.js") and not os.path.exists(first["path"] + "/node_modules")
    kept = tmp_path / "cache/node_modules/22/node_modules/x/index.js"
    assert len(kept.read_text().splitlines()) == 1
    made("test -d node_modules/x", INSTALL, node="22")
    assert len(kept.read_text().splitlines()) == 2
    assert "test -d" in made("test -d node_modules/x", node="20")["msg"]


def test_what_is_installed_into_the_static_files_is_public_and_kept_as_well(made, tmp_path):
    install = "mkdir -p static/node_modules/x && echo x >>static/node_modules/x/index.js"
    release = made(install)
    assert read(release, ".public/static/node_modules/x/index.js") == "x\n"
    kept = tmp_path / "cache/node_modules/system/static/node_modules/x/index.js"
    assert kept.read_text() == "x\n"


# what package.json asks for, and what npm is asked for
MANAGERS = {
    "yarn": ("yarn@1.22.22+sha512.00", "--yes --package yarn@1.22.22 yarn install"),
    "yarn of today": ("yarn@4.5.0", "--yes --package @yarnpkg/cli-dist@4.5.0 yarn install"),
    "nothing": ("", "--yes --package yarn yarn install"),
    "another one": ("pnpm@9.1.0", "--yes --package yarn yarn install"),
}


@pytest.mark.parametrize("case", MANAGERS)
def test_a_package_manager_comes_in_the_version_that_the_project_asks_for(case, made, remote):
    asked, wanted = MANAGERS[case]
    for name, text in {"npx": 'echo "$@"', "node": "echo '%s' | sed 's/+.*//'" % asked}.items():
        (remote.folder / name).write_text("#!/bin/sh\n%s\n" % text)
        (remote.folder / name).chmod(0o755)
    remote.commit_all()
    assert read(made("PATH=$PWD:$PATH; yarn install >out"), "out").strip() == wanted


# what a command says before it fails, and what helps
FAILURES = {
    "npm: not found": "Set flask_node to a version",
    "getaddrinfo ENOTFOUND packages.example.com": "It has no network. If it needs it, write {command: '…', network: true}",
    "Module not found": "Fix the command in flask_build",
}


@pytest.mark.parametrize("said", FAILURES)
def test_one_that_fails_is_named_with_its_last_lines_and_what_helps(said, made, update, host):
    update()
    before = host.links()
    result = made("true", "seq 100; echo '%s' >&2; exit 3" % said)
    head, *lines = result["msg"].splitlines()
    assert head == "The build command `seq 100; echo '%s' >&2; exit 3` (2 of 2) ended with exit code 3." % said
    assert lines[0] == "82" and lines[-2] == said and FAILURES[said] in lines[-1] and "The served version is untouched." in lines[-1]
    assert result["step"] == "Run the commands of flask_build" and host.links() == before


@pytest.mark.parametrize("command", [{"run": "true"}, {"command": ""}, 7, {"command": "true", "nets": True}])
def test_what_is_no_command_is_refused(command, made, host):
    assert "flask_build has " in made(command)["msg"]


def test_a_file_of_the_repository_does_not_say_how_it_was_made(made, remote):
    (remote.folder / ".build.json").write_text('{"commands": [{"command": "true", "network": false}], "node": ""}')
    remote.commit_all()
    release = made()
    assert not os.path.exists(release["path"] + "/.build.json")


def test_a_command_neither_seals_a_release_nor_says_how_it_was_made(made):
    release = made("echo {} >.release.json; mkdir .build.json")
    assert not os.path.exists(release["path"] + "/.release.json")
    assert "mkdir .build.json" in read(release, ".build.json")


def test_check_mode_runs_none(made, sandboxes):
    assert made("exit 1", _ansible_check_mode=True)["changed"] and sandboxes == []
