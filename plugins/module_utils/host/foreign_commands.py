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
SECRET = re.compile(r"pass|pwd|secret|token|key|auth|credential|^-[pP]$", re.I)
URL = re.compile(r"://[^/\s@]*@")
HIDDEN = "…"
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
        name, sign, dummy = word.partition("=")
        if hides or (sign and (not word.startswith("-") or SECRET.search(name))):
            words.append(name + sign + HIDDEN if sign and not hides else HIDDEN)
        else:
            words.append(URL.sub("://%s@" % HIDDEN, word))
        hides = not sign and word.startswith("-") and bool(SECRET.search(word)) and not hides
    return " ".join(words)


def name_of(command: str) -> str:
    """What a job could be called."""
    words = [re.sub(r"\.(py|sh)$", "", os.path.basename(word)) for word in bare(command).split() if word[0] not in "-'\"$"]
    words = [word for word in words if word not in PREFIXES and "=" not in word and not word.isdigit()]
    return re.sub(r"[^a-z0-9_-]+", "-", "-".join(words[:3]).lower())[:30].lstrip("-_0123456789").rstrip("-_") or "job"
