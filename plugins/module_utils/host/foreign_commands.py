# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command as somebody has written it for a shell of his own, and what is left of it where this collection runs it."""

from __future__ import annotations

import os
import re

SHELL = re.compile(r"^(?:\S*/)?(?:ba|da)?sh\s+-\w*c\s+([\"'])(.*)\1\s*$", re.S)
AWAY = re.compile(r"^\s*(?:cd\s+[^&;]+|(?:source|\.)\s+\S*activate)\s*(?:&&|;)\s*")  # where it runs anyway
OUTPUT = re.compile(r"\s*(?:\d?&?>>?|>>?&)\s*(?:&\d|\S+)(?=\s|$)")
PROGRAMS = re.compile(r"(?<![\w./-])[\"']?[\w./~$-]*/bin/(?=[\w.-]+)")
SECRET = re.compile(r"pass|pwd|secret|token|key|auth|credential|login|^-[pP]$", re.I)
USER = re.compile(r"^(?:-u|--user(?:name)?)$", re.I)  # with a password if there is a colon; python -u has a file
URL = re.compile(r"://[^/\s@]*@")
HIDDEN = "…"
END = re.compile(r"[;&|]")
NO_NAME = re.compile("[=:@%s]" % HIDDEN)
PREFIXES = ("flask", "python", "python3", "env", "sh", "bash")  # which say nothing of what a job does


def bare(command: str) -> str:
    """Without the folder, the environment and the output that it gets here by itself."""
    found = SHELL.match(command)
    text = found.group(2) if found else command
    while AWAY.match(text):
        text = AWAY.sub("", text, count=1)
    return " ".join(PROGRAMS.sub("", OUTPUT.sub("", text)).split())


def shown(command: str) -> str:
    """The same for a person, without what may be a secret."""
    words, hides = [], False
    for word in bare(command).split():
        name, sign, value = word.partition("=")
        hides = hides or ":" in word and bool(words) and bool(USER.match(words[-1]))
        hides_value = sign and (not word.startswith("-") or SECRET.search(name) or USER.match(name) and ":" in value)
        if hides or hides_value:
            words.append(name + sign + HIDDEN if sign and not hides else HIDDEN)
        else:
            words.append(URL.sub("://%s@" % HIDDEN, word))
        hides = not sign and word.startswith("-") and bool(SECRET.search(word)) and not hides
    return " ".join(words)


def name_of(command: str) -> str:
    """What a job could be called, by the words before its first long option or what may be a secret."""
    names = []
    for word in END.split(shown(command))[0].split():
        may_be_secret = NO_NAME.search(word) or word.startswith("--")
        if names and may_be_secret:
            break
        is_name = not may_be_secret and word[0] not in "-'\"$"
        name = re.sub(r"\.(py|sh)$", "", os.path.basename(word))
        if is_name and name not in PREFIXES and not name.isdigit():
            names.append(name)
    return re.sub(r"[^a-z0-9_-]+", "-", "-".join(names[:3]).lower())[:30].lstrip("-_0123456789").rstrip("-_") or "job"
