"""The first deployments, watched: a secret shows up neither in the log nor in an argument."""

from __future__ import annotations

import json
from pathlib import Path

from leaks import Arguments, readable_by_everybody
from machine import ROOT, SETTINGS, Machine
from playbook import run

DEPLOY_KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nosprey4711\n-----END OPENSSH PRIVATE KEY-----\n"
MAIL = {"postfix_smarthost_user": "mailer", "postfix_smarthost_password": "buzzard4711 $'\"\\"}
GIVEN = {"flask_deploy_key": DEPLOY_KEY, **MAIL}
WORDS = ["pelican4711", "heron4711", "osprey4711", "buzzard4711"]
READ_SECRET_KEY = f'. {ROOT}/shared/.env; printf %s "$SECRET_KEY"'


def watched_run(machine: Machine, variables: dict[str, object], folder: Path) -> str:
    """site.yml at its most talkative: all that it said, and all command lines meanwhile."""
    (folder / "variables.json").write_text(json.dumps(variables))
    with Arguments(machine) as arguments:
        answer = run("site.yml", "-vvv", "--diff", "-e", f"@{folder / 'variables.json'}")
    assert answer.returncode == 0, answer.stdout[-4000:]
    assert f"{ROOT}/shared/.env" in answer.stdout
    assert "python3" in arguments.seen
    return answer.stdout + answer.stderr + arguments.seen


def lines_with(words: list[str], said: str) -> list[str]:
    """The lines that show one of the words."""
    return [line[:300] for line in said.splitlines() if any(word in line for word in words)]


def secret_key(machine: Machine) -> str:
    """The one that the application has now."""
    return machine.inside(READ_SECRET_KEY).stdout


def test_first_deployment_shows_no_secret(machine: Machine, tmp_path: Path) -> None:
    said = watched_run(machine, {"flask_env": {}, **GIVEN}, tmp_path)
    generated = secret_key(machine)
    assert len(generated) > 40
    assert lines_with([*WORDS, generated], said) == []
    assert readable_by_everybody(machine, [*WORDS, generated]) == []


def test_new_secrets_are_not_shown_either(machine: Machine, tmp_path: Path) -> None:
    before = secret_key(machine)
    said = watched_run(machine, {}, tmp_path)
    assert secret_key(machine) == SETTINGS["flask_env"]["SECRET_KEY"]
    assert lines_with([*WORDS, before], said) == []
    assert readable_by_everybody(machine, [*WORDS, before]) == []
    assert machine.answers()
