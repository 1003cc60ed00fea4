# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands of the user's that change an application's data: before its first launch, or in the place of its migrations."""

from __future__ import annotations

import os

from ansible_collections.selfhost.flask.plugins.module_utils.common.files import read_json, write_file
from ansible_collections.selfhost.flask.plugins.module_utils.database.database import VERSION_TABLE
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.deployment import Deployment
from ansible_collections.selfhost.flask.plugins.module_utils.flask.application import ApplicationError, FlaskApp
from ansible_collections.selfhost.flask.plugins.module_utils.site.records import SERVED, Records
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import remove
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

BEGUN = "first-run"  # what is in shared/ may be from an attempt that failed
LOGS = "logs"
FAILED = "It is in %s. Fix it, or what it lacks."
UNSEEN = (
    "flask_first_run is for an empty database, and nobody can see here whether %s is empty. Run the commands yourself, and take "
    "flask_first_run out. Nothing was changed."
)
NOT_EMPTY = "flask_first_run was not run, because the application has data: %s."


def run_line(app: FlaskApp, line: str, variable: str) -> None:
    """Runs a line for the shell in a release; ApplicationError where it fails."""
    result = app.run_line(line)
    if result.code != 0:
        raise ApplicationError(app.report(result, FAILED % variable))


class FirstRun:
    """What is run once, before the first release is launched, if the application has no data yet."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.site = deployment.site
        self.mark = self.site.own(BEGUN)
        self.lines = self._due()

    def _due(self) -> list:
        """The commands that are to be run; the module warns where data is there already."""
        lines = self.deployment.params["first_run"]
        if not lines or any(entry["outcome"] == SERVED for entry in Records(self.site).entries):
            return []
        data = self.deployment.data()
        if data.missing:
            raise ApplicationError(UNSEEN % data.lacks())
        if data.database:
            found = sorted(name for name in data.database.tables() if not name.startswith(VERSION_TABLE))
        else:
            found = [] if os.path.exists(self.mark) else own_files(self.site)
        if found:
            self.deployment.module.warn(NOT_EMPTY % ", ".join(found[:3]))
        return [] if found else lines

    def run(self, app: FlaskApp) -> None:
        """Runs them; they run again if the deployment fails, then or later."""
        write_file(self.mark, b"", 0o600)
        for line in self.lines:
            run_line(app, line, "flask_first_run")

    def end(self) -> None:
        """A release is served, so nothing is the first any more."""
        remove(self.mark)


def own_files(site: Site) -> list:
    """The application's files in shared/, but for its logs and what releases have brought."""
    shared, brought = site.path("shared"), read_json(site.path("deployment", "shared.json")) or {}
    found = []
    for path, folders, files in os.walk(shared):
        inside = os.path.relpath(path, shared)
        folders[:] = [] if inside == LOGS else sorted(folders)
        names = [] if inside in (".", LOGS) else [os.path.join(inside, name) for name in sorted(files)]
        found += [name for name in names if name not in brought]
    return found
