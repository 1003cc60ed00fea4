# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a checked out version of an application: nothing is run, and nothing is read from outside of it.

Root reads here what a repository says, and shows it to a person.
"""

from __future__ import annotations

import codecs
import os
from typing import NamedTuple

ENCODINGS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class Tree(NamedTuple):
    """A checked out repository, and the application's folder in it."""

    top: str
    folder: str


def printable(text: str) -> str:
    """A text on one line, with nothing that a terminal would obey."""
    return "".join(character if character.isprintable() else " " for character in text).strip()


def read_inside(tree: Tree, path: str) -> str | None:
    """A file of a tree; None where there is none, or where it is outside by a link or by `..`."""
    real = os.path.realpath(path)
    if not real.startswith(os.path.realpath(tree.top) + os.sep) or not os.path.isfile(real):
        return None
    with open(real, "rb") as file:
        return decode(file.read())


def decode(content: bytes) -> str:
    """A file's text, whichever editor has written it: with Windows' UTF-16 or line ends, too."""
    encoding = next((name for mark, name in ENCODINGS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = content.decode("utf-16", "replace") if encoding == "utf-16" else content.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")
