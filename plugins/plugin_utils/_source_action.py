# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugins of modules that take a version's source from a URL, or from a folder on this machine."""

from __future__ import annotations

import tempfile

from ansible.plugins.action import ActionBase
from ansible_collections.selfhost.flask.plugins.module_utils.build.git import GitError
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import ReleaseError
from ansible_collections.selfhost.flask.plugins.plugin_utils._local_source import LocalSource, is_local


class SourceAction(ActionBase):
    """Runs the module with what a version is here, and sends that if the host asks for it."""

    TRANSFERS_FILES = False

    def execute_with_source(self, arguments: dict, task_vars: dict | None) -> dict:
        if not is_local(arguments.get("repo") or ""):
            return self._execute_module(module_args=arguments, task_vars=task_vars)
        try:
            source = LocalSource(arguments["repo"], arguments.get("version") or "HEAD")
            result = self._execute(arguments, source.about(), task_vars)
            if "wanted" in result:
                result = self._execute_with_bundle(source, arguments, result, task_vars)
        except (GitError, ReleaseError) as error:
            return dict(failed=True, msg=str(error), step="Check out the version")
        said = source.uncommitted()
        return dict(result, warnings=[*result.get("warnings", []), said]) if said else result

    def _execute(self, arguments: dict, about: dict, task_vars: dict | None) -> dict:
        return self._execute_module(module_args=dict(arguments, source=about), task_vars=task_vars)

    def _execute_with_bundle(self, source: LocalSource, arguments: dict, first: dict, task_vars: dict | None) -> dict:
        """The same in the session that was begun, with a file in a folder that only the one who logs in can read."""
        shell = self._connection._shell
        begun = {name: first[name] for name in ("session",) if name in first}
        with tempfile.TemporaryDirectory(prefix="selfhost-source-") as folder:
            bundle = source.pack(folder, arguments.get("submodules", True))
            if shell.tmpdir is None:
                self._make_tmp_path()
            there = self._transfer_file(bundle, shell.join_path(shell.tmpdir, "source.bundle"))
        try:
            about = dict(source.about(), bundle=there, history=source.history(first["wanted"]))
            result = self._execute(dict(arguments, **begun), about, task_vars)
        finally:
            self._remove_tmp_path(shell.tmpdir)
        recovered = first.get("recovered")
        return dict(result, recovered=recovered, changed=True) if recovered else result
