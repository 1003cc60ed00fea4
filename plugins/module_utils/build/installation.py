# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The installation of a virtual environment: as the application's user, by uv, which is installed once."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import shutil

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.build.environment import Environment, lacks_pkg_resources
from ansible_collections.selfhost.flask.plugins.module_utils.build.requirements_files import (
    read_requirements,
    requirements_file,
)
from ansible_collections.selfhost.flask.plugins.module_utils.common import process
from ansible_collections.selfhost.flask.plugins.module_utils.common.tree import Tree
from ansible_collections.selfhost.flask.plugins.module_utils.flask.sandbox import Sandbox
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import give_tree, read_link, replace_link, seal_tree
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

PKG_RESOURCES = "setuptools<81"  # the last ones that have it
TOOLS = "/usr/local/lib/selfhost-flask"
LOCK = "/run/selfhost-flask-uv.lock"  # not /run/lock, where everybody may put a link
NO_UV = (
    "uv can't be installed from the package index: %s\nCheck the host's network, its disk and app_index_url, then run "
    "the playbook again. %s"
)
FAILED = (
    "The requirements of %(file)s can't be installed (exit code %(code)d).\n%(said)s\n%(state)s Mend what it says, "
    "such as a requirement in %(file)s, and run the playbook again."
)


class Installation:
    """An environment in the making."""

    def __init__(self, module: AnsibleModule, tree: Tree, path: str) -> None:
        self.module = module
        self.params = module.params
        self.tree = tree
        self.path = path
        self.requirements = requirements_file(tree, self.params["requirements"])

    def make(self) -> None:
        """Installs everything as the user and gives the result to root."""
        if os.path.lexists(self.path):
            shutil.rmtree(self.path)
        os.mkdir(self.path, 0o755)
        give_tree(self.path, self.params["user"])
        uv = installed_uv(self.module)
        # By its own name: `python3` is another one after an upgrade of the distribution.
        python = os.path.realpath(self.params["python"])
        self.run([uv, "venv", "--quiet", "--allow-existing", "--python", python, self.path])
        for packages in self.steps():
            self.install(uv, packages)
        if lacks_pkg_resources(self.path):
            self.install(uv, [PKG_RESOURCES])
        seal_tree(self.path)
        os.sync()  # or the loss of the power leaves empty files in what is said to be complete

    def install(self, uv: str, packages: list) -> None:
        self.run([uv, "pip", "install", "--quiet", "--compile-bytecode"] + packages)

    def steps(self) -> list:
        """What to install: all at once, unless hashes forbid packages without one."""
        own, extra = ["-r", self.requirements], self.params["extra"]
        texts = read_requirements(self.tree, self.params["requirements"]).values()
        hashed = any("--hash=" in text for text in texts)
        return [own, extra] if hashed and extra else [own + extra]

    def run(self, command: list) -> None:
        """A command as the user; the last of what it said where it fails."""
        # What builds a package is code of a version that is not served yet: it needs the network, and no data.
        site = Site("", self.params["root"], "")
        sandbox = Sandbox(self.params["user"], hidden=(site.path("shared"), site.path("slots")), network=True)
        code, out, err = self.module.run_command(
            sandbox.prefix() + command, cwd=self.params["release"], environ_update=self.variables(), pass_fds=process.held
        )
        if code != 0:
            last = "\n".join((err or out).strip().splitlines()[-20:])
            about = dict(file=self.requirements, code=code, said=last, state=site.state())
            self.module.fail_json(msg=FAILED % about, command=command)

    def variables(self) -> dict:
        """uv's settings. The indexes are here, not in an argument: they can hold a password."""
        variables = {
            "HOME": self.params["cache"],
            "UV_CACHE_DIR": os.path.join(self.params["cache"], "uv"),
            "UV_NO_CONFIG": "0",
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_SYSTEM_CERTS": "1",
            "UV_LINK_MODE": "copy",
            "VIRTUAL_ENV": self.path,
            "LC_ALL": "C.UTF-8",
        }
        if self.params["index_url"]:
            variables["UV_DEFAULT_INDEX"] = self.params["index_url"]
        if self.params["extra_index_urls"]:
            variables["UV_INDEX"] = " ".join(self.params["extra_index_urls"])
        return variables


def installed_uv(module: AnsibleModule) -> str:
    """The path of uv, which Debian's own pip installs once, from the index, and again where it does not run."""
    with open(LOCK, "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two applications of one host may be deployed at once
        if not runs(module, TOOLS):
            install_uv(module)
    return os.path.join(TOOLS, "bin", "uv")


def runs(module: AnsibleModule, folder: str) -> bool:
    """Whether there is a uv that is whole."""
    path = os.path.join(folder, "bin", "uv")
    with contextlib.suppress(OSError):
        return os.access(path, os.X_OK) and module.run_command([path, "--version"], handle_exceptions=False)[0] == 0
    return False


def pip_wheels() -> list:
    return glob.glob("/usr/share/python-wheels/pip-*.whl")


def install_uv(module: AnsibleModule) -> None:
    """Puts it beside its place and moves it there when it is whole."""
    wheels = pip_wheels()
    if not wheels:
        module.fail_json(msg="Debian's pip is missing. Install the package python3-pip-whl.")
    new = TOOLS + ".new"
    shutil.rmtree(new, ignore_errors=True)
    pip = ["/usr/bin/python3", wheels[0] + "/pip", "install", "--quiet", "--root-user-action", "ignore"]
    code, dummy, error = module.run_command(
        pip + ["--no-cache-dir", "--no-compile", "--disable-pip-version-check", "--target", new, "uv"],
        environ_update={"PIP_INDEX_URL": module.params["index_url"]} if module.params["index_url"] else {},
    )
    if code != 0:
        module.fail_json(msg=NO_UV % (error.strip()[-2000:], Site("", module.params["root"], "").state()))
    os.sync()
    shutil.rmtree(TOOLS, ignore_errors=True)
    os.rename(new, TOOLS)


def establish_environment(module: AnsibleModule, tree: Tree) -> tuple[str, bool, dict]:
    """Makes the environment where it is not there yet, and links the release to it: its path, and what changed."""
    environment = Environment(module, tree, module.params["commits"])
    link = os.path.join(tree.folder, ".venv")
    path, ready = environment.find(tree.folder)
    before, target = read_link(link), os.path.relpath(path, os.path.realpath(tree.folder))
    if not ready and not module.check_mode:
        Installation(module, tree, path).make()
        environment.note(path)
    if before != target and not module.check_mode:
        replace_link(link, target)
    diff = dict(before="venv: %s\n" % before, after="venv: %s\n" % target)
    return path, not ready or before != target, diff


def tree_of(root: str, folder: str) -> Tree:
    """The release that the application's folder is in."""
    name = Site("", root, "").release_name(folder)
    return Tree(folder if name == ".." else os.path.join(root, "releases", name), folder)
