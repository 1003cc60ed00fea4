# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the stack: which roles there are for each kind, and which of them are chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader

COLLECTION = "selfhost.flask."
ROLES = Path(__file__).resolve().parents[2] / "roles"
DECLARATION = "vars/part.yml"
WRONG = "%s is '%s'. Set it to %s."

# Which variable chooses the parts of each kind, in the order in which others loop over them.
CHOICES = {
    "server": "flask_wsgi_server",
    "process": "flask_process_manager",
    "database": "flask_database",
    "proxy": "flask_web_server",
    "mail": "flask_mail_server",
    "companion": "flask_services",
}
SWITCHES = {"mail": "flask_mail_enabled"}


class Part(NamedTuple):
    """A role that declares what the others need to know of it."""

    name: str
    folder: Path
    declaration: dict

    @property
    def choice(self) -> str:
        """What one writes to choose it: the role's name, unless it declares another one."""
        return self.declaration.get("name", self.name)

    @property
    def role(self) -> str:
        """What include_role finds it by."""
        return COLLECTION + self.name if self.folder.parent == ROLES else str(self.folder)


class Parts:
    """The parts that a host can have, as its variables say."""

    def __init__(self, loader: DataLoader, variables: Mapping[str, Any], evaluate: Callable[[Any], Any]) -> None:
        self.loader = loader
        self.variables = variables
        self.evaluate = evaluate

    def find_chosen(self, kind: str) -> list[Part]:
        """The parts of a kind that are in use; an error for one that there is not."""
        problems = list(self.find_problems(kind))
        if problems:
            raise AnsibleError(" ".join(problems))
        return [self._find(kind, name) for name in self.names(kind)]

    def find_known(self, kind: str) -> list[Part]:
        """All parts of a kind that there are roles for, whether they are in use or not."""
        parts = filter(None, map(self._read, self._known_names()))
        return [part for part in parts if part.declaration.get("kind") == kind]

    def find_problems(self, kind: str) -> Iterator[str]:
        """What is wrong with the choice of a kind, and what to set."""
        for name in self.names(kind):
            if not self._find(kind, name):
                yield WRONG % (CHOICES[kind], name, self._shown(kind))

    def names(self, kind: str) -> list[str]:
        """The names of the roles that are chosen for a kind."""
        if kind in SWITCHES and not self._value(SWITCHES[kind]):
            return []
        chosen = self._value(CHOICES[kind])
        return list(chosen) if isinstance(chosen, (list, tuple)) else [chosen]

    def _value(self, name: str) -> Any:
        return self.evaluate(self.variables[name])

    def _shown(self, kind: str) -> str:
        """The names that would have been right."""
        right = sorted(part.choice for part in self.find_known(kind))
        if not right:
            return "nothing: there is none"
        return right[0] if len(right) == 1 else "%s or %s" % (", ".join(right[:-1]), right[-1])

    def _known_names(self) -> list[str]:
        return sorted({path.parents[1].name for folder in self._folders() for path in folder.glob("*/" + DECLARATION)})

    def _folders(self) -> list[Path]:
        """Where roles are: the collection's, and those beside the inventory, the playbook and in ansible's path."""
        own = [self.variables.get("inventory_dir"), self.loader.get_basedir()]
        return [ROLES, *(Path(folder, "roles") for folder in own if folder), *map(Path, C.DEFAULT_ROLES_PATH)]

    def _find(self, kind: str, name: Any) -> Part | None:
        """The part of a kind that is chosen by a name; mostly its role has the same."""
        part = self._read(name)
        if part and part.declaration.get("kind") == kind and part.choice == name:
            return part
        return next((part for part in self.find_known(kind) if part.choice == name), None)

    def _read(self, name: Any) -> Part | None:
        """The part that a role declares."""
        if not isinstance(name, str) or "/" in name:
            return None
        for folder in self._folders():
            path = folder / name / DECLARATION
            if path.is_file():
                return Part(name, folder / name, read(self.loader, path))
        return None


def read(loader: DataLoader, path: Path) -> dict:
    """A file of variables, whose texts may be templates; it is read once by each process, and nobody changes it."""
    return (loader.load_from_file(str(path), unsafe=True, trusted_as_template=True) or {}) if path.is_file() else {}
