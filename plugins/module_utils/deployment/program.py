# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deployment leaves on the host, so that it can be ended there without Ansible."""

from __future__ import annotations

import importlib
import io
import os
import re
import sys
import zipfile
from typing import Iterable

from ansible_collections.selfhost.flask.plugins.module_utils.common.files import write_file
from ansible_collections.selfhost.flask.plugins.module_utils.deployment import console
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.journal import Journal
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.transaction import recover
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import step
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

PACKAGE = "ansible_collections.selfhost.flask.plugins.module_utils"
MAIN = "from %s.deployment.program import main\n\nmain()\n" % PACKAGE
IMPORT = re.compile(r"^[ \t]*from (%s\.[\w.]+) import (\([^)]*\)|.+)$" % re.escape(PACKAGE), re.M)
EPOCH = (1980, 1, 1, 0, 0, 0)


def install(site: Site) -> None:
    """Writes recover.pyz: the very code that makes the change is also what takes it back."""
    write_program(site.own("recover.pyz"), packed())


def write_program(path: str, content: bytes) -> bool:
    """Whether it was another one before."""
    changed = differs(path, content)
    if changed:
        write_file(path, content, 0o600)
    return changed


def differs(path: str, content: bytes) -> bool:
    """Whether a file has another content, or is not there."""
    return not os.path.exists(path) or _read(path) != content


def packed(main: str = MAIN) -> bytes:
    """A program and all that it imports."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("__main__.py", EPOCH), main)
        sources = imported_by(main)
        for folder in packages_of(sources):
            archive.writestr(zipfile.ZipInfo(folder.replace(".", "/") + "/__init__.py", EPOCH), "")
        for name, source in sorted(sources.items()):
            archive.writestr(zipfile.ZipInfo(name.replace(".", "/") + ".py", EPOCH), source)
    return buffer.getvalue()


def imported_by(main: str) -> dict:
    """The sources of the package's modules that a program imports, and of those that they import, by their full names."""
    found, waiting = {}, imports_of(main)
    while waiting:
        name = waiting.pop()
        if name not in found:
            source = importlib.import_module(name).__loader__.get_source(name)
            found[name] = source.decode() if isinstance(source, bytes) else source
            waiting |= imports_of(found[name])
    return found


def imports_of(source: str) -> set:
    """The package's modules that a source names in its imports, as `from room.module import name` or `from room import module`."""
    found = set()
    for module, names in IMPORT.findall(source):  # which takes a tenth of the time that it takes to parse it
        is_room = hasattr(importlib.import_module(module), "__path__")
        words = [name.split()[0] for name in names.strip("()").split(",") if name.strip()]
        found.update("%s.%s" % (module, name) for name in words) if is_room else found.add(module)
    return found


def packages_of(modules: Iterable[str]) -> list:
    """The packages that modules are in, by their full names."""
    names = [module.split(".") for module in modules]
    return sorted({".".join(parts[:end]) for parts in names for end in range(1, len(parts))})


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def main() -> None:
    """Ends what was left behind in a folder, once nobody is at work there; or does what a person typed."""
    root = sys.argv[1]
    if len(sys.argv) > 2:
        return console.main(sys.argv[1:])
    with step(root, patience=None):
        if Journal(Site("", root, "")).read() is None:
            return
        sys.stdout.write(recover(Site("", root, "")) + "\n")
