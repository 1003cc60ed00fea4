# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate of an old installation, which the new one's visitors get until that has asked for its own."""

from __future__ import annotations

import os
import stat
import time
from typing import NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.certificate.certificate import (
    CertificateError,
    Pair,
    belongs,
    blocks,
    check,
    is_self_signed,
)

LIMIT = 1 << 18  # bytes of a file that is read as a certificate or a key
MOVED = "The certificate in %s, until %s, is served until the new one has been asked for."
LEFT = (
    "The certificate in %s is not moved: %s Visitors get a self-signed one, which browsers warn of, from the move until the new "
    "one has been asked for, at the end of the run."
)
OWN = "The certificate in %s is not moved: flask_tls says where the new one's comes from."
SELF_SIGNED = "It is self-signed."
NO_KEY = "No key of its site belongs to it."


class Legacy(NamedTuple):
    """What becomes of the old certificate."""

    pair: Pair | None = None  # with its key, a secret
    note: str = ""


def find_legacy(paths: list, names: list) -> Legacy:
    """Of a site's certificates and keys, the pair that is good for these names today; without names, none is wanted."""
    texts = {path: read_text(path) for path in dict.fromkeys(paths)}
    certificates = [path for path, text in texts.items() if blocks(text)] or [path for path in texts if "key" not in path]
    if not certificates:
        return Legacy()
    if not names:
        return Legacy(note=OWN % ", ".join(certificates))
    problems = {path: "" for path in certificates}
    for path in certificates:
        try:
            pair = Pair(texts[path], key_of(texts, path))
            facts = check(pair, names, time.time())
            if not is_self_signed(facts):
                return Legacy(pair, MOVED % (path, facts.ends()))
            problems[path] = SELF_SIGNED
        except CertificateError as error:
            problems[path] = str(error)
    return Legacy(note=" ".join(LEFT % about for about in problems.items()))


def key_of(texts: dict, certificate: str) -> str:
    """The key that is a certificate's; CertificateError where none is."""
    for text in texts.values():
        try:
            if belongs(Pair(texts[certificate], text)):
                return text
        except (CertificateError, IndexError):
            continue  # it is no key
    raise CertificateError(NO_KEY)


def read_text(path: str) -> str:
    """A file that the proxy reads as root, too; empty where it is none that a certificate or a key could be."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with open(descriptor, encoding="ascii") as file:
            return file.read(LIMIT) if stat.S_ISREG(os.fstat(descriptor).st_mode) else ""
    except (OSError, ValueError):
        return ""
