# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between two trees of an application: its requirements, migrations and settings, as a text.

Nothing is run, and nothing is read from outside a tree: root reads here what a repository says, and
shows it to a person.
"""

from __future__ import annotations

import ast
import contextlib
import os
import re
from typing import Iterable, NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils._dotenv import parse

COMMENT = re.compile(r"(?:^|\s+)#.*$", re.M)
CONTINUED = re.compile(r"\\\r?\n")
INCLUDE = re.compile(r"^\s*(?:-r|-c|--requirement|--constraint)[ =]*(\S+)", re.M)
EDITABLE = re.compile(r"(?:-e|--editable)[ =]*")
OPTIONS = re.compile(r"\s+--[a-z].*$")  # of one requirement, such as its hashes
USER_IN_URL = re.compile(r"(?<=://)[^/\s]*@")
QUERY_OF_URL = re.compile(r"(://[^\s?#]*)\?[^\s#]*")
NAME = r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)"
REQUIREMENT = re.compile(NAME + r"\s*(\[[^]]*\])?\s*(?:(@.*)|\(?([<>=!~][^;)]*)?\)?\s*(?:;\s*(.*))?)")
EGG = re.compile(r"#(?:.*&)?egg=" + NAME)
PROJECT = re.compile(r"^\[project\][ \t]*(?:#[^\n]*)?$(.*?)(?=^\[[^\n]*\][ \t]*(?:#[^\n]*)?$|\Z)", re.M | re.S)
STRING = r'"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\''
DEPENDENCIES = re.compile(r"^dependencies[ \t]*=[ \t]*\[((?:[\s,]|#[^\n]*\n|%s)*)\]" % STRING, re.M)
ITEM = re.compile(r"#[^\n]*|(%s)" % STRING)
REVISION_NAMES = ("revision", "down_revision", "depends_on")


class Tree(NamedTuple):
    """A checked out repository, and the application's folder in it."""

    top: str
    folder: str


class Revision(NamedTuple):
    """A database migration, and the ones that it builds upon."""

    name: str
    parents: tuple
    message: str
    file: str


def printable(text: str) -> str:
    """A text on one line, with nothing that a terminal would obey."""
    return "".join(character if character.isprintable() else " " for character in text).strip()


def read_inside(tree: Tree, path: str) -> str | None:
    """A file of a tree; None where there is none, or where it is outside by a link or by `..`."""
    real = os.path.realpath(path)
    if not real.startswith(os.path.realpath(tree.top) + os.sep) or not os.path.isfile(real):
        return None
    with open(real, encoding="utf-8-sig", errors="replace") as file:
        return file.read()


# Requirements


def requirements(tree: Tree | None, wanted: str) -> list[str]:
    """The requirements of a tree, normalised, each once; constraints are among them."""
    for name in [wanted] if wanted else ["requirements.txt", "pyproject.toml"]:
        path = os.path.join(tree.folder, name) if tree else ""
        if os.path.isfile(path):
            texts = included(tree, path)
            lines = [line for text in texts for line in listed(text, path.endswith(".toml"))]
            return list(dict.fromkeys(normalised(line) for line in lines))
    return []


def included(tree: Tree, path: str) -> list[str]:
    """The texts of a requirements file and, each once, of those that it includes."""
    found, waiting = {}, [path]
    while waiting:
        path = os.path.normpath(waiting.pop())
        text = None if path in found else read_inside(tree, path)
        if text is not None:
            found[path] = text
            names = [] if path.endswith(".toml") else INCLUDE.findall(text)
            waiting.extend(os.path.join(os.path.dirname(path), name) for name in names)
    return list(found.values())


def listed(text: str, is_project: bool) -> list[str]:
    """The requirements in a file. Other options are left out: an index's URL can hold a password."""
    if is_project:
        return project_dependencies(text)
    lines = [line.strip() for line in CONTINUED.sub(" ", COMMENT.sub("", text)).splitlines()]
    return [line for line in lines if line and (line[0] != "-" or EDITABLE.match(line))]


def project_dependencies(text: str) -> list[str]:
    """The dependencies of a pyproject.toml; not every host's Python has a parser for it."""
    section = PROJECT.search(text)
    array = DEPENDENCIES.search(section.group(1)) if section else None
    return [item[1:-1].replace('\\"', '"') for item in ITEM.findall(array.group(1)) if item] if array else []


