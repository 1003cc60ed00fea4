# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A version becomes a release, from its source to the files that a slot reads; what is served is untouched."""

from __future__ import annotations

import contextlib
import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.build.build import establish
from ansible_collections.selfhost.flask.plugins.module_utils.build.checkout import repository_of
from ansible_collections.selfhost.flask.plugins.module_utils.build.commands import establish_build
from ansible_collections.selfhost.flask.plugins.module_utils.build.config_files import establish_config_files
from ansible_collections.selfhost.flask.plugins.module_utils.build.git import GitError
from ansible_collections.selfhost.flask.plugins.module_utils.build.installation import establish_environment, tree_of
from ansible_collections.selfhost.flask.plugins.module_utils.build.needs_check import check_needs
from ansible_collections.selfhost.flask.plugins.module_utils.build.services import lack_of_redis
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import text_of
from ansible_collections.selfhost.flask.plugins.module_utils.common.part import Part
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import CommandError
from ansible_collections.selfhost.flask.plugins.module_utils.deployment import program
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.deployment import Deployment
from ansible_collections.selfhost.flask.plugins.module_utils.deployment.ending import PROBLEMS
from ansible_collections.selfhost.flask.plugins.module_utils.flask.entrypoint import EntrypointError
from ansible_collections.selfhost.flask.plugins.module_utils.flask.env_file import (
    HIDDEN,
    establish_settings,
    take_values,
)
from ansible_collections.selfhost.flask.plugins.module_utils.flask.translations import establish_translations
from ansible_collections.selfhost.flask.plugins.module_utils.host.files import bring_about, diff_of
from ansible_collections.selfhost.flask.plugins.module_utils.site.lock import Busy, Lock, step
from ansible_collections.selfhost.flask.plugins.module_utils.site.progress import tell
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import ReleaseError
from ansible_collections.selfhost.flask.plugins.module_utils.site.settings import Settings, read_settings
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

PROBLEMS_OF_A_BUILD = (GitError, EntrypointError, ReleaseError, Busy, CommandError)
COMPILE = ["translate", "compile"]  # of the flask command
UNBUILT = dict(changed=True, launched=False, commits={}, scm_version="", id="", commit="", built=False)


