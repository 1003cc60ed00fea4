#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flask_venv
short_description: Gives a release of a Flask application its virtual environment
version_added: 0.1.0
description:
  - Makes C(<root>/venvs/<key>), where the key stands for the requirements, the extra packages and the
    version of Python, and links C(.venv) in the release to it. Releases that need the same share one,
    so an update of the code alone installs nothing.
  - Reads C(requirements.txt) with the files that it includes, or the dependencies of
    C(pyproject.toml).
  - Packages are built and installed by O(user), not by root, in a sandbox that has the network, but neither
    C(<root>/shared) nor a database server's socket; the finished environment belongs to
    root. One whose making was interrupted is made again.
  - C(uv) installs them. It is taken from the package index once for each host.
extends_documentation_fragment: selfhost.flask.site
attributes:
  check_mode:
    description: Says whether an environment would be made.
    support: full
  diff_mode:
    description: Shows the environment that the release uses and will use.
    support: full
  idempotent:
    description: An environment that is complete is used as it is.
    support: full
options:
  release:
    description: The application's folder in the release.
    type: path
    required: true
  user:
    description: System user who installs the packages.
    type: str
    required: true
  extra:
    description: Packages to install beside the application's own.
    type: list
    elements: str
    default: []
  requirements:
    description: The requirements' file, relative to the release. Found where empty.
    type: str
    default: ""
  python:
    description: The Python interpreter of the environment.
    type: path
    default: /usr/bin/python3
  index_url:
    description: Package index to use instead of PyPI.
    type: str
  extra_index_urls:
    description: Further package indexes, such as one with wheels for a Raspberry Pi.
    type: list
    elements: str
    default: []
  cache:
    description: Folder for downloaded packages. It belongs to O(user).
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Install the requirements
  selfhost.flask.flask_venv:
    root: /srv/blog
    release: /srv/blog/releases/v1.2-7f7c99a2
    user: blog
    extra: [gunicorn, pymysql]
    cache: /var/cache/blog
"""

RETURN = r"""
path:
  description: The virtual environment.
  type: str
  returned: always
  sample: /srv/blog/venvs/3f1d0c7a52e9
requirements:
  description: The file that the packages were read from.
  type: str
  returned: when the release is there
