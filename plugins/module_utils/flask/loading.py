# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release does to its database when it is loaded, as far as a sandbox shows it."""

from __future__ import annotations

import os
from typing import NamedTuple

from ansible_collections.selfhost.flask.plugins.module_utils.database.database import Database, members_of
from ansible_collections.selfhost.flask.plugins.module_utils.flask.application import ApplicationError, FlaskApp
from ansible_collections.selfhost.flask.plugins.module_utils.flask.sandbox import Sandbox
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

KEPT = ("loads", "touches", "databases", "files", "secret_key", "schedules")  # what the release's seal says of it


class Loading(NamedTuple):
    """What happened when the application was loaded without a way to live data."""

    loads: bool
    touches: list
    databases: list
    secret_key: str
    why: str = ""  # it was not loaded
    revisions: dict | None = None  # between the database and the release, where that was asked for
    schedules: bool = False  # it runs a scheduler, in each process that loads it
    files: list = []  # SQLite's that it opened meanwhile

    @classmethod
    def kept(cls, seal: dict) -> Loading | None:
        """The one that a release's seal tells of; those of earlier deployments do not."""
        about = seal.get("application")
        return cls(**{name: about[name] for name in KEPT if name in about}) if about else None

    def to_keep(self) -> dict:
        return {name: getattr(self, name) for name in KEPT}

    def is_risky(self) -> bool:
        """Whether it may change the database when it is loaded, with nobody asking for that."""
        return not self.loads or bool(self.touches)

    def has_database(self) -> bool:
        return bool(self.touches or self.databases)

    def reason(self) -> str:
        """Why it is taken for a risk, in a sentence."""
        return "; ".join(self.touches + ([self.why] if self.why else [])) or "it can't be loaded without it"


def inspect(app: FlaskApp, **question: object) -> Loading:
    """Loads an application that is in a sandbox; ApplicationError where its migrations can't be used."""
    answer = app.answer("inspect", **question)
    if "problem" in answer:  # its interpreter did not live to say anything
        return Loading(False, [], [], "", answer["problem"])
    loading = Loading(**answer)
    if loading.revisions and "problem" in loading.revisions:
        raise ApplicationError(loading.revisions["problem"])
    return loading


def sandbox_of(site: Site, release: str, database: Database | None) -> Sandbox:
    """The one that a release is loaded in: it writes neither to what is shared, nor to itself, nor to its database.

    Without a name, it may write to itself, as it has to where it is built.
    """
    discarded = [site.path("shared")] + ([site.path("releases", release)] if release else [])
    for folder in (os.path.realpath(folder) for one in members_of(database) for folder in one.folders()):
        if os.path.isdir(folder) and not any((folder + "/").startswith(path + "/") for path in discarded):
            discarded.append(folder)
    return Sandbox(site.name, tuple(discarded))
