# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A schedule as systemd has it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: calendar
short_description: Translates a cron expression into calendar expressions of systemd
version_added: 1.0.0
author: The selfhost.flask developers (@selfhost-flask)
description:
  - An expression of systemd's stays as it is. One of cron's has five fields, or is a short form such as C(@daily).
  - Where the days of the month and those of the week are both chosen, cron runs on either, which is two expressions
    of systemd's.
options:
  _input:
    description: The expression.
    type: str
    required: true
"""

EXAMPLES = r"""
# ['Mon,Tue,Wed,Thu,Fri *-*-* 07:30:00']
weekdays: "{{ '30 7 * * mon-fri' | selfhost.flask.calendar }}"
"""

RETURN = r"""
_value:
  description: The expressions. Each one is a time to run.
  type: list
  elements: str
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.selfhost.flask.plugins.plugin_utils._cron import ScheduleError, to_calendar


def calendar(schedule: str) -> list[str]:
    """The expressions; an error that says what can't be translated."""
    try:
        return to_calendar(schedule)
    except ScheduleError as error:
        raise AnsibleFilterError("%s." % error) from error


class FilterModule:
    """The filter by its name."""

    def filters(self) -> dict:
        return {"calendar": calendar}
