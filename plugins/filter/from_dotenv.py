# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of a .env file with their values."""

from __future__ import annotations

DOCUMENTATION = r"""
name: from_dotenv
short_description: Reads the text of a .env file
version_added: 1.0.0
author: The selfhost.flask developers (@selfhost-flask)
description:
  - Returns each key with its value as python-dotenv reads them in an empty environment.
  - A line that is no C(KEY=value) and no comment is refused by its number. Its content is not shown.
options:
  _input:
    description: The text of the file.
    type: str
    required: true
"""

EXAMPLES = r"""
settings: "{{ lookup('ansible.builtin.file', 'production.env') | selfhost.flask.from_dotenv }}"
"""

RETURN = r"""
_value:
  description: The keys with their values.
  type: dict
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.selfhost.flask.plugins.module_utils.common.dotenv import parse, read

WRONG = "Line %d of the .env file is no KEY=value. Correct it, or put quotes around a value of several lines."


def from_dotenv(text: str) -> dict[str, str]:
    """The keys with their values; an error for a line that is none."""
    text, number = text.removeprefix("\ufeff"), 1
    for line in parse(text):
        if line.value is None and line.prefix:
            raise AnsibleFilterError(WRONG % (number + line.before.count("\n")))
        number += line.text().count("\n")
    return read(text)


class FilterModule:
    """The filter by its name."""

    def filters(self) -> dict:
        return {"from_dotenv": from_dotenv}
