# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the folder of a project on the controller; documented with the module of this name."""

from __future__ import annotations

import os
import tempfile
from urllib.parse import urlsplit

from ansible.plugins.action import ActionBase
from ansible_collections.selfhost.flask.plugins.module_utils.build.git import GitError, Repository, newest_tag
from ansible_collections.selfhost.flask.plugins.module_utils.common.pages import PAGE
from ansible_collections.selfhost.flask.plugins.plugin_utils._discovery import Found, discover, find_tree
from ansible_collections.selfhost.flask.plugins.plugin_utils._local_source import Controller, is_local
from ansible_collections.selfhost.flask.plugins.plugin_utils._project import UNPACKAGED, Project, app_of, write_project

SPEC = dict(
    repo=dict(type="str", required=True),
    host=dict(type="str", required=True),
    folder=dict(type="path", default="."),
    email=dict(type="str", default=""),
    app=dict(type="str", default=""),
)
NO_GIT = "git is not installed on this computer. Install it."
SECRET_IN_URL = (
    "The URL of the repository has a password or a token in it, which would be in the inventory. Leave it out, and see "
    + PAGE % "settings" + "#a-private-repository. Nothing was written."
)
UNREADABLE = "%s\nCheck that this computer can read it, by `git ls-remote`, and run it again. Nothing was written."


class ActionModule(ActionBase):
    """Looks into a repository, and writes what is not there yet."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict | None = None) -> dict:
        result = super().run(tmp, task_vars)
        dummy, arguments = self.validate_argument_spec(argument_spec=SPEC)
        repo = os.path.abspath(os.path.expanduser(arguments["repo"])) if is_local(arguments["repo"]) else arguments["repo"]
        if not is_local(repo) and urlsplit(repo).password:
            return dict(result, failed=True, msg=SECRET_IN_URL)
        try:
            found, tag = look_into(repo)
        except GitError as error:
            said = str(error)
            return dict(result, failed=True, msg=said if said == NO_GIT else UNREADABLE % said)
        app = arguments["app"] or app_of(repo)
        folder = os.path.abspath(arguments["folder"])
        project = Project(folder, app, repo, arguments["host"], arguments["email"], tag, found)
        written, kept = ([], []) if self._task.check_mode else write_project(project)
        return dict(result, changed=bool(written), folder=folder, written=written, kept=kept, lines=shown(project, kept))


def look_into(repo: str) -> tuple[Found, str]:
    """What the newest commit of the default branch says, and the newest tag."""
    repository = Repository(Controller(), repo)
    if repository.git is None:
        raise GitError(NO_GIT)
    references = repository.references()
    with tempfile.TemporaryDirectory(prefix="selfhost-project-") as folder:
        top = os.path.join(folder, "tree")
        repository.checkout(*repository.resolve("HEAD"), top)
        return discover(find_tree(top)), tag_of(references)


def shown_service(name: str) -> str:
    return name + (" (needs a package source, see inventory.yml)" if name in UNPACKAGED else "")


def tag_of(references: dict) -> str:
    try:
        return newest_tag(references)
    except GitError:
        return ""


def shown(project: Project, kept: list) -> list:
    """What was found, for a person, and what is to be done next."""
    found = project.found
    known = {
        "entrypoint": found.entrypoint and "%s (%s)" % (found.entrypoint, found.entrypoint_from),
        "Python": found.python and "%s (%s)" % (found.python, found.python_from) or "the server's own",
        "requirements": found.requirements,
        "migrations": found.migrations and found.migrations + "/",
        "database": found.database and "%s (%s)" % (found.database, found.database_from) or "the default, unless you choose another",
        "services": ", ".join(map(shown_service, found.services)) or "none",
        "settings": ", ".join(found.settings) or "no .env.example",
    }
    lines = ["%s: %s" % (name, said or "NOT FOUND, please set it") for name, said in known.items()] + list(found.problems)
    lines += ["%s was there already, and is as it was." % name for name in kept]
    return lines + ["Now read inventory.yml in %s, and deploy there by: ansible-playbook selfhost.flask.site" % project.folder]
