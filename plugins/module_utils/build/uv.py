# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""uv, which installs everything, and which Debian's own pip installs once for each host."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import shutil
import time
from typing import Iterator

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

TOOLS = "/usr/local/lib/selfhost-flask"
MONTH = 30 * 86400  # seconds
LOCK = "/run/selfhost-flask-uv.lock"  # not /run/lock, where everybody may put a link
NO_UV = (
    "uv can't be installed from the package index: %s\nCheck the host's network, its disk and app_index_url, then run "
    "the playbook again. %s"
)


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """What is for the whole host is one run's: two applications may be deployed at once."""
    with open(LOCK, "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def find_uv() -> str:
    """Where uv is; empty where it was not installed yet."""
    path = os.path.join(TOOLS, "bin", "uv")
    return path if os.path.exists(path) else ""


def installed_uv(module: AnsibleModule) -> str:
    """The path of uv, which Debian's own pip installs once, from the index, and again where it does not run."""
    with locked():
        if not runs(module, os.path.join(TOOLS, "bin", "uv")):
            problem = install_uv(module)
            if problem:
                module.fail_json(msg=NO_UV % (problem, Site("", module.params["root"], "").state()))
    return find_uv()


def renewed_uv(module: AnsibleModule) -> str:
    """The same, once a month the newest one: which Pythons there are is written into it."""
    path = installed_uv(module)
    with locked():
        if time.time() - os.path.getmtime(path) > MONTH and not module.check_mode and install_uv(module):
            module.warn("uv can't be renewed, so it knows no newer Pythons. The run goes on with the one that is there.")
    return find_uv()


def runs(module: AnsibleModule, path: str) -> bool:
    """Whether a program is there, and whole."""
    with contextlib.suppress(OSError):
        return os.access(path, os.X_OK) and module.run_command([path, "--version"], handle_exceptions=False)[0] == 0
    return False


def pip_wheels() -> list:
    return glob.glob("/usr/share/python-wheels/pip-*.whl")


def install_uv(module: AnsibleModule) -> str:
    """Puts it beside its place and moves it there when it is whole; else what the problem is."""
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
        return error.strip()[-2000:] or "pip ended with exit code %d." % code
    os.sync()
    os.utime(os.path.join(new, "bin", "uv"))
    shutil.rmtree(TOOLS, ignore_errors=True)
    os.rename(new, TOOLS)
    return ""
