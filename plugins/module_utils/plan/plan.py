# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan, which is what an update would change, as a text for a person to read."""

from __future__ import annotations

from ansible_collections.selfhost.flask.plugins.module_utils.common.tree import printable

ON_A_LINE = 6  # requirements; a lock may change more at once


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
        "backward": " would be undone:",
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
    if len(parts) > ON_A_LINE:
        return "\n  ".join(["%s:" % counted(len(parts), "changed requirement"), *parts])
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
    differs = ", ".join(["+ " + key for key in changes["added"]] + ["- " + key for key in changes["removed"]])
    missing = "missing: " + ", ".join(changes["missing"]) if changes["missing"] else ""
    return ".env: " + ("; ".join(part for part in (differs, missing) if part) or "unchanged")
