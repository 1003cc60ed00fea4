# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must not be shown: the secrets of a .env, in whatever form they leak."""

from __future__ import annotations

import json
import re
from urllib.parse import unquote, unquote_plus

SECRET_KEY = re.compile("pass|pwd|secret|token|key|credential", re.IGNORECASE)
PUBLIC = ("localhost", "127.0.0.1", "production", "development", "testing", "default")


def secrets_of(environment: dict, public: tuple) -> list:
    """The values of .env that no output may show, the longest first: one may be a part of another.

    Short and well-known values, and parts of what the task itself names, are no secrets.
    """
    found = set()
    for key, value in environment.items():
        least = 3 if SECRET_KEY.search(key) else 6
        parts = {part for part in [value] + value.splitlines() if len(part) >= least}
        parts |= {part for part in passwords(value) if len(part) >= 3}
        found |= {part for part in parts - set(PUBLIC) if not any(part in text for text in public)}
    return sorted(found, key=len, reverse=True)


def pattern_of(secrets: list) -> re.Pattern:
    """What finds them; nothing where there are none."""
    return re.compile("|".join(map(spellings, secrets)) or "(?!)", re.IGNORECASE)


def passwords(value: str) -> list:
    """The password in a URL as it is there and as it is meant, if the value is a URL."""
    found = re.search(r"://[^/:@]*:(.+)@", value)
    return [found.group(1), unquote(found.group(1)), unquote_plus(found.group(1))] if found else []


def spellings(secret: str) -> str:
    """A pattern for a secret as it is, as a part of a URL, and escaped by Python or JSON, however often."""
    return "".join(map(_spellings, secret))


def _spellings(character: str) -> str:
    if character == "\\":
        return r"(?:\\+|%5C)"
    escapes = {form for form in (repr(character)[1:-1], json.dumps(character)[1:-1]) if form[0] == "\\"}
    forms = [re.escape(form).replace(r"\\", r"\\+") for form in escapes]
    forms += ["".join("%%%02X" % byte for byte in character.encode("utf-8"))]
    forms += [r"\+"] if character == " " else ["%%"] if character == "%" else []
    return r"(?:\\*(?:%s))" % "|".join(forms + [re.escape(character)])
