"""Versions that are no good: whatever they have done to the database is undone."""

from __future__ import annotations

import pytest
from playbook import run, spoken
from update import Story, every, worst

VERSIONS = [
    worst("migration fails", "v3", "subject"),
    every("import fails", "v4", "cannot import name 'relative_time' from 'humanize'"),
    every("is unhealthy", "v5", "/healthz answered 500"),
    worst("is unhealthy after a good migration", "unhealthy", "/healthz answered 500"),
    worst("requirement does not exist", "impossible", "no-such-package-4711"),
]


@pytest.mark.parametrize(("version", "problem"), VERSIONS)
def test_version_fails(story: Story, version: str, problem: str) -> None:
    answer = run("update.yml", "-e", f"flask_version={version}", "-e", "deployment_health_deadline=15")
    assert answer.returncode == 2
    assert problem in spoken(answer)
    story.assert_old()
