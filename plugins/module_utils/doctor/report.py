# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor's report: the findings of both sides as lines for a terminal, and in one sentence."""

from __future__ import annotations

import itertools
import re
import textwrap
from typing import Iterable

from ansible_collections.selfhost.flask.plugins.module_utils.common.words import count_of
from ansible_collections.selfhost.flask.plugins.module_utils.doctor.findings import SEVERITIES

WIDTH = 110
ADVICE = "-> "
GAP = "  "
KEPT = "\0"  # for a space at which no line ends
HEAD = ("SEVERITY", "FINDING", "WHAT IT IS, AND -> WHAT MENDS IT")


def counted(findings: list) -> str:
    """1 critical, 2 warnings."""
    numbers = [(sum(one.severity == severity for one in findings), severity) for severity in SEVERITIES]
    plural = {"critical": "critical", "warning": "warnings", "notice": "notices"}
    return ", ".join("%d %s" % (number, plural[name] if number > 1 else name) for number, name in numbers if number)


ITSELF = (
    "It was looked at from the host itself, so whether the firewall lets visitors in and keeps others away was not seen: run "
    "`selfhost.flask.doctor` on another computer for that."
)


def lines(title: str, findings: list, checks: list, width: int = WIDTH, is_itself: bool = False) -> list:
    """The report on one host."""
    if not findings:
        sides = "" if is_itself else ", from inside and outside,"
        well = "%s is healthy: %s%s found nothing." % (title, count_of(len(checks), "check"), sides)
        return [well + " " + ITSELF if is_itself else well]
    result = ["%s: %s" % (title, counted(findings)), "", *table(findings, min(width, WIDTH)), ""]
    if {finding.id for finding in findings} & {"ssh-unreachable", "host-unreachable"}:
        return result + ["Nobody could log in, so it was seen from outside alone."]
    well = [check["title"] for check in checks if not check["found"]]
    return result + ["%d of %s found nothing." % (len(well), count_of(len(checks), "check"))] + ([ITSELF] if is_itself else [])


def table(findings: list, width: int) -> list:
    """A row for each finding: how bad, which and from where it was seen, what it is and what mends it."""
    sizes = [max(map(len, SEVERITIES)), max(len(word) for one in findings for word in (one.id, HEAD[1]))]
    sizes.append(width - sum(sizes) - 3 * len(GAP))
    result = [row(HEAD, sizes), row(["-" * size for size in sizes], sizes)]
    for finding in findings:
        said = wrapped(finding.what, "", sizes[2]) + wrapped(finding.remedy, ADVICE, sizes[2])
        named = [finding.id, "(%s)" % finding.where]
        cells = itertools.zip_longest([finding.severity.upper()], named, said, fillvalue="")
        result += [row(cell, sizes) for cell in cells] + [""]
    return result[:-1]


def row(cells: Iterable[str], sizes: list) -> str:
    return "".join(GAP + cell.ljust(size) for cell, size in zip(cells, sizes)).rstrip()


def wrapped(text: str, prefix: str, width: int) -> list:
    """A text in a column. A command stays on one line, however long: it is copied."""
    whole = re.sub("`[^`]*`", lambda command: command.group(0).replace(" ", KEPT), text)
    found = textwrap.wrap(
        whole, width, initial_indent=prefix, subsequent_indent=" " * len(prefix), break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(KEPT, " ") for line in found]


def sentence(title: str, findings: list) -> str:
    """What a failed task says."""
    named = ", ".join(dict.fromkeys(finding.id for finding in findings))
    return "%s is not healthy (%s): %s. What to do is above." % (title, counted(findings), named)
