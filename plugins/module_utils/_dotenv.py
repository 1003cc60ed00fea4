# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A .env file: its assignments among everything else that it holds.

A value is written so that python-dotenv, which expands ``${NAME}`` in every kind of quotes, and a POSIX
shell, which expands ``$NAME`` outside of single quotes, both read it back unchanged:

* in single quotes where neither of them sees anything special in it;
* otherwise in double quotes, with a backslash before ``\\`` and ``"`` and with ``${_dollar_:-$}`` for
  ``$``: both take the default of a variable that is not set, and neither expands the result again.
"""

from __future__ import annotations

import re

PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,-]+")
KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
DOLLAR, NOTHING = "${_dollar_:-$}", "${_dollar_:-}"
ASSIGNMENT = re.compile(
    r"""[ \t]*(?P<export>export[ \t]+)?(?P<key>[A-Za-z_][A-Za-z0-9_.]*)[ \t]*=[ \t]*
    (?:'(?P<single>(?:\\'|[^'])*)'|"(?P<double>(?:\\"|[^"])*)"|(?P<plain>[^\r\n]*))
    [^\r\n]*(?:\r\n|\r|\n|$)""",
    re.VERBOSE,
)


class DotenvError(Exception):
    """A key or a value that a .env file can't hold."""


class Piece:
    """A part of the file: an assignment, or with an empty key anything else."""

    def __init__(self, text: str, key: str = "", value: str = "", export: str = "") -> None:
        self.text = text
        self.key = key
        self.value = value
        self.export = export


def quoted(key: str, value: str) -> str:
    """The value as it stands in the file."""
    if PLAIN.fullmatch(value):
        return value
    if "\r" in value or "\0" in value:
        raise DotenvError("The value of %s has a carriage return or a null byte, which .env can't hold." % key)
    if not re.search(r"'|\\\\|\\$|\$\{", value):
        return "'%s'" % value
    if "`" in value:
        raise DotenvError(
            "The value of %s has a backtick together with a quote, a backslash or '${'. No form of it is read "
            "alike by a shell and by python-dotenv. Choose another value." % key
        )
    escaped = re.sub(r'([\\"])', r"\\\1", value).replace("$", DOLLAR)
    return '"%s%s"' % (escaped, NOTHING if escaped.endswith("\\") else "")


def _value(match: re.Match) -> str:
    if match["single"] is not None:
        return re.sub(r"\\([\\'])", r"\1", match["single"])
    if match["double"] is not None:
        value = re.sub(r'\\([\\"])', r"\1", match["double"])
        return value.replace(DOLLAR, "$").replace(NOTHING, "")
    return re.sub(r"\s+#.*", "", match["plain"]).rstrip()


def parse(text: str) -> list[Piece]:
    """The pieces of a file; put together they are the file."""
    pieces, position = [], 0
    while position < len(text):
        match = ASSIGNMENT.match(text, position)
        if match:
            pieces.append(Piece(match.group(), match["key"], _value(match), match["export"] or ""))
        else:
            line = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)").match(text, position)
            pieces.append(Piece(line.group()))
        position += len(pieces[-1].text)
    return pieces


def update(text: str, values: dict[str, str], absent: list[str]) -> str:
    """The file with the values set and the absent keys gone; a key that stands twice is left once."""
    rest, kept = dict(values), []
    for piece in reversed(parse(text)):  # the last assignment of a key is the one that counts
        if piece.key in absent or piece.key in values and piece.key not in rest:
            continue
        if piece.key in rest:
            value = rest.pop(piece.key)
            if value != piece.value:
                piece.text = "%s%s=%s\n" % (piece.export, piece.key, quoted(piece.key, value))
        kept.append(piece.text)
    kept.reverse()
    if rest and kept and not kept[-1].endswith("\n"):
        kept.append("\n")
    return "".join(kept + ["%s=%s\n" % (key, quoted(key, value)) for key, value in rest.items()])