class Build:
    """What one task builds. Each step keeps the application for itself, and the run's lock lives on with it."""

    def __init__(self, module: AnsibleModule, site: Site) -> None:
        self.module = module
        self.params = dict(module.params, user=site.name)
        self.site = site
        self.session = self.params["session"] or self.params["owner"]["id"]
        self.settings = Settings(site)
        self.values = self._take_values()
        self.diffs = []
        self.changed = False

    def run(self) -> dict:
        """All of it; what is known of the release."""
        release = self.source()
        self.note(release["changed"])
        if release["built"] and not release["launched"]:
            self.environment(release)
            self.commands(release)
            self.config_files(release)
        self.write_settings(release)
        if release["built"] and not release["launched"] and release["translations"]:
            self.translations(release)
        self.write_files()
        return release

    def _take_values(self) -> dict:
        """The settings' values, which no result has, so that they hide nothing in it: a path may have the same word.

        Neither has a result the contents of files.
        """
        values = take_values(Part(self.module, "Write the settings to .env", self.module.params["settings"]))
        kept = {value for value in self.module.no_log_values if len(value) > 5}
        contents = self.params["config_files"]
        self.module.params["config_files"] = dict.fromkeys(contents, HIDDEN)
        self.module.no_log_values = kept - set(values.values()) - set(contents.values())
        return values

    def note(self, changed: bool, *diffs: dict) -> None:
        """What a step has done."""
        self.changed = self.changed or changed
        self.diffs += diffs

    @contextlib.contextmanager
    def step(self, name: str, **params: object):
        """A step with options of its own; the module fails with its name where it does."""
        part = Part(self.module, name, dict(self.params, **params))
        if not self.module.check_mode:
            tell(self.site, name)
        try:
            with contextlib.nullcontext() if self.module.check_mode else step(self.site.root):
                yield part
        except PROBLEMS_OF_A_BUILD as error:
            part.fail_json(msg=str(error))

    def source(self) -> dict:
        """The version's source in a release's folder."""
        with self.step("Check out the version") as part:
            repository = repository_of(part)
            if repository.git is None and part.check_mode:
                version = self.params["version"]
                return dict(UNBUILT, path=self.site.path("releases", version), version=version)
            if repository.git is None:
                part.fail_json(msg="git is not installed. Install the package git.")
            with repository.access():
                return establish(part, repository)

    def environment(self, release: dict) -> None:
        """Its virtual environment."""
        known = {name: release[name] for name in ("commits", "scm_version")}
        with self.step("Install the requirements", release=release["path"], **known) as part:
            tree = tree_of(self.site.root, release["path"])
            needs = check_needs(tree, self.params)
            lack = lack_of_redis(needs, dict(read_settings(self.settings.path), **self.values), release["version"])
            if lack:
                part.warn(lack)
            dummy, changed, diff = establish_environment(part, tree)
            self.note(changed, diff)

    def commands(self, release: dict) -> None:
        """What the user's own commands make of it."""
        with self.step("Run the commands of flask_build", release=release["path"]) as part:
            self.note(establish_build(part, tree_of(self.site.root, release["path"]).top))

    def config_files(self, release: dict) -> None:
        """The user's own files in it."""
        with self.step("Write the files of flask_config_files", release=release["path"]) as part:
            establish_config_files(part, tree_of(self.site.root, release["path"]))

    def read_values(self, files: dict) -> dict:
        """The settings that files on the host have, by their keys."""
        with self.step("Write the settings to .env") as part:
            missing = sorted(path for path in files.values() if not os.path.isfile(path))
            if missing and not part.check_mode:
                part.fail_json(msg="There is no %s, which `selfhost.flask.site` makes. Run it." % " and no ".join(missing))
            return {key: text_of(path).strip() for key, path in files.items()}

    def write_settings(self, release: dict) -> None:
        """The keys of .env; beside it until the release is served with them."""
        examples = [os.path.join(folder, ".env.example") for folder in (
            release["path"], self.site.path("releases", release["id"]),
        )]
        wanted = dict(self.params["settings"])
        values = dict(self.values, **self.read_values(wanted.pop("files")))
        about = dict(
            wanted, values=dict.fromkeys(values, HIDDEN), path=self.settings.path, next=self.settings.next, prune=True, absent=[],
            owner="root", group=self.site.name, mode="0640",
            required=wanted["required"] or [], required_from=examples if wanted["required"] is None else [],
        )
        with self.step("Write the settings to .env", **about) as part:
            result = establish_settings(part, values)
            self.note(result["changed"], result["diff"])

    def translations(self, release: dict) -> None:
        """Compiles the catalogues; a release that was launched once does not change any more."""
        about = dict(chdir=release["path"], app=self.params["entrypoint"], settings=self.settings.next)
        with self.step("Compile the translations", command=COMPILE, directory=".", **about) as part:
            result = establish_translations(part)
            self.note(result["changed"], result["diff"])

    def write_files(self) -> None:
        """What the slots read when they are launched; nothing is reloaded."""
        with self.step("Write the slots' configuration", validate=None, services=[]) as part:
            changes, dummy = bring_about(part)
            self.note(bool(changes), *diff_of(changes, []))

    def serves(self, release: dict) -> dict:
        """Whether that is what is served, and is well; then the run has nothing more to do, and ends here."""
        wanted = self.params["serve"]
        if not wanted or not release["launched"] or self.module.check_mode:
            return dict(served=False)
        about = dict(wanted, app=self.params["entrypoint"], release=release["path"], session=self.session)
        deployment = Deployment(Part(self.module, "Look at what is served", dict(self.params, **about)))
        try:
            with step(self.site.root):
                program.install(self.site)
                result = deployment.stay(release["path"]) if deployment.is_settled(release["path"]) else None
        except (Busy, *PROBLEMS):  # the deployment meets it again, and says so
            return dict(served=False)
        if result is None:
            return dict(served=False)
        Lock(self.site).release(self.session)
        self.note(result["changed"])
        return dict(served=True)