"""

import contextlib
import fcntl
import glob
import hashlib
import os
import re
import shutil

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils._arguments import SITE
from ansible_collections.selfhost.flask.plugins.module_utils import _site
from ansible_collections.selfhost.flask.plugins.module_utils._files import write_file
from ansible_collections.selfhost.flask.plugins.module_utils._release import (
    give_tree,
    read_link,
    replace_link,
    seal_tree,
)
from ansible_collections.selfhost.flask.plugins.module_utils._results import diff_result
from ansible_collections.selfhost.flask.plugins.module_utils._sandbox import Sandbox
from ansible_collections.selfhost.flask.plugins.module_utils._site import Busy, step

COMPLETE = ".complete"
TOOLS = "/usr/local/lib/selfhost-flask"
LOCK = "/run/selfhost-flask-uv.lock"  # not /run/lock, where everybody may put a link
PYTHON_VERSION = "import sys, sysconfig; print(sys.implementation.cache_tag, sysconfig.get_platform())"
NO_UV = (
    "uv can't be installed from the package index: %s\nCheck the host's network, its disk and app_index_url, then run "
    "the playbook again. The served version is untouched."
)
FAILED = "The requirements of %s can't be installed (exit code %d). The served version is untouched. %s"


def requirements_file(release: str, wanted: str) -> str | None:
    """The file that names the requirements, or None."""
    for name in [wanted] if wanted else ["requirements.txt", "pyproject.toml"]:
        if os.path.isfile(os.path.join(release, name)):
            return os.path.join(release, name)
    return None


def read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def included(path: str) -> list:
    """A requirements file and, each once, those that it includes."""
    found, waiting = [], [path]
    while waiting:
        path = waiting.pop()
        if path in found or not os.path.isfile(path):
            continue
        found.append(path)
        names = re.findall(r"^\s*(?:-r|-c|--requirement|--constraint)[ =]*(\S+)", read(path), re.M)
        waiting.extend(os.path.normpath(os.path.join(os.path.dirname(path), name)) for name in names)
    return found


class Environment:
    """One virtual environment under <root>/venvs."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.params = module.params
        self.requirements = requirements_file(self.params["release"], self.params["requirements"])
        if self.requirements is None:
            module.fail_json(
                msg="%s has no requirements.txt and no pyproject.toml. Add one to the repository, or set "
                "app_requirements to the file's name." % self.params["release"]
            )
        self.path = os.path.join(self.params["root"], "venvs", self.key())

    def key(self) -> str:
        """Stands for everything that an environment's content follows from."""
        code, version, error = self.module.run_command([self.params["python"], "-c", PYTHON_VERSION])
        if code != 0:
            self.module.fail_json(msg="%s does not run: %s" % (self.params["python"], error.strip()))
        digest = hashlib.sha256((version + "\n".join(self.params["extra"])).encode())
        for path in included(self.requirements):
            digest.update(read(path).encode())
        return digest.hexdigest()[:12]

    def complete(self) -> bool:
        """Whether it is there, and its interpreter with it."""
        return all(os.path.exists(os.path.join(self.path, name)) for name in (COMPLETE, "bin/python"))

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
            self.run([uv, "pip", "install", "--quiet", "--compile-bytecode"] + packages)
        seal_tree(self.path)
        os.sync()  # or the loss of the power leaves empty files in what is said to be complete
        write_file(os.path.join(self.path, COMPLETE), b"", 0o644)

    def steps(self) -> list:
        """What to install: all at once, unless hashes forbid packages without one."""
        own, extra = ["-r", self.requirements], self.params["extra"]
        hashed = any("--hash=" in read(path) for path in included(self.requirements))
        return [own, extra] if hashed and extra else [own + extra]

    def run(self, command: list) -> None:
        """A command as the user; the last of what it said where it fails."""
        # What builds a package is code of a version that is not served yet: it needs the network, and no data.
        sandbox = Sandbox(self.params["user"], hidden=(os.path.join(self.params["root"], "shared"),), network=True)
        code, out, err = self.module.run_command(
            sandbox.prefix() + command, cwd=self.params["release"], environ_update=self.variables(), pass_fds=_site.held
        )
        if code != 0:
            last = "\n".join((err or out).strip().splitlines()[-20:])
            self.module.fail_json(msg=FAILED % (self.requirements, code, last), command=command)

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


def install_uv(module: AnsibleModule) -> None:
    """Puts it beside its place and moves it there when it is whole."""
    wheels = glob.glob("/usr/share/python-wheels/pip-*.whl")
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
        module.fail_json(msg=NO_UV % error.strip()[-2000:])
    os.sync()
    shutil.rmtree(TOOLS, ignore_errors=True)
    os.rename(new, TOOLS)


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            SITE,
            release=dict(type="path", required=True),
            user=dict(type="str", required=True),
            extra=dict(type="list", elements="str", default=[]),
            requirements=dict(type="str", default=""),
            python=dict(type="path", default="/usr/bin/python3"),
            index_url=dict(type="str", no_log=True),
            extra_index_urls=dict(type="list", elements="str", default=[], no_log=True),
            cache=dict(type="path", required=True),
        ),
        supports_check_mode=True,
    )
    if module.check_mode and not os.path.isdir(module.params["release"]):
        module.exit_json(changed=True, path="")
    environment = Environment(module)
    link = os.path.join(module.params["release"], ".venv")
    before, missing = read_link(link), not environment.complete()
    target = os.path.relpath(environment.path, os.path.realpath(module.params["release"]))
    if not module.check_mode:
        try:
            with step(module.params["root"]):
                if missing:
                    environment.make()
                if before != target:
                    replace_link(link, target)
        except Busy as error:
            module.fail_json(msg=str(error))
    diff = dict(before="venv: %s\n" % before, after="venv: %s\n" % target)
    module.exit_json(
        changed=missing or before != target,
        path=environment.path,
        requirements=environment.requirements,
        **diff_result(module, diff),
    )


if __name__ == "__main__":
    main()
