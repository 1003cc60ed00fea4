# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads configurations of nginx without it."""

from __future__ import annotations

import shlex


def blocks(text):
    """nginx's blocks as nested lists; a directive is a list of its words."""
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    assert [line for line in lines if line and line[-1] not in ";{}"] == []
    lexer = shlex.shlex(text, posix=True, punctuation_chars="{};")
    lexer.whitespace_split, lexer.commenters = True, "#"
    stack, words = [[]], []
    for token in lexer:
        if token not in ("{", ";", "}"):
            words.append(token)
            continue
        if token == "}":
            assert not words, "no ; after %s" % " ".join(words)
            stack.pop()
        else:
            stack[-1].append(words)
            if token == "{":
                words.append([])
                stack.append(words[-1])
            words = []
    assert len(stack) == 1 and not words
    return stack[0]


def found_in(block, *names):
    return [directive[1:] for directive in block if tuple(directive[: len(names)]) == names]
