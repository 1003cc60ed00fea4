# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups that are kept off the host, by restic. Nothing secret is in an argument."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile

from ansible_collections.selfhost.flask.plugins.module_utils.common.process import LAST_LINES, CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

ENVIRONMENT = "backup-restic.json"  # RESTIC_REPOSITORY, and what the place of it needs
PASSWORD = "backup-restic.password"


class Restic:
    """An application's backups in a repository; a snapshot has one of them."""

    def __init__(self, site: Site, environment: dict, of: str = "") -> None:
        """The backups are the application's own, or those of another one that uses the same repository."""
        self.tag = "flask-" + (of or site.name)
        self.environment = dict(
            os.environ,
            LC_ALL="C.UTF-8",
            RESTIC_PASSWORD_FILE=site.own(PASSWORD),
            RESTIC_CACHE_DIR="/var/cache/restic-flask-" + site.name,
        )
        self.environment.update(environment)

    def run(self, *arguments: str) -> bytes:
        """What restic prints; CommandError where it fails."""
        try:
            done = subprocess.run(
                ["restic", *arguments], stdin=subprocess.DEVNULL, capture_output=True, env=self.environment, check=False
            )
        except OSError as error:
            raise CommandError("restic can't be run: %s. Run `selfhost.flask.site`, which installs it." % error) from error
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-LAST_LINES:]
            message = "`restic %s` ended with exit code %d: %s"
            raise CommandError(message % (arguments[0], done.returncode, "\n".join(said)))
        return done.stdout

    def prepare(self) -> None:
        """Makes the repository where there is none."""
        try:
            self.run("cat", "config")
        except CommandError as error:
            try:
                self.run("init")
            except CommandError as refused:
                message = "The repository can't be opened: %s\nIt can't be made: %s"
                raise CommandError(message % (error, refused)) from error

    def save(self, path: str) -> None:
        """Copies a backup."""
        self.prepare()
        self.run("backup", "--quiet", "--tag", self.tag, path)

    def forget(self, keep: dict) -> None:
        """Removes the backups that the rule does not keep."""
        rule = [argument for name in sorted(keep) for argument in ("--keep-" + name, str(keep[name]))]
        self.run("unlock")  # only what a dead restic has left
        self.run("forget", "--quiet", "--tag", self.tag, "--group-by", "host,tags", "--keep-within", "1d", *rule, "--prune")

    def check(self) -> None:
        """CommandError where the repository is damaged."""
        self.run("check", "--quiet")

    def snapshots(self) -> dict:
        """(identity, path) by the backup's name."""
        found = json.loads(self.run("snapshots", "--json", "--tag", self.tag).decode()) or []
        found.sort(key=lambda one: one["time"])
        made = [(one["id"], *one["paths"]) for one in found if len(one["paths"]) == 1]
        return {os.path.basename(path): (identity, path) for identity, path in made}

    def fetch(self, identity: str, path: str, target: str) -> None:
        """Brings a backup back, in place of what is at the target."""
        with tempfile.TemporaryDirectory(prefix=".", suffix=".new", dir=os.path.dirname(target)) as folder:
            self.run("restore", identity, "--target", folder)
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(target)
            os.rename(os.path.join(folder, path.lstrip("/")), target)


def restic_of(site: Site, of: str = "") -> Restic | None:
    """The repository that the host's settings name, or None; with the backups of another application if that is named."""
    try:
        with open(site.own(ENVIRONMENT), encoding="utf-8") as file:
            return Restic(site, json.load(file), of)
    except FileNotFoundError:
        return None
