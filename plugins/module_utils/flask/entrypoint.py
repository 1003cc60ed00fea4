# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads an application's source, without running it, to see whether an entrypoint can be right."""

from __future__ import annotations

import ast
import os
import re
from typing import Iterable, Iterator


class EntrypointError(Exception):
    """Why an entrypoint can't be imported, and what to set."""


def check_entrypoint(entrypoint: str, folder: str, written: Iterable[str] = ()) -> None:
    """Raises EntrypointError where the module or the name does not exist in the source.

    What a module defines that is among the paths of files written later is not known yet.
    """
    module, dummy, attribute = entrypoint.partition(":")
    if not set(module_paths(module)).isdisjoint(map(os.path.normpath, written)):
        return
    source = module_source(module, folder)
    if source is None:
        raise EntrypointError(
            "flask_entrypoint is '%s', but the repository has neither %s.py nor %s/__init__.py. "
            "Set flask_entrypoint to 'module:application' as gunicorn takes it, or write this file by flask_config_files."
            % (entrypoint, module.replace(".", "/"), module.replace(".", "/"))
        )
    name = re.match(r"\w*", attribute).group()
    found = defined_names(source)
    if name not in found and "*" not in found:
        raise EntrypointError(
            "flask_entrypoint is '%s', but %s defines no '%s'; it defines %s. "
            "Set flask_entrypoint to the application or to a factory such as '%s:create_app()'."
            % (entrypoint, os.path.relpath(source, folder), name, ", ".join(sorted(found)) or "nothing", module)
        )


def module_paths(module: str) -> list[str]:
    """Where the file of a dotted module name may be, also in `src`, from where a project is installed."""
    paths = [os.path.join(place, *module.split(".")) for place in ("", "src")]
    return [name for path in paths for name in (path + ".py", os.path.join(path, "__init__.py"))]


def module_source(module: str, folder: str) -> str | None:
    """The file of a dotted module name, or None."""
    candidates = (os.path.join(folder, name) for name in module_paths(module))
    return next(filter(os.path.isfile, candidates), None)


def defined_names(source: str) -> set:
    """What a module binds at its level; '*' where it imports all of another."""
    with open(source, "rb") as file:
        text = file.read()
    try:
        return set(_bound([ast.parse(text)]))
    except (SyntaxError, ValueError):
        return {"*"}  # it may be written for a newer Python than the one that reads it here


def _bound(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """The names that statements bind, also those in their branches; a function's own are not among them."""
    for node in nodes:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
            for inner in ast.walk(node):
                yield from inner.names if isinstance(inner, ast.Global) else ()
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from ((alias.asname or alias.name).split(".")[0] for alias in node.names)
        yield from _bound(ast.iter_child_nodes(node))
