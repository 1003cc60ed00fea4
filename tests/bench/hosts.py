"""What the comparisons of times share: a repository, new hosts that are deployed to, and the seconds of a command."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
STATE = TOP / ".testhost" / f"bench-{os.getpid()}"
IDENTITY = ["-c", "user.name=bench", "-c", "user.email=bench@example.com"]


def run(*command: str | Path, log: str = "", **options: object) -> str:
    """A command's output; where it fails, its end."""
    done = subprocess.run([str(word) for word in command], text=True, capture_output=True, **{"cwd": TOP, **options})
    if log:
        (STATE / log).write_text(done.stdout + done.stderr)
    if done.returncode:
        raise SystemExit(f"{command} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-4000:]}")
    return done.stdout


def timed(*command: str | Path, **options: object) -> float:
    begin = time.monotonic()
    run(*command, **options)
    return time.monotonic() - begin


def make_repository(source: str | dict | None, version: str, names: list[str], changed: str = "CHANGED", line: str = "") -> None:
    """A bare clone, of the demo application by default, or a repository of these files, with more versions.

    Each of the versions adds to a file, by default to one that nothing reads.
    """
    bare, work = STATE / "repositories" / "site", STATE / "work"
    if source is None:
        run(TOP / "molecule/demo/build", "--bare", bare)
    elif isinstance(source, dict):
        run("git", "init", "--quiet", "--bare", "--initial-branch", "main", bare)
    else:
        run("git", "clone", "--quiet", "--bare", source, bare)
    run("git", "clone", "--quiet", bare, work)
    if version:
        run("git", "-C", work, "checkout", "--quiet", version)
    for path, text in source.items() if isinstance(source, dict) else ():
        (work / path).write_text(text)
        run("git", "-C", work, "add", path)
    for name in names:
        with open(work / changed, "a") as file:
            file.write(line or f"{name}\n")
        run("git", "-C", work, "add", changed)
        run("git", "-C", work, *IDENTITY, "commit", "--quiet", "-m", "Change the code alone")
        run("git", "-C", work, "tag", name)
    run("git", "-C", work, "push", "--quiet", "--tags", "origin")


@contextlib.contextmanager
def host(name: str) -> Iterator[tuple[str, str]]:
    """A new host and a git server beside it: the host's address and the repository's URL."""
    address = json.loads(run(TOP / "script/testhost", "up", name, "--image", "debian-12"))["address"]
    try:
        command = [TOP / "molecule/shared/neighbours", "start", STATE / name, address, STATE / "repositories"]
        yield address, json.loads(run(*command))["git"] + "/site"
    finally:
        run(TOP / "molecule/shared/neighbours", "stop", STATE / name)
        run(TOP / "script/testhost", "down", name)


def by_hand(name: str, address: str, repository: str, version: str, entrypoint: str, log: str) -> float:
    """The seconds of the tutorials' commands as one script, over ssh."""
    known = TOP / f".testhost/hosts/{name}/known_hosts"
    ssh = ["ssh", "-i", TOP / ".testhost/id_ed25519", "-o", f"UserKnownHostsFile={known}", f"root@{address}"]
    with open(TOP / "tests/bench/by_hand.sh") as script:
        return timed(*ssh, f"sh -s {repository} {version} '{entrypoint}'", log=log, stdin=script)


def check(address: str) -> None:
    """The site answers, or the figure means nothing."""
    run("curl", "-skfL", "--retry", "20", "--retry-delay", "1", "--retry-all-errors", "-o", "/dev/null", f"https://{address}/")
