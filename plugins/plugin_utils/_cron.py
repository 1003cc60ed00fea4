# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a job runs: a cron expression as systemd has it, whose own expressions stay as they are."""

from __future__ import annotations

import re
from typing import NamedTuple

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# cron's short forms, those that are times
ALIASES = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}
PART = re.compile(r"(?:(?P<all>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?")
CALENDAR = re.compile(r"[\w*,:./~+ -]+")  # what systemd's own expressions are made of; the host reads them


class Field(NamedTuple):
    """One of cron's five."""

    name: str
    low: int
    high: int
    words: tuple = ()  # for the numbers from the lowest on


FIELDS = (
    Field("minute", 0, 59), Field("hour", 0, 23), Field("day of the month", 1, 31), Field("month", 1, 12, MONTHS),
    Field("day of the week", 0, 7, DAYS),
)


class ScheduleError(ValueError):
    """Why a schedule can't be had."""


def to_calendar(schedule: str) -> list[str]:
    """The expressions of systemd's that stand for a schedule, of which each one is a time to run."""
    words = ALIASES.get(schedule.strip().lower(), schedule).split()
    if not words or words[0].startswith("@"):
        raise ScheduleError("%s is not one of %s" % (schedule or "an empty text", ", ".join(ALIASES)))
    if len(words) > 5:
        raise ScheduleError("a cron expression has five fields, and %s has %d" % (schedule, len(words)))
    if len(words) < 5:
        if not CALENDAR.fullmatch(schedule):
            raise ScheduleError("%s is neither a calendar expression of systemd's nor one of cron's" % schedule)
        return [schedule.strip()]
    return list(_translate(words))


def _translate(words: list[str]) -> list[str]:
    """cron runs a job on the days of the month and on those of the week, where both are chosen."""
    minutes, hours, days, months, weekdays = (_read(word, field) for word, field in zip(words, FIELDS))
    time = "%s:%s:00" % (_write(hours, FIELDS[1]), _write(minutes, FIELDS[0]))
    date = "*-%s-" % _write(months, FIELDS[3])
    chosen = _weekdays(weekdays)
    by_month, by_week = (not word.startswith("*") for word in (words[2], words[4]))
    if by_month and by_week:
        return ["%s%s %s" % (date, _write(days, FIELDS[2]), time), "%s%s* %s" % (chosen, date, time)]
    return ["%s%s%s %s" % (chosen, date, _write(days, FIELDS[2]), time)]


def _read(word: str, field: Field) -> list[int]:
    """The numbers of a field."""
    numbers = {number for part in word.split(",") for number in _read_part(part, word, field)}
    return sorted(numbers)


def _read_part(text: str, word: str, field: Field) -> range:
    found = PART.fullmatch(text)
    step = int(found["step"] or 1) if found else 0
    if not found or not step:
        raise ScheduleError("'%s' is no %s that can be translated" % (word, field.name))
    if found["all"]:
        return range(field.low, min(field.high, 6 if field.words == DAYS else field.high) + 1, step)
    first = _number(found["first"], word, field)
    last = _number(found["last"], word, field) if found["last"] else field.high if found["step"] else first
    if first > last:
        raise ScheduleError("'%s' is no %s: it ends before it begins" % (word, field.name))
    return range(first, last + 1, step)


def _number(text: str, word: str, field: Field) -> int:
    """A number, also by its name."""
    name = text.lower()
    number = field.words.index(name) + field.low if name in field.words else int(text) if text.isdecimal() else -1
    if not field.low <= number <= field.high:
        raise ScheduleError("'%s' is no %s, which is %d to %d" % (word, field.name, field.low, field.high))
    return number


def _write(numbers: list[int], field: Field) -> str:
    """The numbers for systemd."""
    whole = numbers == list(range(field.low, field.high + 1))
    return "*" if whole else ",".join("%02d" % number for number in numbers)


def _weekdays(numbers: list[int]) -> str:
    """The days of the week, of which Sunday has two numbers; nothing for all of them."""
    days = sorted({number % 7 for number in numbers})
    return "" if len(days) == 7 else ",".join(DAYS[day].capitalize() for day in days) + " "
