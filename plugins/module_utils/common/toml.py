# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TOML on every host: by Python itself, or where that is older than 3.11, by the reader that Debian's pip brings."""

from __future__ import annotations

import glob
import importlib
import sys
from types import ModuleType

WHEELS = "/usr/share/python-wheels/pip-*.whl"
READERS = ("tomllib", "tomli", "pip._vendor.tomli")


class TomlError(Exception):
    """Why a text can't be read."""


def parse_toml(text: str) -> dict:
    """What a text says; TomlError where it is no TOML."""
    reader = find_reader()
    try:
        return reader.loads(text)
    except ValueError as error:
        raise TomlError(str(error)) from error


def find_reader() -> ModuleType:
    """The first reader that this Python has."""
    for name in READERS:
        wheels = glob.glob(WHEELS) if name.startswith("pip.") else []
        sys.path[:0] = wheels
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
        finally:
            del sys.path[:len(wheels)]
    raise TomlError("this host has no reader for TOML. Install the package python3-pip-whl")
