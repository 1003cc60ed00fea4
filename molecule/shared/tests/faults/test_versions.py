"""Versions that are no good: whatever they have done to the database is undone."""

from __future__ import annotations

import pytest
from playbook import run, spoken
from update import Story

every = pytest.mark.every
VERSIONS = [
    ("v3", "subject"),
    pytest.param("v4", "cannot import name 'relative_time' from 'humanize'", marks=every),
    pytest.param("v5", "/healthz answered 500", marks=every),
    ("unhealthy", "/healthz answered 500"),
    ("impossible", "no-such-package-4711"),
]


@pytest.mark.parametrize(("version", "problem"), VERSIONS, ids=lambda value: value.split()[0])
def test_version_fails(story: Story, version: str, problem: str) -> None:
    answer = run("update.yml", "-e", f"flask_version={version}", "-e", "deployment_health_deadline=5")
    assert answer.returncode == 2
    assert problem in spoken(answer)
    story.assert_old()
