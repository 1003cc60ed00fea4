# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The interpreter of an environment: one of the host's, or one that uv fetches once for all applications of the host."""

from __future__ import annotations

import glob
import json
import os
import re
from typing import NamedTuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.build.specifiers import numbers
from ansible_collections.selfhost.flask.plugins.module_utils.build.uv import find_uv, locked, renewed_uv, runs
from ansible_collections.selfhost.flask.plugins.module_utils.build.wishes import Wish, find_wish
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import make_folders
from ansible_collections.selfhost.flask.plugins.module_utils.common.tree import Tree, printable
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import ReleaseError, remove, seal_tree
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

SYSTEM_PYTHON = "/usr/bin/python3"
FOLDER = "/usr/local/lib/selfhost-python"
USERS = ".users"  # in it: a link to the environments of each application
DESCRIBE = "import sys, sysconfig; print(sys.implementation.cache_tag, sysconfig.get_platform()); print(*sys.version_info[:3], sep='.')"
NO_PYTHON = "%s does not run: %s. Set flask_python to an interpreter that the host has, or to a version."
NOT_HAD = "%s asks for Python %s, which uv does not have for this host. It has %s. Set flask_python to one of these%s."
NOT_FETCHED = (
    "Python %s can't be fetched: %s\nCheck the host's network, or set app_python_mirror to where it can be fetched from, then "
    "run the playbook again. %s"
)


class Interpreter(NamedTuple):
    """One that an environment is made with."""

    path: str
    tag: str  # stands for all that compiled packages depend on
    version: str  # such as 3.12.4
    is_fetched: bool = False

    @property
    def name(self) -> str:
        return "Python " + ".".join(self.version.split(".")[:2]) if self.version else self.path


def find_interpreter(module: AnsibleModule, tree: Tree) -> Interpreter:
    """What a release asks for; ReleaseError where that can't be had. Nothing is fetched but uv."""
    given = module.params["python"]
    own, wish = describe(module, given if os.path.isabs(given) else SYSTEM_PYTHON), find_wish(tree, given)
    if wish is None or (own.version and wish.is_met(numbers(own.version))):
        return own
    return Pythons(module).find(wish, own)


def describe(module: AnsibleModule, path: str) -> Interpreter:
    code, said, error = module.run_command([path, "-c", DESCRIBE])
    if code != 0:
        module.fail_json(msg=NO_PYTHON % (path, error.strip()))
    tag, version = (said.splitlines() + [""])[:2]
    return Interpreter(path, tag + "\n", version)


class Pythons:
    """Those that uv has fetched, and those that it could fetch."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.params = module.params

    def find(self, wish: Wish, own: Interpreter) -> Interpreter:
        """The newest patch of what is wished for."""
        version = wish.version(numbers(own.version or "3.12"))
        if not find_uv() and self.module.check_mode:
            return interpreter_of(version, "", version)  # a bare host; the run itself finds out
        renewed_uv(self.module)
        offered = self.offered(version) + self.fetched(version)
        if not offered:
            raise ReleaseError(self.refusal(wish, version))
        return interpreter_of(version, *max(offered, key=lambda one: numbers(one[1])))

    def offered(self, version: str = "") -> list:
        """What uv could fetch: its name and its version each."""
        code, said, error = self.module.run_command(
            [find_uv(), "python", "list", "--no-config", "--only-downloads", "--output-format", "json", *filter(None, [version])],
            environ_update=self.variables(),
        )
        if code != 0:
            self.module.warn("The list of Pythons can't be read: %s" % printable(error[-500:]))
            return []
        return [(one["key"], one["version"]) for one in json.loads(said) if is_plain(one)]

    def fetched(self, version: str) -> list:
        """What it has fetched already."""
        found = [os.path.basename(path) for path in glob.glob(os.path.join(FOLDER, "cpython-3.*.*-*"))]
        pairs = [(name, name.split("-")[1]) for name in found]
        return [pair for pair in pairs if (pair[1] + ".").startswith(version + ".") and re.fullmatch(r"[\d.]+", pair[1])]

    def refusal(self, wish: Wish, version: str) -> str:
        names = [one[1] for one in self.offered(".".join(version.split(".")[:2])) or self.offered()]
        other = "" if wish.where == "flask_python" else ", or to system for the one of the distribution"
        return NOT_HAD % (wish.where, version, ", ".join(names) or "none", other)

    def variables(self) -> dict:
        """uv's settings. A mirror's URL is here, not in an argument: it can hold a password."""
        found = {"UV_PYTHON_INSTALL_DIR": FOLDER, "UV_SYSTEM_CERTS": "1", "UV_NO_CACHE": "1", "LC_ALL": "C.UTF-8"}
        options = {"UV_PYTHON_INSTALL_MIRROR": "python_mirror", "UV_PYTHON_DOWNLOADS_JSON_URL": "python_downloads"}
        return dict(found, **{name: self.params[option] for name, option in options.items() if self.params[option]})

    def fetch(self, wanted: Interpreter, venvs: str) -> None:
        """Sees that it is there and whole: root's, and readable for everybody."""
        make_folders(os.path.join(FOLDER, USERS))
        with locked():
            user = place_of(venvs)
            if not os.path.islink(user):
                os.symlink(venvs, user)
            home = os.path.dirname(os.path.dirname(wanted.path))
            if not runs(self.module, wanted.path):
                self.install(wanted.version, home)
                prune(os.path.basename(home))

    def install(self, version: str, home: str) -> None:
        remove(home)
        command = [find_uv(), "python", "install", "--no-config", "--no-bin", "--quiet", version]
        code, dummy, error = self.module.run_command(command, environ_update=self.variables(), umask=0o022)
        if code != 0 or not os.path.isdir(home):
            remove(home)
            self.module.fail_json(
                msg=NOT_FETCHED % (version, error.strip()[-2000:], Site("", self.params["root"], "").state())
            )
        seal_tree(home)
        os.chmod(os.path.join(FOLDER, ".lock"), 0o600)  # uv's own, which everybody could write to
        os.sync()


def place_of(venvs: str) -> str:
    """The link that says which application's environments may be made with one of these."""
    return os.path.join(FOLDER, USERS, re.sub(r"\W", "_", venvs))


def leave_pythons(venvs: str) -> None:
    """An application needs none of them any more."""
    with locked():
        remove(place_of(venvs))
        prune()


def prune(kept: str = "") -> None:
    """Removes those that no application's environment is made with any more."""
    links = glob.glob(os.path.join(FOLDER, USERS, "*", "*", "bin", "python"))
    used = {kept, *(os.path.relpath(os.path.realpath(link), FOLDER).split(os.sep)[0] for link in links)}
    for path in glob.glob(os.path.join(FOLDER, "cpython-*")):
        if os.path.basename(path) not in used:
            remove(path)


def interpreter_of(wish: str, key: str, version: str) -> Interpreter:
    minor = ".".join(version.split(".")[:2])
    return Interpreter(os.path.join(FOLDER, key or wish, "bin", "python" + minor), key or wish, version, True)


def is_plain(one: dict) -> bool:
    """Whether it is CPython, as it is released."""
    usual = one["implementation"] == "cpython" and one.get("variant", "default") == "default"
    return usual and bool(re.fullmatch(r"[\d.]+", one["version"]))
