#!/usr/bin/env python3
"""Runs the checkers against a host that is finished, and prints the table."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from checkers import CHECKERS, RULES_OF_THE_KERNEL, Row
from host import Host
from tools import TOP

VERDICTS = {True: "ok", False: "NOT", None: ""}


def checkers(text: str) -> list[str]:
    """The names of --only, all of them where there is none."""
    names = [name for name in text.split(",") if name] or list(CHECKERS)
    if unknown := set(names) - set(CHECKERS):
        raise argparse.ArgumentTypeError(f"no checker {', '.join(unknown)}; there is {', '.join(CHECKERS)}")
    return [name for name in CHECKERS if name in names]


def rows_of(name: str, host: Host) -> list[Row]:
    """A checker that breaks down is a requirement that is missed."""
    begin = time.monotonic()
    try:
        rows = list(CHECKERS[name](host))
    except (RuntimeError, OSError, ValueError, KeyError, TypeError) as error:
        rows = [Row(name, "", "an answer", "none", False, [f"{type(error).__name__}: {error}"])]
    print(f"{name}: {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
    return rows


def table(rows: list[Row]) -> str:
    """The rows in columns, then what the missed ones complain of."""
    cells = [("checker", "version", "required", "figure", "")]
    cells += [(row.checker, row.version, row.required, row.figure, VERDICTS[row.okay]) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in cells]
    lines.insert(1, "  ".join("-" * width for width in widths).rstrip())
    for row in rows:
        if row.okay is False:
            lines += ["", f"{row.checker}, {row.required}:", *(f"  {text}" for text in row.findings)]
    return "\n".join(lines)


def left_out() -> str:
    """What OpenSCAP is not asked of a test host, and why."""
    return f"Left out, because the kernel is the machine's, not the test host's: {' '.join(RULES_OF_THE_KERNEL)}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", type=checkers, default=list(CHECKERS))
    parser.add_argument("--own", action="store_true", help="the host may be configured anew")
    parser.add_argument("inventory", type=Path)
    options = parser.parse_args()
    state = TOP / ".testhost/audit"
    state.mkdir(parents=True, exist_ok=True)
    host = Host(options.inventory, options.own, state)
    rows = [row for name in options.only for row in rows_of(name, host)]
    text = table(rows)
    (state / "table.txt").write_text(text + "\n")
    print(f"\n{text}")
    if host.own and "openscap" in options.only:
        print(f"\n{left_out()}")
    return int(any(row.okay is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
