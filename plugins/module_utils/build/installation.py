# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The installation of a virtual environment: by uv, as the application's user."""

from __future__ import annotations

import contextlib
import grp
import os
import re
import shutil
import tempfile
from typing import Iterator

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.build.diagnosis import explain
from ansible_collections.selfhost.flask.plugins.module_utils.build.environment import Environment, lacks_pkg_resources
from ansible_collections.selfhost.flask.plugins.module_utils.build.git_access import GitAccess
from ansible_collections.selfhost.flask.plugins.module_utils.build.inputs import Inputs
from ansible_collections.selfhost.flask.plugins.module_utils.build.needs import find_needs
from ansible_collections.selfhost.flask.plugins.module_utils.build.needs_check import other_lock
from ansible_collections.selfhost.flask.plugins.module_utils.build.pythons import Interpreter, Pythons
from ansible_collections.selfhost.flask.plugins.module_utils.build.scm import scm_variables
from ansible_collections.selfhost.flask.plugins.module_utils.build.uv import installed_uv
from ansible_collections.selfhost.flask.plugins.module_utils.common import process
from ansible_collections.selfhost.flask.plugins.module_utils.common.tree import Tree
from ansible_collections.selfhost.flask.plugins.module_utils.flask.sandbox import Sandbox
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import give_tree, read_link, replace_link, seal_tree
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

PKG_RESOURCES = "setuptools<81"  # the last ones that have it
PYTHONS = ("3.15", "3.14", "3.13", "3.12", "3.11", "3.10", "3.9", "3.8")  # for which a package may be ready-made
FAILED = "The requirements of %(file)s can't be installed (exit code %(code)d).\n%(said)s\n%(state)s %(advice)s"
WHEELS_OF_OTHERS = re.compile(r"has no (?:usable wheels|wheels with a matching)")
SHADOWED = (
    "If the index beside PyPI has it for another Python or processor alone, PyPI is not asked. Set app_index_strategy to "
    "unsafe-best-match, unless that index has private packages."
)
KILLED = (-9, 137)  # by the kernel; uv itself, or as a shell says it
NO_MEMORY = (
    "Something ended it from outside: most likely the server has too little memory, which `journalctl -k` then says. Set "
    "base_swap_mb to 1024, or take a server with more memory, and run site.yml."
)
FIX = "Fix what it says, such as a requirement in %s, and run the playbook again."


