# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to a host that may have no Python, run by a shell with an apt-get of a few lines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

APT = """#!/bin/sh
echo "$1" >>"$LOG"
for file in "$LOG.$1."*; do
    [ -e "$file" ] || exit 0
    cat "$file" >&2
    rm "$file"
    exit 100
done
"""
LOCKED = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 77 (apt-get)\n"
INTERRUPTED = "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem.\n"
TOP = Path(__file__).resolve().parents[2]
PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: selfhost.flask.flask, tasks_from: host}
"""
NOWHERE = "E: Failed to fetch http://deb.example/\n"


@pytest.fixture
def log(tmp_path, monkeypatch):
    """What the programs of a host were asked for."""
    programs = {"apt-get": APT, "dpkg": '#!/bin/sh\necho configure >>"$LOG"\n', "sleep": "#!/bin/sh\n"}
    for name, text in programs.items():
        write_program(tmp_path / name, text)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    return tmp_path / "log"


def write_program(path, text):
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def prepare(render, tmp_path, log):
    """Runs the script, after apt-get was told how its first calls fail."""

    def prepare(**failures):
        for verb, answers in failures.items():
            for number, text in enumerate(answers):
                (tmp_path / f"log.{verb}.{number}").write_text(text)
        known = {"__flask_login": {"missing": ["python3", "python3-apt"]}, "inventory_hostname": "blog.example.com"}
        done = subprocess.run(["sh", "-c", render("flask", "needs.sh.j2", **known)], capture_output=True, text=True, check=False)
        return done, log.read_text().split()

    return prepare


@pytest.mark.parametrize("failures, steps", [
    ({}, ["update", "install"]),
    ({"update": [LOCKED] * 3}, ["update"] * 4 + ["install"]),
    ({"update": [NOWHERE]}, ["update", "install"]),
    ({"install": [INTERRUPTED]}, ["update", "install", "configure", "install"]),
])
def test_what_ansible_needs_is_installed(failures, steps, prepare):
    done, ran = prepare(**failures)
    assert (done.returncode, ran) == (0, steps)


def test_what_can_t_be_installed_is_said(prepare):
    done, _ = prepare(update=[NOWHERE], install=[NOWHERE, NOWHERE])
    assert done.returncode == 1
    assert NOWHERE in done.stderr
    assert "blog.example.com: Ansible needs python3 python3-apt there" in done.stderr


@pytest.mark.parametrize("code, warned", [(0, False), (1, True), (2, True)])
def test_cloud_init_is_waited_for_before_packages_and_may_have_a_problem(code, warned, log, tmp_path, monkeypatch):
    write_program(tmp_path / "cloud-init", f'#!/bin/sh\necho cloud-init >>"$LOG"\necho "status: degraded"\nexit {code}\n')
    login = {"distribution": "debian", "distribution_version": "12", "git": True, "cloud_init": True, "missing": ["sudo"]}
    login.update(deployed=True, taken=[], sites=[])
    known = {"__flask_login": login, "flask_app": "blog", "flask_repo": "x", "flask_entrypoint": "x:y"}
    (tmp_path / "play.yml").write_text(PLAY)
    monkeypatch.setenv("ANSIBLE_CONFIG", str(TOP / "ansible.cfg"))
    argv = [Path(sys.executable).with_name("ansible-playbook"), tmp_path / "play.yml", "-e", json.dumps(known)]
    done = subprocess.run(argv, cwd=TOP, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert log.read_text().split() == ["cloud-init", "update", "install"]
    assert ("cloud-init on localhost has ended with a problem" in " ".join(done.stdout.split())) == warned


# What the host alone reaches comes into being when git is installed for it.
GIT_APT = """#!/bin/sh
echo "$@" >>"$LOG"
[ "$1" != install ] || mv "$LOG.elsewhere" "$LOG.repository"
"""


@pytest.fixture
def only_on_the_host(log, tmp_path):
    """The URL of such a repository, and what a play on it says."""
    git = ["git", "-C", str(tmp_path / "log.elsewhere"), "-c", "user.name=Ana", "-c", "user.email=ana@example.com"]
    subprocess.run(["git", "init", "--quiet", str(tmp_path / "log.elsewhere")], check=True)
    (tmp_path / "log.elsewhere/blog.py").write_text("app = 1\n")
    (tmp_path / "log.elsewhere/requirements.txt").write_text("flask\n")
    for arguments in (["add", "."], ["commit", "--quiet", "--message", "First"]):
        subprocess.run([*git, *arguments], check=True)
    write_program(tmp_path / "apt-get", GIT_APT)
    return "file://%s/log.repository" % tmp_path


@pytest.fixture
def look(only_on_the_host, tmp_path, monkeypatch):
    """Runs the play on a host without a version."""

    def look(entrypoint, **login):
        login = dict({"distribution": "debian", "distribution_version": "12", "cloud_init": False, "missing": ["sudo"]}, **login)
        login.update(deployed=False, taken=[], sites=[])
        known = {"__flask_login": login, "flask_app": "blog", "flask_repo": only_on_the_host, "flask_version": "HEAD"}
        known.update(flask_entrypoint=entrypoint)
        (tmp_path / "play.yml").write_text(PLAY)
        monkeypatch.setenv("ANSIBLE_CONFIG", str(TOP / "ansible.cfg"))
        argv = [Path(sys.executable).with_name("ansible-playbook"), tmp_path / "play.yml", "-e", json.dumps(known)]
        return subprocess.run(argv, cwd=TOP, capture_output=True, text=True, check=False)

    return look


ENTRYPOINTS = pytest.mark.parametrize("entrypoint, said", [("blog:app", ""), ("shop:app", "neither shop.py nor")])


@ENTRYPOINTS
def test_a_repository_that_only_the_host_reaches_is_looked_at_there(entrypoint, said, look, log):
    done = look(entrypoint, git=False)
    assert (done.returncode == 0) == (not said) and said in " ".join(done.stdout.split()), done.stdout
    assert log.read_text().splitlines()[-1].endswith("sudo git")


@ENTRYPOINTS
def test_a_host_that_has_git_already_and_no_version_is_looked_at_before_it_is_changed(entrypoint, said, look, log):
    log.with_name("log.elsewhere").rename(log.with_name("log.repository"))
    done = look(entrypoint, git=True, missing=[])
    assert (done.returncode == 0) == (not said) and said in " ".join(done.stdout.split()), done.stdout
    assert not log.exists()  # apt was asked for nothing
