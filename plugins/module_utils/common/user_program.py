# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that the application's user runs in the system's own interpreter: root opens none of that user's files."""

from __future__ import annotations

from types import ModuleType

PROGRAM = """
import sys, types
sources = %r
for name, source in sources:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(source, name.rpartition(".")[2] + ".py", "exec"), module.__dict__)
module.main()
"""


def program_of(*modules: ModuleType) -> str:
    """The last module's main(), with all that it imports of the collection before it."""
    return PROGRAM % [(module.__name__, module.__loader__.get_source(module.__name__)) for module in modules]


def user_argv(modules: tuple, *arguments: str) -> list:
    """The command that runs such a program."""
    return ["/usr/bin/python3", "-I", "-c", program_of(*modules), *arguments]
