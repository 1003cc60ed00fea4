# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user sees who runs a playbook with something that can't be meant."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

TOP = Path(__file__).resolve().parents[2]
HOST = {"ansible_connection": "local", "ansible_become_exe": "/nowhere"}  # there is nothing to log in to
INVENTORY = {
    "hosts": {"blog.example.com": {"flask_app": "blog", **HOST}, "shop.example.com": {"flask_app": "shop", **HOST}},
    "vars": {"flask_repo": "https://git.example.com/x", "flask_entrypoint": "x:app"},
}
ASKED = "2 applications are meant: blog.example.com, shop.example.com."
UNKNOWN = "flask_tsl is no variable of selfhost.flask. Did you mean flask_tls?"
CHOICE = "flask_tls is 'letsencript'. Set it to self_signed, letsencrypt or provided."


@pytest.fixture
def play(tmp_path):
    """What a playbook prints that fails for two applications."""

    def play(playbook, *arguments):
        (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": INVENTORY}))
        program = Path(sys.executable).with_name("ansible-playbook")
        argv = [program, TOP / "playbooks" / playbook, "-i", tmp_path / "hosts.yml", *arguments]
        environment = {**os.environ, "ANSIBLE_CONFIG": str(TOP / "ansible.cfg"), "ANSIBLE_HOME": str(TOP / ".ansible")}
        answer = subprocess.run(argv, cwd=TOP, env=environment, capture_output=True, text=True, check=False)
        assert answer.returncode == 2
        return " ".join(answer.stdout.split())

    return play


@pytest.mark.parametrize("playbook, arguments, messages", [
    ("restore.yml", ["-e", "flask_tsl=letsencrypt"], [ASKED + " This playbook replaces the data", UNKNOWN]),
    ("remove.yml", ["-e", "flask_remove=shop"], [ASKED + " This playbook removes an application", "Choose one, such as by --limit"]),
    ("site.yml", ["-e", "flask_version=v2 flask_tls=letsencript"], [ASKED + " -e flask_version is for all", CHOICE]),
])
def test_a_play_ends_with_what_to_set_before_it_looks_for_a_login(playbook, arguments, messages, play):
    shown = play(playbook, *arguments)
    assert [message in shown for message in messages] == [True, True]
    assert "Nothing was changed on blog.example.com." in shown and "Nothing was changed on shop.example.com." in shown
    assert "Find the login" not in shown and len(shown) < 5000
