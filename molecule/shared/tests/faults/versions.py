"""Versions of the demo application that only these tests have, as tags in the scenario's repository."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from machine import scenario_state

HALF_WAY = "/tmp/half-way"
V6_MIGRATION = "migrations/versions/6d2a7f90c5b6_time_of_likes.py"
# The last step of v6's migration, in between of two that spoil every row and mend it again. What is
# in the database meanwhile is nothing that a visitor may ever see again.
LAST_STEP = '    op.create_index("ix_posts_created_at", "posts", ["created_at"])\n'
SLOWLY = f'''    op.execute("UPDATE posts SET body = CONCAT('spoilt ', body)")
    op.create_table("half_way", sa.Column("id", sa.Integer(), primary_key=True))
    pathlib.Path("{HALF_WAY}").touch()
    time.sleep(1)
    op.drop_table("half_way")
    op.execute("UPDATE posts SET body = SUBSTRING(body, 8)")
{LAST_STEP}'''
NAME = {
    "GIT_AUTHOR_NAME": "Demo", "GIT_AUTHOR_EMAIL": "demo@example.com",
    "GIT_COMMITTER_NAME": "Demo", "GIT_COMMITTER_EMAIL": "demo@example.com",
}


def slow(tree: Path) -> None:
    """Its migration can be met half-way. It has v6's revision, so v6 can follow."""
    path = tree / V6_MIGRATION
    text = path.read_text().replace("import sqlalchemy", "import pathlib\nimport time\n\nimport sqlalchemy")
    assert LAST_STEP in text
    path.write_text(text.replace(LAST_STEP, SLOWLY, 1))


def unhealthy(tree: Path) -> None:
    """Its migration is good, and then it is not well."""
    health = tree / "demo/health.py"
    health.write_text(git(tree, "show", "v5:demo/health.py"))


def require(line: str) -> Callable[[Path], None]:
    """Its requirements have one line more."""

    def change(tree: Path) -> None:
        with (tree / "requirements.txt").open("a") as file:
            file.write(f"{line}\n")

    return change


# Each is v6 but for one thing.
VERSIONS: dict[str, Callable[[Path], None]] = {
    "slow": slow,
    "unhealthy": unhealthy,
    "rebuilt": require("# the same packages, in an environment of their own"),
    "more": require("colorama==0.4.6"),
    "impossible": require("no-such-package-4711==1.0"),
}


def git(folder: Path, *words: str) -> str:
    """One git command, with nothing of the caller's settings."""
    environment = {**os.environ, **NAME, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    argv = ["git", "-C", str(folder), *words]
    return subprocess.run(argv, env=environment, check=True, capture_output=True, text=True).stdout


def add_versions(folder: Path) -> None:
    """Adds those that the scenario's repository has not got yet."""
    repository = scenario_state() / "repositories" / "demo"
    missing = VERSIONS.keys() - set(git(repository, "tag").split())
    if not missing:
        return
    tree = folder / "tree"
    git(folder, "clone", "--quiet", str(repository), str(tree))
    for name in missing:
        git(tree, "checkout", "--quiet", "v6")
        VERSIONS[name](tree)
        identity = tree / "demo/version.py"
        identity.write_text(re.sub(r'VERSION = ".*"', f'VERSION = "{name}"', identity.read_text()))
        git(tree, "commit", "--quiet", "--all", "--message", name)
        git(tree, "tag", name)
        git(tree, "push", "--quiet", "origin", name)
