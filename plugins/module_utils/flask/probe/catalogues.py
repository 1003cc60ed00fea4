# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The translations of an application: which are not compiled as they are, and their compilation.

Part of what is sent to the application's own interpreter; see questions.
"""

from __future__ import annotations

import gettext
import io
import os

from ansible_collections.selfhost.flask.plugins.module_utils.flask.probe.commands import has_command


def translations(catalogues: list, command: list) -> dict:
    """The catalogues that are not compiled as they are; whether the application has the command."""
    stale, skipped = [], []
    for path in catalogues:
        state = _catalogue(path)
        stale += [path] if state == "stale" else []
        skipped += [path] if state == "skipped" else []
    return {"stale": stale, "skipped": skipped, "available": bool(stale and command) and has_command(command)}


def _catalogue(path: str) -> str:
    """Whether the compiled catalogue has the texts of its source: current, stale or skipped."""
    compiled = os.path.splitext(path)[0] + ".mo"
    try:
        from babel.messages.pofile import read_po
    except ImportError:  # something else compiles them: the times have to do
        found = os.path.exists(compiled) and os.path.getmtime(compiled) >= os.path.getmtime(path)
        return "current" if found else "stale"
    with open(path, "rb") as file:
        source = read_po(file)
    if not os.path.exists(compiled):
        return "skipped" if source.fuzzy else "stale"
    with open(compiled, "rb") as file:
        texts = _texts(file.read())
    return "current" if texts in [_compiled_texts(source, fuzzy) for fuzzy in (False, True)] else "stale"


def _compiled_texts(source: object, use_fuzzy: bool) -> dict | None:
    from babel.messages.mofile import write_mo

    buffer = io.BytesIO()
    write_mo(buffer, source, use_fuzzy=use_fuzzy)
    return _texts(buffer.getvalue())


def _texts(compiled: bytes) -> dict | None:
    """What a compiled catalogue translates, without its header, which has dates in it."""
    try:
        texts = dict(gettext.GNUTranslations(io.BytesIO(compiled))._catalog)
    except (OSError, ValueError, LookupError):
        return None
    texts.pop("", None)
    return texts


def compile_catalogues(catalogues: list) -> dict:
    """Compiles catalogues without the application; which of them, or none where babel is not installed."""
    try:
        from babel.messages.mofile import write_mo
    except ImportError:
        return {"compiled": []}
    for path in catalogues:
        with open(path, "rb") as source, open(os.path.splitext(path)[0] + ".mo", "wb") as target:
            write_mo(target, _read_catalogue(source, path))
    return {"compiled": catalogues}


def _read_catalogue(source: object, path: str) -> object:
    """In the language that its folder is named after, whose plurals it has."""
    from babel.core import UnknownLocaleError
    from babel.messages.pofile import read_po

    language = os.path.basename(os.path.dirname(os.path.dirname(os.path.abspath(path))))
    try:
        return read_po(source, language)
    except (UnknownLocaleError, ValueError):
        source.seek(0)
        return read_po(source)
