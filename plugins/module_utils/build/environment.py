# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual environment that a release needs: its key, which follows from its content, and whether it is whole."""

from __future__ import annotations

import functools
import glob
import hashlib
import json
import os
import re
from typing import Iterator

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.build.git import Repository, without_user
from ansible_collections.selfhost.flask.plugins.module_utils.build.git_access import GitAccess
from ansible_collections.selfhost.flask.plugins.module_utils.build.needs import find_needs
from ansible_collections.selfhost.flask.plugins.module_utils.build.pythons import SYSTEM_PYTHON, find_interpreter
from ansible_collections.selfhost.flask.plugins.module_utils.build.scm import scm_variables
from ansible_collections.selfhost.flask.plugins.module_utils.build.sources import FULL_COMMIT, Git, Sources
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import read_json, text_of, write_file
from ansible_collections.selfhost.flask.plugins.module_utils.common.manifest import is_unchanged, manifest
from ansible_collections.selfhost.flask.plugins.module_utils.common.tree import Tree
from ansible_collections.selfhost.flask.plugins.module_utils.site.records import linked_venvs
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import COMPLETE, read_link

SETUPTOOLS = re.compile(r"^Requires-Dist: setuptools\b(?!.*\bextra\b)", re.M)
IMPORT = re.compile(r"^\s*(?:import|from)\s+pkg_resources\b", re.M)


class Environment:
    """The one under <root>/venvs that a tree and the task's options ask for."""

    def __init__(self, module: AnsibleModule, tree: Tree, commits: dict) -> None:
        """`commits` says at which commit each git repository in the requirements is."""
        self.module = module
        self.params = module.params
        self.tree = tree
        self.commits = commits
        self.needs = find_needs(tree, self.params)
        self.sources = Sources(tree, self.needs)
        self.venvs = os.path.join(self.params["root"], "venvs")
        self.python = find_interpreter(module, tree)
        self.plain = self._digest(self.python.tag + "\n".join(self.params["extra"]), *self._texts())
        self.settings = self._digest(self.plain, json.dumps(self._settings())) if self._settings() else self.plain

    def _texts(self) -> list:
        return list(self.needs.texts.values()) if self.needs else []

    def _settings(self) -> dict:
        """What of the options and of the world its content follows from, beside the requirements' own text."""
        python = os.path.realpath(self.python.path)
        found = dict(
            indexes=[without_user(url) for url in [self.params["index_url"] or "", *self.params["extra_index_urls"]]],
            strategy=self.params["index_strategy"].replace("unsafe-first-match", ""),
            python="" if python.startswith(SYSTEM_PYTHON) else python,
            extras=self.params["extras"],
            groups=self.params["groups"],
            build=self.params["build_constraints"],
            scm=scm_variables(self.tree, self.params["scm_version"]) if self.sources.local else {},
            git=[self.commits.get(named(one), "") for one in self.sources.git if not is_pinned(one)],
        )
        return {name: value for name, value in found.items() if value not in ("", [], [""], {})}

    @staticmethod
    def _digest(*parts: str) -> str:
        digest = hashlib.sha256()
        for part in parts:
            digest.update(part.encode())
        return digest.hexdigest()[:12]

    @functools.cached_property
    def key(self) -> str:
        """Stands for everything that its content follows from; also the release where it is a part of that.

        An editable package stays in the release's folder, so the environment is that release's alone.
        """
        local = self.sources.digests()
        if self.sources.editable:
            local["release"] = self.tree.top
        return self._digest(self.settings, json.dumps(local, sort_keys=True)) if local else self.settings

    def find(self, release: str) -> tuple[str, bool]:
        """Where a complete one is, or else where it is to be made: not where another release uses it; which of both."""
        own = self.sources.editable
        linked = os.path.normpath(os.path.join(release, read_link(os.path.join(release, ".venv")) or "."))
        known = [path for path in self._named() if not own or path == linked]
        found = [path for path in known if self.is_usable(path)]
        if found:
            return linked if linked in found else found[0], True
        used = set(self._used(release))
        return next(path for path in self._names() if path not in used or not os.path.exists(path)), False

    def _named(self) -> list:
        """The environments that were made for a key, also those of an earlier name."""
        paths = [os.path.join(self.venvs, name) for name in sorted(os.listdir(self.venvs))]
        keys = {path: (os.path.basename(path).partition("-")[0], record_of(path).get("key")) for path in paths}
        return [path for path in paths if self.key in keys[path]]

    def _names(self) -> Iterator[str]:
        path, number = os.path.join(self.venvs, self.key), 1
        while True:
            yield path if number == 1 else "%s-%d" % (path, number)
            number += 1

    def _used(self, release: str) -> Iterator[str]:
        """The environments of the other releases."""
        releases = os.path.join(self.params["root"], "releases")
        for name in os.listdir(releases):
            folder = os.path.join(releases, name)
            if not (release + os.sep).startswith(folder + os.sep):
                yield from (os.path.join(self.venvs, os.path.basename(link)) for link in linked_venvs(folder))

    def is_usable(self, path: str) -> bool:
        """Whether one is complete and as it was made."""
        return is_complete(path) and (self.adopt(path) or (record_of(path) and is_unchanged(path, COMPLETE)))

    def adopt(self, path: str) -> bool:
        """Notes how one is that was made before that was noted; whether it was such a one, and is right."""
        if record_of(path):
            return False
        content = self.sources.local or self.sources.is_dynamic or any(not is_pinned(one) for one in self.sources.git)
        right = os.path.basename(path) == self.plain and not content and not lacks_pkg_resources(path)
        if right and not self.module.check_mode:
            self.note(path)
        return right

    def note(self, path: str) -> None:
        """Marks one as complete, with all that is needed to see whether it stays as it is."""
        about = dict(key=self.key, settings=self.settings, files=manifest(path, COMPLETE))
        write_file(os.path.join(path, COMPLETE), json.dumps(about).encode() + b"\n", 0o644)

    def problem_of(self, release: str) -> str | None:
        """What of a launched release's environment is damaged, nothing where it is another one, None where it is right.

        The release's own files are known to be the same, so the key need not be found out again.
        """
        link = read_link(os.path.join(release, ".venv"))
        path = os.path.normpath(os.path.join(release, link))
        if not link:
            return None
        if not is_complete(path):
            return "its environment is not complete"
        if not record_of(path):
            return None if self.adopt(path) else ""
        if record_of(path)["settings"] != self.settings:
            return ""
        return None if is_unchanged(path, COMPLETE) else "a file in its environment differs"


