# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was deployed when and how that went; which releases, environments and dumps stay."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import time

from ansible_collections.selfhost.flask.plugins.module_utils.common.files import write_json
from ansible_collections.selfhost.flask.plugins.module_utils.common.manifest import is_unchanged
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import COMPLETE, SEAL, lost_python, read_link, remove
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

KEPT_ENTRIES = 500
SERVED, FAILED, ABANDONED, RESTORED = "served", "failed", "rolled back", "restored"


class Records:
    """releases.json for programs, and deploy.log for people."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.path = site.path("releases.json")
        self.entries = []
        with contextlib.suppress(FileNotFoundError):
            with open(self.path, encoding="utf-8") as file:
                self.entries = json.load(file)

    def add(self, entry: dict) -> None:
        """Adds what happened to a release."""
        self.entries.append(dict(entry, time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())))
        write_json(self.path, self.entries[-KEPT_ENTRIES:], 0o640)  # it has lines of the application's log
        with open(os.path.join(self.site.log, "deploy.log"), "a", encoding="utf-8") as file:
            file.write(sentence(self.entries[-1]) + "\n")

    def add_failure(self, release: str, problem: str, **about: object) -> None:
        """Adds what failed before anything was changed; a disk that is full may be what failed."""
        with contextlib.suppress(OSError):
            self.add(dict(about, release=release, problem=problem, outcome=FAILED))

    def has_session(self, session: str) -> bool:
        """Whether a run has noted by itself how it ended."""
        return any(entry.get("session") == session for entry in self.entries)

    def outcomes(self) -> dict:
        """What is to be said of each release, the newest last.

        One that was served and fails later, when it is launched with other settings, is still good.
        """
        found = {}
        for entry in self.entries:
            if entry["outcome"] != FAILED or entry["release"] not in found:
                found.pop(entry["release"], None)
                found[entry["release"]] = entry
        return found

    def good(self) -> list:
        """The releases that a rollback chooses from, the newest first."""
        return self._with_outcome(SERVED)

    def _with_outcome(self, *outcomes: str) -> list:
        found, venvs = self.outcomes(), {}
        names = [name for name in reversed(list(found)) if found[name]["outcome"] in outcomes]
        return [name for name in names if self.is_whole(name, venvs)]

    def served(self, release: str) -> dict:
        """The last entry of a release as it was served; empty where there is none."""
        entries = [one for one in self.entries if one["release"] == release and one["outcome"] == SERVED]
        return entries[-1] if entries else {}

    def is_whole(self, release: str, venvs: dict | None = None) -> bool:
        """Whether a release is still on the host, complete, and undamaged with its environment.

        What was found of the environments is kept in `venvs`: releases share them, and each has thousands of files.
        """
        venvs = {} if venvs is None else venvs
        folder = self.site.path("releases", release)
        if not os.path.exists(os.path.join(folder, SEAL)) or not is_unchanged(folder, SEAL):
            return False
        names = [os.path.basename(venv) for venv in linked_venvs(folder)]
        for name in set(names) - set(venvs):
            venv = self.site.path("venvs", name)
            venvs[name] = is_unchanged(venv, COMPLETE) and not lost_python(venv)
        return all(venvs[name] for name in names)

    def without_python(self) -> list:
        """The releases whose environment was made with a Python that the host has not any more, the newest last."""
        return [name for name in self.outcomes() if lost_python(self.site.path("releases", name, ".venv"))]

    def prune(self, number: int) -> list:
        """Removes all but the newest whole releases that were served, and what none of those needs."""
        kept = self._with_outcome(SERVED, ABANDONED)[:max(1, number)] + self._in_slots()
        removed = sorted(set(os.listdir(self.site.path("releases"))) - set(kept))
        for name in removed:
            remove(self.site.path("releases", name))
        used = {os.path.basename(venv) for name in kept for venv in linked_venvs(self.site.path("releases", name))}
        for name in set(os.listdir(self.site.path("venvs"))) - used:
            remove(self.site.path("venvs", name))
        self._prune_dumps({entry.get("dump") for entry in self.entries if entry["release"] in kept})
        return removed

    def _in_slots(self) -> list:
        """The releases that are started, or would be at the next boot."""
        links = (self.site.path("slots", name) for name in os.listdir(self.site.path("slots")))
        return [self.site.release_name(read_link(path)) for path in links if os.path.islink(path)]

    def _prune_dumps(self, needed: set) -> None:
        """Removes the copies of the database that no kept release was migrated from."""
        for path in glob.glob(os.path.join(glob.escape(dump_folder(self.site)), "*.*")):
            if os.path.splitext(path)[0] not in needed:
                os.unlink(path)


def dump_folder(site: Site) -> str:
    """Where the database is copied to before a migration; root's alone."""
    return os.path.join("/var/backups", site.name, "before-migration")


def linked_venvs(release: str) -> list:
    """Where the links named .venv in a release lead; the application may be in a subfolder."""
    return [
        read_link(os.path.join(path, ".venv")) for path, folders, files in os.walk(release) if ".venv" in folders + files
    ]


def sentence(entry: dict) -> str:
    """An entry as a line of the log."""
    steps = ", ".join("%s %.1f s" % step for step in entry.get("seconds", {}).items())
    parts = [
        entry["time"],
        entry["outcome"].upper() if entry["outcome"] != SERVED else SERVED,
        entry["release"],
        "after %s" % entry["from"] if entry.get("from") else "",
        "by %s" % entry["by"] if entry.get("by") else "",
        "database at %s" % ", ".join(entry["revision"]) if entry.get("revision") else "",
        "(%s)" % steps if steps else "",
        "changed unasked: %s" % "; ".join(entry["changes"]) if entry.get("changes") else "",
        "- " + reason(entry) if entry.get("problem") else "",
    ]
    return " ".join(part for part in parts if part)


def reason(entry: dict) -> str:
    """Why a deployment failed, on one line, and at which step of the playbook."""
    line = (entry["problem"].strip().splitlines() or [""])[0]
    return "%s: %s" % (entry["step"], line) if entry.get("step") else line
