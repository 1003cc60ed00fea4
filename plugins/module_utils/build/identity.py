# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which release a version is: of the same commit there are several, where what shapes a release was set otherwise.

A release that was launched never changes. With other settings, or where somebody has damaged it or its environment, the
version becomes another release.
"""

from __future__ import annotations

import json
import os
import re

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.build.commands import is_made
from ansible_collections.selfhost.flask.plugins.module_utils.build.config_files import is_configured
from ansible_collections.selfhost.flask.plugins.module_utils.build.environment import Environment, resolve_sources
from ansible_collections.selfhost.flask.plugins.module_utils.build.furnishing import is_furnished
from ansible_collections.selfhost.flask.plugins.module_utils.build.submodules import has_submodules
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import read_json, write_file
from ansible_collections.selfhost.flask.plugins.module_utils.common.manifest import is_unchanged, manifest
from ansible_collections.selfhost.flask.plugins.module_utils.common.tree import Tree
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import SEAL, is_sealed, read_link
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

DAMAGED = "%s is not as it was launched: %s. The version is built again, as %s."


class Identity:
    """The releases of a task's version on this host."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.params = module.params
        self.site = Site("", module.params["root"], "")
        self.commits = {}  # of the git repositories in the requirements; each is asked for once

    def find(self, name: str, commit: str) -> tuple[str, bool]:
        """Where the release is or is to be built, and whether it was launched and is right."""
        known, used = self._numbered(release_id(name, commit)), self._in_use()
        sealed = [path for path in known.values() if is_sealed(path)]
        problems = {}
        for path in sorted(reversed(sealed), key=lambda path: path not in used):
            problems[path] = self._problem_of(path)
            if problems[path] is None:
                return path, True
        release = self._free(release_id(name, commit), known, {*sealed, *used})
        for path, problem in problems.items():
            if problem and path in used:
                self.module.warn(DAMAGED % (path, problem, os.path.basename(release)))
        return release, False

    def _numbered(self, name: str) -> dict:
        """The releases of a commit by their numbers; the first one has none."""
        folder = self.site.path("releases")
        pattern = re.compile(re.escape(name) + r"(?:-(\d{1,4}))?")
        found = map(pattern.fullmatch, os.listdir(folder) if os.path.isdir(folder) else [])
        numbers = {int(match.group(1) or 1): os.path.join(folder, match.group()) for match in found if match}
        return dict(sorted(numbers.items()))

    def _free(self, name: str, known: dict, taken: set) -> str:
        """The place of a release that is yet to be built, or whose building was interrupted."""
        number = max(known, default=1)
        number += known.get(number) in taken
        return self.site.path("releases", name + ("-%d" % number if number > 1 else ""))

    def _in_use(self) -> set:
        """The releases that are started, or would be at the next boot."""
        folders = [read_link(self.site.path("slots", slot)) for slot in ("blue", "green")]
        return {self.site.path("releases", self.site.release_name(folder)) for folder in folders if folder}

    def _problem_of(self, release: str) -> str | None:
        """What of a release is damaged, nothing where it has other settings, and None where it is right."""
        if not self._is_intact(release):
            return "a file in it differs"
        tree = Tree(release, os.path.normpath(os.path.join(release, self.params["subfolder"])))
        has_files = is_furnished(self.params, tree.folder) and is_configured(self.params, tree.folder)
        if not has_files or not is_made(self.params, release) or not has_submodules(self.params, release):
            return ""
        return Environment(self.module, tree, self.resolve(tree)).problem_of(tree.folder)

    def _is_intact(self, release: str) -> bool:
        """Whether it is as it was launched; of one from before that was noted, it is noted now."""
        path = os.path.join(release, SEAL)
        about = read_json(path) or {}
        if "files" not in about and not self.module.check_mode:
            write_file(path, json.dumps(dict(about, files=manifest(release, SEAL))).encode() + b"\n", 0o644)
        return is_unchanged(release, SEAL)

    def resolve(self, tree: Tree) -> dict:
        """The commits of the git repositories that a tree's requirements name by a branch or tag."""
        self.commits = resolve_sources(self.module, tree, self.commits)
        return self.commits


def release_id(name: str, commit: str) -> str:
    """A folder's name that says the version and is never shared by two commits."""
    slug = re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.")
    return commit[:12] if commit.startswith(slug) else "%s-%s" % (slug, commit[:8])
