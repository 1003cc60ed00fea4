# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The database migrations of an application's version, read without running them, and how those of two differ."""

from __future__ import annotations

import ast
import contextlib
import os
from typing import Iterable, NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.common.tree import Tree, printable, read_inside

REVISION_NAMES = ("revision", "down_revision", "depends_on")


class Revision(NamedTuple):
    """A database migration, and the ones that it builds upon."""

    name: str
    parents: tuple
    message: str
    file: str


def revisions(tree: Tree | None, migrations: str) -> tuple[dict, list[str]]:
    """The migrations of a tree by their revision, and the files that can't be read as Python."""
    found, unreadable = {}, []
    folder = os.path.join(tree.folder, migrations, "versions") if tree and migrations else ""
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        text = read_inside(tree, os.path.join(folder, name)) if name.endswith(".py") else None
        file = printable(os.path.relpath(os.path.join(folder, name), tree.folder))
        try:
            revision = None if text is None else read_revision(text, file)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            unreadable.append(file)
            continue
        if revision:
            found[revision.name] = revision
    return found, unreadable


def are_for_each_bind(tree: Tree, migrations: str) -> bool:
    """Whether each of several databases has a revision of its own, as `flask db init --multidb` makes the migrations."""
    return "SQLALCHEMY_BINDS" in (read_inside(tree, os.path.join(tree.folder, migrations, "env.py")) or "")


def read_revision(text: str, file: str) -> Revision | None:
    """What a migration's source says about it; None where it is no migration."""
    source = ast.parse(text)
    values = assigned(source)
    if not isinstance(values.get("revision"), str):
        return None
    message = (ast.get_docstring(source) or "").partition("\n")[0]
    parents = sequence(values.get("down_revision")) + sequence(values.get("depends_on"))
    return Revision(printable(values["revision"]), parents, printable(message), file)


def assigned(source: ast.Module) -> dict:
    """The values of those names that place a migration among the others."""
    found = {}
    for node in source.body:
        targets = getattr(node, "targets", [getattr(node, "target", None)])
        names = [target.id for target in targets if isinstance(target, ast.Name) and target.id in REVISION_NAMES]
        if names and isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            with contextlib.suppress(ValueError, TypeError):
                found.update(dict.fromkeys(names, ast.literal_eval(node.value)))
    return found


def sequence(value: object) -> tuple:
    """None, one name or several as a tuple."""
    several = value if isinstance(value, (tuple, list, set)) else [value]
    return tuple(printable(item) for item in several if isinstance(item, str))


def heads(known: dict) -> list[str]:
    """The revisions that no other one builds upon."""
    parents = {parent for revision in known.values() for parent in revision.parents}
    return sorted(set(known) - parents)


def ancestry(known: dict, names: Iterable[str]) -> set[str]:
    """These revisions and all that lead to them."""
    found, waiting = set(), list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(known[name].parents if name in known else ())
    return found


def in_order(known: dict, names: Iterable[str]) -> list[str]:
    """Revisions in the order in which they can be applied."""
    ordered, waiting = [], set(names)
    while waiting:
        ready = sorted(name for name in waiting if not waiting.intersection(known[name].parents))
        ordered += ready or sorted(waiting)  # those that wait for each other: as they are
        waiting -= set(ready or waiting)
    return ordered


def compare_revisions(before: dict, after: dict, present: list[str]) -> dict:
    """What an upgrade would apply to a database, and what of it the new tree does not know.

    The old tree says what leads to a revision that the new one lacks.
    """
    known = {name: Revision(name, (), "", "") for name in present}
    known.update(before)
    known.update(after)
    done = ancestry(known, present)
    undone = in_order(known, done.intersection(known) - set(after))
    return dict(
        pending=[described(known[name]) for name in in_order(known, set(after) - done)],
        undone=[described(known[name]) for name in reversed(undone)],
    )


def described(revision: Revision) -> dict:
    return dict(revision=revision.name, message=revision.message, file=revision.file)
