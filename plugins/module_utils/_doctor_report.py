# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor's report: the findings of both sides as lines for a terminal, and in one sentence."""

from __future__ import annotations

import textwrap

from ansible_collections.selfhost.flask.plugins.module_utils._doctor import SEVERITIES, Finding

WIDTH = 96
ADVICE = "-> "


def counted(findings: list) -> str:
    """1 critical, 2 warnings."""
    numbers = [(sum(one.severity == severity for one in findings), severity) for severity in SEVERITIES]
    plural = {"critical": "critical", "warning": "warnings", "notice": "notices"}
    return ", ".join("%d %s" % (number, plural[name] if number > 1 else name) for number, name in numbers if number)


def lines(title: str, findings: list, checks: list) -> list:
    """The report on one host."""
    if not findings:
        return ["%s is well: %d checks, from inside and outside, found nothing." % (title, len(checks))]
    result = ["%s: %s" % (title, counted(findings))]
    for finding in findings:
        result += block(finding)
    if {finding.id for finding in findings} & {"ssh-unreachable", "host-unreachable"}:
        return result + ["", "Nobody could log in, so it was seen from outside alone."]
    well = [check["title"] for check in checks if not check["found"]]
    return result + ["", "%d of %d checks found nothing." % (len(well), len(checks))]


def block(finding: Finding) -> list:
    """A finding: how bad and which, what it is, what to do."""
    return [
        "",
        "  %-9s %s (%s)" % (finding.severity.upper(), finding.id, finding.where),
        *wrapped(finding.what, ""),
        *wrapped(finding.remedy, ADVICE),
    ]


def wrapped(text: str, prefix: str) -> list:
    indent = " " * 12
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent + prefix, subsequent_indent=indent + " " * len(prefix),
        break_long_words=False, break_on_hyphens=False,
    )


def sentence(title: str, findings: list) -> str:
    """What a failed task says."""
    named = ", ".join(dict.fromkeys(finding.id for finding in findings))
    return "%s is not well (%s): %s. What to do is above." % (title, counted(findings), named)