class Installation:
    """An environment in the making."""

    def __init__(self, module: AnsibleModule, tree: Tree, path: str, python: Interpreter) -> None:
        self.module = module
        self.python = python
        self.params = module.params
        self.path = path
        self.inputs = Inputs(tree, find_needs(tree, self.params), self.params)
        self.access = GitAccess(self.params)
        self.module.no_log_values.update(self.access.secrets(self.inputs.texts))
        self.scm = scm_variables(tree, self.params["scm_version"])
        self.uv = ""
        self.variables = {}

    def make(self) -> None:
        """Installs everything as the user and gives the result to root."""
        if os.path.lexists(self.path):
            shutil.rmtree(self.path)
        os.mkdir(self.path, 0o755)
        give_tree(self.path, self.params["user"])
        self.uv = installed_uv(self.module)
        if self.python.is_fetched:
            Pythons(self.module).fetch(self.python, os.path.dirname(self.path))
        # By its own name: `python3` is another one after an upgrade of the distribution.
        python = os.path.realpath(self.python.path)
        with self.workshop() as folder:
            self.variables = self.find_variables(folder)
            self.run([self.uv, "venv", "--quiet", "--allow-existing", "--python", python, self.path])
            for packages in self.steps(folder):
                self.install(packages)
            if lacks_pkg_resources(self.path):
                self.install([PKG_RESOURCES])
        seal_tree(self.path)
        os.sync()  # or the loss of the power leaves empty files in what is said to be complete

    @contextlib.contextmanager
    def workshop(self) -> Iterator[str]:
        """A folder for what the installation alone needs. The user can read it, and nobody else but root."""
        folder = tempfile.mkdtemp(prefix="selfhost-requirements-")
        try:
            os.chown(folder, 0, grp.getgrnam(self.params["user"]).gr_gid)
            os.chmod(folder, 0o750)
            yield folder
        finally:
            shutil.rmtree(folder)

    def install(self, packages: list) -> None:
        self.run([self.uv, "pip", "install", "--quiet", "--compile-bytecode"] + packages)

    def steps(self, folder: str) -> list:
        """What to install: all at once, unless hashes or a lock's format forbid further packages."""
        command = self.inputs.export()
        exported = self.run([self.uv, *command, "--python", self.python.path], os.path.dirname(self.inputs.needs.path)) if command else ""
        own, extra = self.inputs.write(folder, exported), self.params["extra"]
        return [own, extra] if extra and self.inputs.is_exclusive else [own + extra]

    def run(self, command: list, cwd: str = "") -> str:
        """A command as the user, and its output; the last of what it said where it fails."""
        code, out, err = self.run_sandboxed(command, cwd or self.params["release"])
        if code != 0:
            self.fail(code, (err or out).strip(), command)
        return out

    def run_sandboxed(self, command: list, cwd: str) -> tuple[int, str, str]:
        # What builds a package is code of a version that is not served yet: it needs the network, and no data.
        site = Site("", self.params["root"], "")
        sandbox = Sandbox(self.params["user"], hidden=(site.path("shared"), site.path("slots")), network=True)
        return self.module.run_command(
            sandbox.prefix() + command, cwd=cwd, environ_update=self.variables, pass_fds=process.held,
            expand_user_and_vars=False,
        )

    def fail(self, code: int, said: str, command: list) -> None:
        """Ends the module with what uv said, and what helps."""
        name, state = self.inputs.name, Site("", self.params["root"], "").state()
        helpful = NO_MEMORY if code in KILLED else self.shadowed(said) or explain(said, self.wheels_elsewhere, self.python.name)
        last = "\n".join(self.inputs.with_names(said).splitlines()[-20:])
        self.module.fail_json(msg=FAILED % dict(file=name, code=code, said=last, state=state, advice=helpful or FIX % name), command=command)

    def shadowed(self, said: str) -> str:
        """What helps where an index has what is asked for, but not for this host; empty where that is not what uv said."""
        has_more = self.params["extra_index_urls"] or any("extra-index-url" in text for text in self.inputs.texts)
        is_first = self.params["index_strategy"] == "unsafe-first-match"
        return SHADOWED if has_more and is_first and WHEELS_OF_OTHERS.search(said) else ""

    def wheels_elsewhere(self, requirement: str) -> list:
        """The versions of Python for which the index has a package ready-made, from the newest."""
        look = [self.uv, "pip", "install", "--quiet", "--dry-run", "--no-deps", "--only-binary", ":all:"]
        look += ["--target", os.path.join(self.params["cache"], "none"), requirement, "--python-version"]
        return [version for version in PYTHONS if self.run_sandboxed([*look, version], self.params["release"])[0] == 0]

    def find_variables(self, folder: str) -> dict:
        """uv's settings. The indexes are here, not in an argument: they can hold a password."""
        variables = {
            "HOME": self.params["cache"],
            "UV_CACHE_DIR": os.path.join(self.params["cache"], "uv"),
            "UV_NO_CONFIG": "0",
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_SYSTEM_CERTS": "1",
            "UV_LINK_MODE": "copy",
            # an index beside PyPI may have other versions than what is asked for
            "UV_INDEX_STRATEGY": self.params["index_strategy"],
            "VIRTUAL_ENV": self.path,
            "LC_ALL": "C.UTF-8",
        }
        if self.params["index_url"]:
            variables["UV_DEFAULT_INDEX"] = self.params["index_url"]
        if self.params["extra_index_urls"]:
            variables["UV_INDEX"] = " ".join(self.params["extra_index_urls"])
        if self.params["build_constraints"]:
            variables["UV_BUILD_CONSTRAINT"] = self.inputs.write_lines(folder, "build.txt", self.params["build_constraints"])
        variables.update(self.access.variables(self.inputs.texts), **self.scm)
        variables.update(self.access.ssh(self.inputs.texts, folder, self.params["user"]))
        return dict(variables, **self.access.env)


def establish_environment(module: AnsibleModule, tree: Tree) -> tuple[str, bool, dict]:
    """Makes the environment where it is not there yet, and links the release to it: its path, and what changed."""
    environment = Environment(module, tree, module.params["commits"])
    link = os.path.join(tree.folder, ".venv")
    path, ready = environment.find(tree.folder)
    before, target = read_link(link), os.path.relpath(path, os.path.realpath(tree.folder))
    if not ready and other_lock(tree, module.params):
        module.warn(other_lock(tree, module.params))
    if not ready and not module.check_mode:
        Installation(module, tree, path, environment.python).make()
        environment.note(path)
    if before != target and not module.check_mode:
        replace_link(link, target)
    diff = dict(before="venv: %s\n" % before, after="venv: %s\n" % target)
    return path, not ready or before != target, diff


def tree_of(root: str, folder: str) -> Tree:
    """The release that the application's folder is in."""
    name = Site("", root, "").release_name(folder)
    return Tree(folder if name == ".." else os.path.join(root, "releases", name), folder)
