# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a variable's value is what its role's argument specification wants, in one line."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from ansible.module_utils.common.parameters import DEFAULT_TYPE_VALIDATORS

KINDS = {
    "bool": "true or false",
    "dict": "keys with values",
    "int": "a whole number",
    "list": "a list",
    "path": "a path",
    "str": "a text, in quotes",
}
LONGEST = 60


def needs_look(value: Any, option: dict) -> bool:
    """Whether a value may be wrong: nearly everything is a text, and to evaluate it may cost a program's run."""
    return option["type"] not in ("str", "path") or "choices" in option or not isinstance(value, str)


def find_problems(name: str, value: Any, option: dict) -> Iterator[str]:
    """What is wrong with a value, and what to set."""
    secret = bool(option.get("no_log"))
    if value is None:
        if option.get("default", "") is not None:
            yield "%s has no value. Set it to %s, or take it out." % (name, wanted(option))
        return
    try:
        value = convert(value, option["type"])
    except (TypeError, ValueError):
        yield "%s is %s. Set it to %s." % (name, "something else" if secret else shown(value), wanted(option))
        return
    if option["type"] == "list":
        for number, item in enumerate(value):
            yield from find_problems("%s[%d]" % (name, number), item, item_of(option))
    elif value not in option.get("choices", [value]):
        yield "%s is %s. Set it to %s.%s" % (name, shown(value), wanted(option), meant(value, option["choices"]))
    elif "options" in option:
        yield from find_key_problems(name, value, option["options"])


def convert(value: Any, kind: str) -> Any:
    """The value as Ansible takes it for a type. A version 1.10 without quotes is the number 1.1."""
    if kind == "str" and isinstance(value, (dict, list, float)):
        raise TypeError(kind)
    return DEFAULT_TYPE_VALIDATORS[kind](value)


def item_of(option: dict) -> dict:
    """What each item of a list has to be. The choices of a list are those of its items."""
    return {**option, "type": option["elements"], "default": ""}


def find_key_problems(name: str, value: dict, options: dict) -> Iterator[str]:
    for key in sorted(set(value) - set(options), key=str):
        yield "%s has the unknown key %s.%s" % (name, key, meant(key, options) or " Take it out.")
    for key, option in options.items():
        if key in value:
            yield from find_problems("%s.%s" % (name, key), value[key], option)
        elif option.get("required"):
            yield "%s has no %s. Set it to %s." % (name, key, wanted(option))


def wanted(option: dict) -> str:
    if "choices" in option and option["type"] != "list":
        *others, last = option["choices"]
        return "%s or %s" % (", ".join(others), last) if others else str(last)
    return KINDS[option["type"]]


def meant(value: Any, known: Any) -> str:
    near = get_close_matches(str(value), list(known), 1)
    return " Did you mean %s?" % near[0] if near else ""


def shown(value: Any) -> str:
    text = str(value) if not isinstance(value, str) else "'%s'" % value
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
