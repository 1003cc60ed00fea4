# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""This checkout as the collection that the tests import, found as ansible finds one; its modules."""

from __future__ import annotations

import fcntl
import hashlib
import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

MODULES = "ansible_collections.selfhost.flask.plugins.modules."
ROOT = Path(__file__).resolve().parent.parent
COLLECTIONS = ROOT / ".ansible/collections"


def pytest_configure() -> None:
    """Before any test is imported."""
    if "ansible_test" in sys.modules:  # it has a finder of its own
        return
    from ansible.plugins.loader import init_plugin_loader

    link = COLLECTIONS / "ansible_collections/selfhost/flask"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(os.path.relpath(ROOT, link.parent))
    init_plugin_loader([str(COLLECTIONS)])


def pytest_collection_modifyitems(items: list) -> None:
    """What only root can do is left out for everybody else."""
    for item in items:
        if item.get_closest_marker("needs_root") and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.fixture
def run(capsys):
    """Runs a module with arguments, in this very process; its result."""

    def run(name, /, _ansible_check_mode=False, **arguments):
        module = importlib.import_module(MODULES + name)
        with patch_module_args(dict(arguments, _ansible_check_mode=_ansible_check_mode, _ansible_diff=True)):
            with pytest.raises(SystemExit):
                module.main()
        return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture(scope="session")
def kept():
    """Makes a folder by commands, and keeps it for the next run for as long as the key is the same.

    Tests run in several processes: the first one makes the folder, the others wait for it.
    """

    def kept(key, *commands):
        folder = ROOT / ".cache/tests" / hashlib.sha256((sys.version + key).encode()).hexdigest()[:12]
        folder.parent.mkdir(parents=True, exist_ok=True)
        with folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "complete").exists():
                shutil.rmtree(folder, ignore_errors=True)
                for command in commands:
                    subprocess.run([str(word).replace("FOLDER", str(folder)) for word in command], check=True)
                (folder / "complete").touch()
        return folder

    return kept