def normalised(line: str) -> str:
    """A requirement in one spelling, without its hashes and without what a URL may hold of a secret."""
    editable = EDITABLE.match(line)
    line = OPTIONS.sub("", line[editable.end():] if editable else line)
    line = QUERY_OF_URL.sub(r"\1", USER_IN_URL.sub("", printable(line)))
    match = REQUIREMENT.fullmatch(line)
    if editable or match is None:
        return "-e " + line if editable else line
    name, extras, url, specifiers, marker = (part or "" for part in match.groups())
    if url:
        return "%s%s @ %s" % (project_name(name), extras.replace(" ", ""), url[1:].strip())
    versions = ",".join(sorted(re.sub(r"\s", "", specifiers).split(",")))
    return project_name(name) + re.sub(r"\s", "", extras) + versions + ("; " + marker if marker else "")


def project_name(name: str) -> str:
    """A project's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def split(line: str) -> tuple[str, str]:
    """(project, what is asked of it) of a normalised requirement; of an exact version just that."""
    match, egg = REQUIREMENT.fullmatch(line), EGG.search(line)
    if match is None or line.startswith("-e "):
        return (project_name(egg.group(1)) if egg else line), line
    rest = line[match.end(1):].strip()
    return match.group(1), re.sub(r"^==(?=[^,;=]*$)", "", rest)


def compare_requirements(before: list[str], after: list[str]) -> dict:
    """Which requirements were added, removed, or changed for the same project."""
    result = dict(added=[], removed=[], changed=[])
    lost = [line for line in before if line not in after]
    new = [line for line in after if line not in before]
    for name in sorted({split(line)[0] for line in lost + new}):
        removed, added = ([line for line in lines if split(line)[0] == name] for lines in (lost, new))
        if len(removed) == len(added) == 1:
            result["changed"].append(dict(name=name, before=split(removed[0])[1], after=split(added[0])[1]))
        else:
            result["removed"] += removed
            result["added"] += added
    return result


# Migrations


def revisions(tree: Tree | None, migrations: str) -> tuple[dict, list[str]]:
    """The migrations of a tree by their revision, and the files that can't be read as Python."""
    found, unreadable = {}, []
    folder = os.path.join(tree.folder, migrations, "versions") if tree else ""
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        text = read_inside(tree, os.path.join(folder, name)) if name.endswith(".py") else None
        file = printable(os.path.relpath(os.path.join(folder, name), tree.folder))
        try:
            revision = None if text is None else read_revision(text, file)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            unreadable.append(file)
            continue
        if revision:
            found[revision.name] = revision
    return found, unreadable


def read_revision(text: str, file: str) -> Revision | None:
    """What a migration's source says about it; None where it is no migration."""
    source = ast.parse(text)
    values = assigned(source)
    if not isinstance(values.get("revision"), str):
        return None
    message = (ast.get_docstring(source) or "").partition("\n")[0]
    parents = sequence(values.get("down_revision")) + sequence(values.get("depends_on"))
    return Revision(printable(values["revision"]), parents, printable(message), file)


def assigned(source: ast.Module) -> dict:
    """The values of those names that place a migration among the others."""
    found = {}
    for node in source.body:
        targets = getattr(node, "targets", [getattr(node, "target", None)])
        names = [target.id for target in targets if isinstance(target, ast.Name) and target.id in REVISION_NAMES]
        if names and isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            with contextlib.suppress(ValueError, TypeError):
                found.update(dict.fromkeys(names, ast.literal_eval(node.value)))
    return found


def sequence(value: object) -> tuple:
    """None, one name or several as a tuple."""
    several = value if isinstance(value, (tuple, list, set)) else [value]
    return tuple(printable(item) for item in several if isinstance(item, str))


def heads(known: dict) -> list[str]:
    """The revisions that no other one builds upon."""
    parents = {parent for revision in known.values() for parent in revision.parents}
    return sorted(set(known) - parents)


def ancestry(known: dict, names: Iterable[str]) -> set[str]:
    """These revisions and all that lead to them."""
    found, waiting = set(), list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(known[name].parents if name in known else ())
    return found


def in_order(known: dict, names: Iterable[str]) -> list[str]:
    """Revisions in the order in which they can be applied."""
    ordered, waiting = [], set(names)
    while waiting:
        ready = sorted(name for name in waiting if not waiting.intersection(known[name].parents))
        ordered += ready or sorted(waiting)  # those that wait for each other: as they are
        waiting -= set(ready or waiting)
    return ordered


