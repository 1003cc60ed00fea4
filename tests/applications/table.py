"""Runs the journeys one after the other, and shows a table of them; see `run`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "molecule/shared/tests")]

from journey import OWN, Journey, Step  # noqa: E402
from recipe import Recipe, recipes  # noqa: E402

COLUMNS = ("host", "site", "use", "again", "update", "use", "rollback", "use", "backup", "restore", "doctor")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("tests/applications/run")
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--image", choices=("debian-12", "debian-13"), help="default: the application's, or debian-12")
    parser.add_argument("--on", default="", metavar="HOST", help="one host for all, which stays")
    parser.add_argument("--python", type=Path, metavar="FOLDER", help="an installed Python that the hosts get")
    return parser.parse_intermixed_args()


def travel(journey: Journey) -> list[Step]:
    """All steps of one application, each said when it has ended."""
    steps = []
    try:
        for step in journey.steps():
            steps.append(step)
            print(f"   {step.name:9}{step.seconds:7.1f} s  {step.problem}", flush=True)
    finally:
        if not journey.keep:
            journey.remove()
    return steps


def row(recipe: Recipe, image: str, steps: list[Step]) -> list[str]:
    """The application's line: seconds, and where it ended."""
    seconds = ["failed" if step.problem else f"{step.seconds:.1f}" for step in steps]
    seconds += ["" for _ in COLUMNS[len(seconds):]]
    return [recipe.name, image, f"{recipe.use.OLDER} -> {recipe.version}", str(recipe.lines), *seconds]


def table(rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)
    return "\n".join(lines)


def main() -> int:
    options = arguments()
    chosen = recipes(options.names)
    missing = [recipe for recipe in chosen if not recipe.clone(options.folder)]
    for recipe in missing:
        print(f"{recipe.name}: {options.folder}/{recipe.repository}.git is missing: "
              f"git clone --bare {recipe.variables['flask_repo']}")
    rows, failed = [["application", "image", "versions", "lines", *COLUMNS]], bool(missing)
    for recipe in (one for one in chosen if one not in missing):
        image = options.image or getattr(recipe.use, "IMAGE", "debian-12")
        print(f"\n== {recipe.name} {recipe.use.OLDER} -> {recipe.version} on {image}", flush=True)
        steps = travel(Journey(recipe, options.folder, image, options.on, options.python))
        failed |= bool(steps[-1].problem)
        rows.append(row(recipe, image, steps))
    OWN.mkdir(parents=True, exist_ok=True)
    (OWN / "table.txt").write_text(table(rows) + "\n")
    print(f"\n{table(rows)}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
