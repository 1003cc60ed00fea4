"""Where the secrets can be read."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from leaks import readable_by_everybody
from machine import SETTINGS, Machine

# The words by which the secrets of the scenario are found in whatever form.
WORDS = [
    SETTINGS["flask_database_password"].split("-")[0],
    SETTINGS["flask_env"]["SECRET_KEY"].split("-")[0],
]


@pytest.fixture
def leak(machine: Machine) -> Iterator[str]:
    """A file that everybody can read, and that has a secret in it."""
    path = f"/var/tmp/leak-{uuid.uuid4().hex}"
    machine.inside('umask 022; cat >"$1"', path, stdin=WORDS[0])
    yield path
    machine.inside('rm "$1"', path)


def test_no_file_shows_a_secret_to_everybody(machine: Machine, leak: str) -> None:
    assert readable_by_everybody(machine, WORDS) == [leak]
