# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schedules that P(selfhost.flask.calendar#filter) does not translate."""

from __future__ import annotations

DOCUMENTATION = r"""
name: schedule_problems
short_description: Says which schedules can't be translated
version_added: 1.0.0
author: The selfhost.flask developers (@selfhost-flask)
description: Returns what is wrong with each of the schedules that P(selfhost.flask.calendar#filter) refuses.
options:
  _input:
    description: The schedules.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
# ["'61' is no minute, which is 0 to 59"]
problems: "{{ ['@daily', '61 * * * *'] | selfhost.flask.schedule_problems }}"
"""

RETURN = r"""
_value:
  description: What is wrong, of each.
  type: list
  elements: str
"""

from collections.abc import Iterable

from ansible_collections.selfhost.flask.plugins.plugin_utils._cron import ScheduleError, to_calendar


def schedule_problems(schedules: Iterable[str]) -> list[str]:
    """What is wrong with those that are refused."""
    problems = []
    for schedule in schedules:
        try:
            to_calendar(str(schedule))
        except ScheduleError as error:
            problems.append(str(error))
    return problems


class FilterModule:
    """The filter by its name."""

    def filters(self) -> dict:
        return {"schedule_problems": schedule_problems}
