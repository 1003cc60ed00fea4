"""One project for the whole of the story, and the keys of the people in it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from machine import Machine
from project import Project


@pytest.fixture(scope="session")
def project(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Its connection is the one by which molecule reaches the host."""
    hosts = yaml.safe_load(Path(os.environ["MOLECULE_INVENTORY_FILE"]).read_text())["all"]["hosts"]
    connection = {name: value for name, value in hosts[machine.name].items() if name.startswith("ansible_")}
    return Project(tmp_path_factory.mktemp("project"), machine, connection)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A key pair each: of two people, and those that replace a lost one."""
    paths = {name: tmp_path_factory.mktemp("keys") / name for name in ("alice", "bob", "replacement", "console")}
    for name, path in paths.items():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path], check=True)
    return paths
