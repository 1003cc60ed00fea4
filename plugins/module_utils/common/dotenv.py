# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A .env file: read as python-dotenv reads it, written so that a POSIX shell reads the same.

Both understand quotes, but not alike. Single quotes are literal for a shell; python-dotenv replaces
\\\\, \\' and ${NAME} in them. In double quotes the shell expands every $ and `, and python-dotenv
knows \\n and \\r, but neither \\$ nor \\`. What both agree on:

- an unset parameter's default, ${99:-$}, is one $ that nobody expands any further;
- ${99-x} is x for a shell, and a variable of the strange name "99-x" for python-dotenv: nothing;
- ${PWD%%[!'}x${']*} is the opposite: two strange names around an x for python-dotenv; for a shell
  the working directory without its longest end that begins with none of the quoted characters:
  nothing.
"""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

BLANK = re.compile(r"\s*")
EXPORT = re.compile(r"(?:export[^\S\r\n]+)?")
KEY = re.compile(r"'[^']+'|[^'=#\s][^=#\s]*|(?=#)")
EQUALS = re.compile(r"[^\S\r\n]*(?:=[^\S\r\n]*)?")
VALUE = re.compile(r"""'(?:\\'|[^'])*'|"(?:\\"|[^"])*"|[^\r\n'"][^\r\n]*|""")
INLINE_COMMENT = re.compile(r"\s+#.*")
END = re.compile(r"(?:[^\S\r\n]*#[^\r\n]*)?[^\S\r\n]*(?:\r\n|\n|\r|$)")
REST = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)?")
NEWLINE = re.compile(r"\r\n?")
ESCAPES = {"'": re.compile(r"\\[\\']"), '"': re.compile(r"\\[\\'\"abfnrtv]")}
VARIABLE = re.compile(r"\$\{(?P<name>[^}:]*)(?::-(?P<default>[^}]*))?\}")

ASSIGNMENT = re.compile(r"(?:export[ \t]+)?[A-Za-z_][A-Za-z0-9_]*=")
BARE = re.compile(r"[A-Za-z0-9_./:@%+,=-]+")
PLAIN = re.compile(r"""[A-Za-z0-9_./:@%+,=-]*|'[^'\\$\r]*'|"[^"\\$`\r]*\"""")
NOT_IN_SINGLE_QUOTES = re.compile(r"'|\\\\|\\$|\$\{|\r")
IN_DOUBLE_QUOTES = {
    "\\": "\\\\",
    '"': '\\"',
    "$": "${99:-$}",
    "`": "${99-\\`}${PWD%%[!'}`${']*}",
    "\r": "${99-\r}${PWD%%[!'}\\r${']*}",
}


class Line(NamedTuple):
    """One statement, comment or unreadable line; its parts joined are its text."""

    before: str  # blank lines and indentation
    prefix: str  # up to the value: export KEY=
    key: str
    value: str | None  # as it is written, with its quotes
    after: str  # comment and end of line

    def text(self) -> str:
        return self.before + self.prefix + (self.value or "") + self.after


class Scanner:
    """Takes one pattern after the other from a text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def take(self, pattern: re.Pattern) -> str:
        match = pattern.match(self.text, self.position)
        if match is None:
            raise ValueError
        self.position = match.end()
        return match.group()


def parse(text: str) -> list[Line]:
    """The lines of a file, by python-dotenv's grammar."""
    scanner, lines = Scanner(text), []
    while scanner.position < len(text):
        start = scanner.position
        try:
            lines.append(_statement(scanner))
        except ValueError:
            scanner.take(REST)
            lines.append(Line("", text[start:scanner.position], "", None, ""))
    return lines


def _statement(scanner: Scanner) -> Line:
    before = scanner.take(BLANK)
    if scanner.position == len(scanner.text):
        return Line(before, "", "", None, "")
    export, key, equals = scanner.take(EXPORT), scanner.take(KEY), scanner.take(EQUALS)
    written = scanner.take(VALUE) if "=" in equals else ""
    value = written
    if written[:1] not in ESCAPES:
        value = INLINE_COMMENT.sub("", written).rstrip()
    after = written[len(value):] + scanner.take(END)
    name = NEWLINE.sub("\n", key[1:-1]) if key[:1] == "'" else key
    return Line(before, export + key + equals, name, value if "=" in equals else None, after)


def read(text: str) -> dict[str, str]:
    """Each key's value as python-dotenv returns it in an empty environment."""
    found = {}
    for line in parse(text):
        if line.key:
            found[line.key] = None if line.value is None else VARIABLE.sub(
                lambda match: found.get(match["name"], match["default"]) or "", unquoted(line.value)
            )
    return {key: value for key, value in found.items() if value is not None}


def unquoted(written: str) -> str:
    """A value without its quotes and escapes."""
    written = NEWLINE.sub("\n", written)
    if written[:1] not in ESCAPES:
        return written
    escapes = ESCAPES[written[0]]
    return escapes.sub(lambda match: codecs.decode(match.group(), "unicode-escape"), written[1:-1])


def quote(value: str) -> str:
    """A value in the plainest form that python-dotenv and a shell read alike."""
    if BARE.fullmatch(value):
        return value
    if not NOT_IN_SINGLE_QUOTES.search(value):
        return "'%s'" % value
    quoted = "".join(IN_DOUBLE_QUOTES.get(character, character) for character in value)
    # python-dotenv takes a quote after a backslash for an escaped one, however many there are
    return '"%s%s"' % (quoted, "${99:-}" if value.endswith("\\") else "")


def edit(text: str, wanted: dict[str, str], absent: list[str]) -> str:
    """The text with these keys present or absent; every other line as it was."""
    lines = parse(text)
    rest = {key: value for key, value in wanted.items() if not _holds(lines, key, value)}
    gone, result = set(absent), []
    for line in lines:
        if line.key in gone:
            result.append(line.before[:line.before.rfind("\n") + 1])
        elif line.key in rest:
            result.append(_assign(line, rest.pop(line.key)))
            gone.add(line.key)  # of a key that is there twice, the first place keeps it
        else:
            result.append(line.text())
    text = "".join(result)
    newline = "\n" if rest and text and not text.endswith("\n") else ""
    return text + newline + "".join("%s=%s\n" % (key, quote(value)) for key, value in rest.items())


def _holds(lines: list[Line], key: str, value: str) -> bool:
    """Whether the line that counts already gives this value to both readers."""
    line = next((line for line in reversed(lines) if line.key == key), None)
    if line is None or line.value is None or not ASSIGNMENT.fullmatch(line.prefix) or "\r" in line.after:
        return False
    plain = PLAIN.fullmatch(line.value) is not None
    return line.value == quote(value) or (plain and unquoted(line.value) == value)


def _assign(line: Line, value: str) -> str:
    """The line with another value; its comment stays."""
    export = "export " if EXPORT.match(line.prefix).group() else ""
    comment = line.after.rstrip() if "#" in line.after else ""
    return "%s%s%s=%s%s\n" % (line.before, export, line.key, quote(value), comment)
