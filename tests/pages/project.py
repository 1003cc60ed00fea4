"""A project's folder as `selfhost.flask.new` makes it, for a test host that is called as a page calls its server."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = Path(__file__).resolve().parents[2]
HOST = "blog.example.com"
REPO = "https://git.example.com/guestbook"
URL = re.compile(r"git://[\d.]+:\d+/guestbook")


class Run(NamedTuple):
    """A command as a person typed it, and what it printed."""

    command: str
    lines: list
    status: int


def output_of(*argv: object) -> str:
    return subprocess.run([str(word) for word in argv], check=True, stdout=subprocess.PIPE, text=True, cwd=TOP).stdout


class Project:
    """A bare test host, the demo application's repository, and a folder with an inventory."""

    def __init__(self, name: str) -> None:
        self.name, self.state = name, TOP / ".testhost" / name
        self.folder = self.state / "blog"
        self.address = self.repo = ""

    @contextlib.contextmanager
    def started(self, keep: bool = False) -> Iterator[Project]:
        """While the host is up, which stays if it is to be kept."""
        self.stop()
        shutil.rmtree(self.state, ignore_errors=True)
        (self.state / "repositories").mkdir(parents=True)
        self.folder.mkdir()
        output_of("molecule/demo/build", "--bare", self.state / "repositories/guestbook")
        try:
            self.address = json.loads(output_of("script/testhost", "up", self.name, "--image", "debian-12"))["address"]
            around = json.loads(output_of("molecule/shared/neighbours", "start", self.state, self.address, self.state / "repositories"))
            self.repo = around["git"] + "/guestbook"
            yield self
        finally:
            if not keep:
                self.stop()

    def stop(self) -> None:
        """Removes the host, and what serves the repository; there may be none."""
        for argv in (["molecule/shared/neighbours", "stop", self.state], ["script/testhost", "down", self.name]):
            subprocess.run([str(word) for word in argv], cwd=TOP, check=False, capture_output=True)

    def create(self) -> Run:
        """Makes the inventory by the playbook, and says how the test host is reached."""
        done = self.play("new", "-i", "localhost,", "-e", f"repo={self.repo}", "-e", f"host={HOST}")
        (self.folder / "host_vars").mkdir()
        typed_fast = "hardening_ssh_limit: false"  # nobody types so fast that the firewall makes them wait
        (self.folder / "host_vars" / f"{HOST}.yml").write_text("\n".join([*self.connection(), typed_fast]) + "\n")
        return done

    def connection(self) -> list[str]:
        """What somebody with a server of his own has in ~/.ssh/config, as variables."""
        about = output_of("script/testhost", "inventory", self.name)
        return [line.strip() for line in about.splitlines() if line.strip().startswith("ansible_")]

    def play(self, name: str, *arguments: str) -> Run:
        return self.type(["ansible-playbook", "selfhost.flask." + name, *arguments])

    def type(self, argv: list[str], **options: object) -> Run:
        """A command, run in the project's folder with the options that only a test host needs."""
        own = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(TOP / ".ansible/collections"), "ANSIBLE_HOME": str(TOP / ".ansible")}
        own.pop("ANSIBLE_CONFIG", None)
        both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL, **options}
        done = subprocess.run(argv, cwd=self.folder, env=own, text=True, check=False, **both)
        text = URL.sub(REPO, done.stdout).replace(str(self.folder), "/home/you/blog")
        return Run(URL.sub(REPO, " ".join(argv)), text.splitlines(), done.returncode)
