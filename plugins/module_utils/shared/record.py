# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Has the application's user bring what a release has for shared/, and keeps what was brought."""

from __future__ import annotations

import json
import os

from ansible_collections.selfhost.flask.plugins.module_utils.common.files import read_json, write_json
from ansible_collections.selfhost.flask.plugins.module_utils.common.process import run
from ansible_collections.selfhost.flask.plugins.module_utils.common.user_program import user_argv
from ansible_collections.selfhost.flask.plugins.module_utils.shared import content, links
from ansible_collections.selfhost.flask.plugins.module_utils.shared.files import places
from ansible_collections.selfhost.flask.plugins.module_utils.site.site import Site

KEPT = (
    "%(name)s was changed on this host, and by the repository too: the host's own stays. Compare "
    "%(shared)s/%(name)s with %(source)s/%(name)s, which is the release's."
)
DATA = (
    "%(name)s is a SQLite database, and the repository has another one now: the host's own stays, because it is the "
    "application's data. The release's is %(source)s/%(name)s."
)


def bring_shared(site: Site, folder: str, replace: bool, failed: str = "") -> list:
    """Brings what is missing, or with `replace` also what the repository has changed; what is to be said of it.

    What is there of a failed release is taken for brought, also where that could not be noted any more.
    """
    source, shared = os.path.join(folder, content.BROUGHT), site.path("shared")
    if not os.path.isdir(source):
        return []
    path = site.own("shared.json")
    program = content.__loader__.get_source(content.__name__)
    argv = ["/usr/bin/python3", "-I", "-c", program, source, shared, "replace" if replace else "missing"]
    argv.append(os.path.join(failed, content.BROUGHT) if failed else "")
    said = json.loads(run(argv, site.name, json.dumps(read_json(path) or {}).encode()))
    write_json(path, said["brought"])
    texts = {KEPT: said["kept"], DATA: said["data"]}
    return [text % dict(name=name, shared=shared, source=source) for text, names in texts.items() for name in names]


def follow_links(site: Site, folder: str) -> list:
    """Has the absolute links into a release, which the application has made in shared/, lead into this one; those that don't."""
    found = places(site)
    if not found:
        return []
    argv = user_argv((links,), site.path("shared"), site.root, site.release_name(folder), *found)
    return run(argv, site.name).decode("utf-8", "replace").splitlines()