def is_complete(path: str) -> bool:
    """Whether it is there, and its interpreter with it."""
    return all(os.path.exists(os.path.join(path, name)) for name in (COMPLETE, "bin/python"))


def record_of(path: str) -> dict:
    """What was noted when an environment was made; nothing of one that is older than such notes."""
    return read_json(os.path.join(path, COMPLETE)) or {}


def is_pinned(source: Git) -> bool:
    return bool(FULL_COMMIT.fullmatch(source.version))


def named(source: Git) -> str:
    """A git repository among the requirements, without what its URL may hold of a secret."""
    return "%s@%s" % (without_user(source.url), source.version)


def resolve_sources(module: AnsibleModule, tree: Tree, known: dict) -> dict:
    """The present commit of each git repository in a tree's requirements that is not asked for by one."""
    found, access = dict(known), GitAccess(module.params)
    for source in Sources(tree, find_needs(tree, module.params)).git:
        if not is_pinned(source) and named(source) not in found:
            with Repository(module, access.url_of(source.url), module.params["key"]).access() as repository:
                found[named(source)] = repository.resolve(source.version)[1]
    return found


def lacks_pkg_resources(path: str) -> bool:
    """Whether a package in it needs pkg_resources, which the setuptools that it has got brings no more."""
    for folder in glob.glob(os.path.join(glob.escape(path), "lib", "python3*", "site-packages")):
        if not os.path.exists(os.path.join(folder, "pkg_resources")):
            return any(needs_pkg_resources(about) for about in glob.glob(os.path.join(glob.escape(folder), "*.dist-info")))
    return False


def needs_pkg_resources(about: str) -> bool:
    """Flask before 2.1 finds its commands by it without saying so; others ask for setuptools, and import it."""
    flask = re.match(r"flask-(\d+)\.(\d+)", os.path.basename(about).lower())
    if flask:
        return tuple(map(int, flask.groups())) < (2, 1)
    return bool(SETUPTOOLS.search(text_of(os.path.join(about, "METADATA")))) and any(
        IMPORT.search(text_of(os.path.join(os.path.dirname(about), file))) for file in code_of(about)
    )


def code_of(about: str) -> Iterator[str]:
    """The Python files of a package that is installed, relative to the folder that it is in."""
    for line in text_of(os.path.join(about, "RECORD")).splitlines():
        name = line.rsplit(",", 2)[0].strip('"')
        if name.endswith(".py"):
            yield name
