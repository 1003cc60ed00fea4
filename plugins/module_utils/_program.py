# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deployment leaves on the host, so that it can be ended there without Ansible."""

from __future__ import annotations

import ast
import importlib
import io
import os
import sys
import zipfile

from ansible_collections.selfhost.flask.plugins.module_utils._files import write_file
from ansible_collections.selfhost.flask.plugins.module_utils._lock import step
from ansible_collections.selfhost.flask.plugins.module_utils._site import Site
from ansible_collections.selfhost.flask.plugins.module_utils._transaction import Journal, recover

PACKAGE = "ansible_collections.selfhost.flask.plugins.module_utils"
MAIN = "from %s._program import main\n\nmain()\n" % PACKAGE
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
        for folder in packages():
            archive.writestr(zipfile.ZipInfo(folder + "/__init__.py", EPOCH), "")
        for name, source in sorted(imported_by(main).items()):
            archive.writestr(zipfile.ZipInfo("%s/%s.py" % (PACKAGE.replace(".", "/"), name), EPOCH), source)
    return buffer.getvalue()


def imported_by(main: str) -> dict:
    """The sources of the package's modules that a program imports, each with those that they import, by their names."""
    found, waiting = {}, imports_of(main)
    while waiting:
        name = waiting.pop()
        if name not in found:
            module = importlib.import_module("%s.%s" % (PACKAGE, name))
            found[name] = module.__loader__.get_source(module.__name__)
            waiting |= imports_of(found[name])
    return found


def imports_of(source: str) -> set:
    """The package's modules that a source names in its imports."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        module = getattr(node, "module", None) if isinstance(node, ast.ImportFrom) else None
        if module == PACKAGE:
            found.update(alias.name for alias in node.names)
        elif module and module.startswith(PACKAGE + "."):
            found.add(module[len(PACKAGE) + 1:])
    return found


def packages() -> list:
    """The folders that the package's name consists of."""
    names = PACKAGE.split(".")
    return ["/".join(names[:end]) for end in range(1, len(names) + 1)]


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def main() -> None:
    """Waits until nobody is at work on the application in a folder, and ends what was left behind."""
    root = sys.argv[1]
    with step(root, patience=None):
        if Journal(Site("", root, "")).read() is None:
            return
        sys.stdout.write(recover(Site("", root, "")) + "\n")
