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

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

TOOLS = "/usr/local/lib/selfhost-flask"
LOCK = "/run/selfhost-flask-uv.lock"  # not /run/lock, where everybody may put a link
NO_UV = (
    "uv can't be installed from the package index: %s\nCheck the host's network, its disk and app_index_url, then run "
    "the playbook again. %s"
)


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