def compare_revisions(before: dict, after: dict, present: list[str]) -> dict:
    """What an upgrade would apply to a database, and what of it the new tree does not know.

    The old tree says what leads to a revision that the new one lacks.
    """
    known = {name: Revision(name, (), "", "") for name in present}
    known.update(before)
    known.update(after)
    done = ancestry(known, present)
    undone = in_order(known, done.intersection(known) - set(after))
    return dict(
        pending=[described(known[name]) for name in in_order(known, set(after) - done)],
        undone=[described(known[name]) for name in reversed(undone)],
    )


def described(revision: Revision) -> dict:
    return dict(revision=revision.name, message=revision.message, file=revision.file)


# Settings


def assigned_keys(text: str | None) -> list[str]:
    """The keys that a .env file gives a value, each once."""
    return list(dict.fromkeys(line.key for line in parse(text or "") if line.key and line.value is not None))


def example_keys(tree: Tree) -> list[str]:
    """The keys in the application's .env.example, or else in the repository's."""
    texts = (read_inside(tree, os.path.join(folder, ".env.example")) for folder in (tree.folder, tree.top))
    return assigned_keys(next((text for text in texts if text is not None), ""))


def compare_keys(present: list[str], wanted: list[str], required: list[str]) -> dict:
    """Which keys will be new in .env, and which will be missing."""
    return dict(
        added=[key for key in wanted if key not in present],
        missing=[printable(key) for key in required if key not in present and key not in wanted],
    )


# The text


def text_of(name: str, plan: dict) -> str:
    """A plan for a person to read."""
    parts = [title(name, plan), *commits_text(plan), requirements_text(plan["requirements"])]
    return "\n".join(parts + [database_text(plan["migrations"]), settings_text(plan["env"])]) + "\n"


def title(name: str, plan: dict) -> str:
    served, after = plan["served"], label(plan["version"], plan["commit"])
    if not served:
        return "first deployment of %s: %s" % (name, after)
    if not plan["changed"]:
        return "%s stays at %s" % (name, after)
    before = label(served["version"], served["commit"]) or served["release"]
    what = "way back" if plan["direction"] == "backward" else "update"
    return "%s of %s: %s -> %s" % (what, name, before, after)


def label(version: str, commit: str) -> str:
    """A version as a person knows it, with its commit."""
    if not commit or commit.startswith(version):
        return commit[:8] or printable(version)
    return "%s (%s)" % (printable(version), commit[:8])


def commits_text(plan: dict) -> list[str]:
    """The lines about the commits."""
    commits, total = plan["commits"], plan["commits_total"]
    if not plan["served"]:
        return ["nothing is served yet: everything is new"]
    if not plan["changed"]:
        return []
    if not total:
        return ["commits: unknown, because the repository does not have the served commit"]
    what = {
        "forward": ":",
        "backward": " would be taken back:",
        "unrelated": " that the served version lacks; it has others that this one lacks:",
    }[plan["direction"]]
    more = ["  and %d more" % (total - len(commits))] if total > len(commits) else []
    return [counted(total, "commit") + what, *("  %(commit)s %(subject)s" % item for item in commits), *more]


def counted(number: int, noun: str) -> str:
    return "%d %s%s" % (number, noun, "" if number == 1 else "s")


def requirements_text(changes: dict) -> str:
    parts = ["+ " + line for line in changes["added"]] + ["- " + line for line in changes["removed"]]
    for item in changes["changed"]:
        parts.append("~ %s %s -> %s" % (item["name"], item["before"] or "any", item["after"] or "any"))
    return "requirements: " + (", ".join(parts) or "unchanged")


def database_text(changes: dict) -> str:
    """The line about the database; an unknown revision is the reason for which an update is refused."""
    parts = []
    if changes["undone"]:
        names = ", ".join(revision_text(item) for item in changes["undone"])
        parts.append("the version does not know %s: downgrade the database before" % names)
    if changes["pending"]:
        names = ", ".join(revision_text(item) for item in changes["pending"])
        parts.append("%s pending: %s" % (counted(len(changes["pending"]), "revision"), names))
    parts = parts or ["unchanged"]
    if changes["assumed"]:
        parts.append("taken to be at %s, which the served version is made for" % ", ".join(changes["present"]))
    return "database: " + "; ".join(parts)


def revision_text(item: dict) -> str:
    return " ".join([item["revision"], item["message"]]).rstrip(" .")


def settings_text(changes: dict) -> str:
    """The line about .env, which never has a value in it."""
    added = ", ".join("+ " + key for key in changes["added"])
    missing = "missing: " + ", ".join(changes["missing"]) if changes["missing"] else ""
    return ".env: " + ("; ".join(part for part in (added, missing) if part) or "unchanged")
