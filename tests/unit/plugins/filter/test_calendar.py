# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.selfhost.flask.plugins.filter.calendar import calendar
from ansible_collections.selfhost.flask.plugins.filter.schedule_problems import schedule_problems

EVERY = ",".join("%02d" % hour for hour in range(24))
TRANSLATED = {
    "* * * * *": ["*-*-* *:*:00"],
    "*/15 * * * *": ["*-*-* *:00,15,30,45:00"],
    "7 3 * * *": ["*-*-* 03:07:00"],
    "30 7 * * mon-fri": ["Mon,Tue,Wed,Thu,Fri *-*-* 07:30:00"],
    "30 7 * * 1-5": ["Mon,Tue,Wed,Thu,Fri *-*-* 07:30:00"],
    "0 0 * * 7": ["Sun *-*-* 00:00:00"],
    "0 0 * * 5-7": ["Sun,Fri,Sat *-*-* 00:00:00"],
    "0 0 * * 0-7": ["*-*-* 00:00:00"],
    "0 0 * * */2": ["Sun,Tue,Thu,Sat *-*-* 00:00:00"],
    "0 12 1,15 * *": ["*-*-01,15 12:00:00"],
    "5/20 8-18/5 * JAN,6 *": ["*-01,06-* 08,13,18:05,25,45:00"],
    # cron: on the 13th, and on each Friday
    "0 0 13 * 5": ["*-*-13 00:00:00", "Fri *-*-* 00:00:00"],
    "0 0 */2 * 5": ["Fri *-*-%s 00:00:00" % ",".join("%02d" % day for day in range(1, 32, 2))],
    "@daily": ["*-*-* 00:00:00"],
    "@Hourly": ["*-*-* *:00:00"],
    "@weekly": ["Sun *-*-* 00:00:00"],
    "@yearly": ["*-01-01 00:00:00"],
    # what is systemd's own
    "daily": ["daily"],
    "Mon..Fri 07:30": ["Mon..Fri 07:30"],
    " *-*-* 04:00:00 Europe/Berlin ": ["*-*-* 04:00:00 Europe/Berlin"],
}


@pytest.mark.parametrize("schedule", TRANSLATED)
def test_a_schedule_as_systemd_has_it(schedule):
    assert calendar(schedule) == TRANSLATED[schedule]


REFUSED = {
    "60 * * * *": "'60' is no minute, which is 0 to 59",
    "* 24 * * *": "'24' is no hour, which is 0 to 23",
    "0 0 0 * *": "'0' is no day of the month, which is 1 to 31",
    "0 0 * 13 *": "'13' is no month",
    "0 0 * foo *": "'foo' is no month",
    "0 0 * * 8": "'8' is no day of the week",
    "30-10 * * * *": "'30-10' is no minute: it ends before it begins",
    "*/0 * * * *": "'*/0' is no minute that can be translated",
    "0 0 L * *": "'L' is no day of the month",
    "0 0 15W * *": "'15W' is no day of the month",
    "0 0 * * 5#3": "'5#3' is no day of the week that can be translated",
    "0 0 ? * 1": "'?' is no day of the month that can be translated",
    "H * * * *": "'H' is no minute",
    "1,,2 * * * *": "'1,,2' is no minute that can be translated",
    "0 0 7 * * *": "a cron expression has five fields, and 0 0 7 * * * has 6",
    "@reboot": "@reboot is not one of @yearly",
    "": "an empty text is not one of @yearly",
    "every $(day)": "every $(day) is neither a calendar expression of systemd's nor one of cron's",
    "daily\nOnBootSec=1": "is neither a calendar expression",
}


@pytest.mark.parametrize("schedule", REFUSED)
def test_what_can_t_be_translated_is_refused_with_the_reason(schedule):
    with pytest.raises(AnsibleFilterError) as error:
        calendar(schedule)
    assert REFUSED[schedule] in str(error.value)


def test_the_problems_of_all_schedules_are_said():
    assert schedule_problems(["@daily", "60 * * * *", "7 3 * * *", "@reboot"]) == [
        "'60' is no minute, which is 0 to 59",
        "@reboot is not one of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly",
    ]
