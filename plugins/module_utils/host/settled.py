# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each task has left on the host, so that one look tells which tasks have nothing to do.

A record has what a look compares: a file's digest in place of its content. It never says that something is
right, only what to look for.
"""

from __future__ import annotations

import fnmatch
import glob
import hashlib
import os
import re

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.text.converters import to_bytes
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import make_folders, read_json, write_json
from ansible_collections.selfhost.flask.plugins.module_utils.host.configuration import desired, observed
from ansible_collections.selfhost.flask.plugins.module_utils.host.services import Services

FOLDER = "/var/lib/selfhost/settled"


def note(module: AnsibleModule) -> None:
    """Keeps what a task has brought about, under a name that stays the same when its contents change."""
    params = module.params
    record = dict(
        identity=params["identity"],
        files=[digested(item) for item in params["files"]],
        services=params["services"],
        ask=params["ask"],
    )
    paths = "\n".join(item["dest"] for item in params["files"])
    path = os.path.join(FOLDER, hashlib.sha256(paths.encode()).hexdigest()[:16] + ".json")
    if read_json(path) != record:
        make_folders(FOLDER, 0o700)
        write_json(path, record)


def records_of(patterns: list, name: str) -> list:
    """The records of tasks that have written one of these files, or into one of these folders; patterns among them.

    Also those that ask the host about the application of this name: a task without a record is run again, no more.
    """
    named = re.compile(r"(?<![\w-])%s(?![\w-])" % re.escape(name))
    found, patterns = [], [*patterns, *(pattern + "/*" for pattern in patterns)]
    for path in sorted(glob.glob(FOLDER + "/*.json")):
        record = read_json(path) or {}
        written = [item["dest"] for item in record.get("files", [])]
        is_written = any(fnmatch.fnmatchcase(one, pattern) for one in written for pattern in patterns)
        if is_written or named.search(record.get("ask") or ""):
            found.append(path)
    return found


def look(module: AnsibleModule) -> dict:
    """The identities of the tasks that have nothing to do, and what the host answers to each one's question."""
    records = [read_json(path) or {} for path in sorted(glob.glob(FOLDER + "/*.json"))]
    settled = [record for record in records if is_settled(module, record)]
    return {record["identity"]: answer(module, record["ask"]) for record in settled}


def answer(module: AnsibleModule, question: str | None) -> str:
    """What the host says when it is asked something, for which a run of its own would be too much."""
    return module.run_command(["/bin/sh", "-uc", question])[1] if question else ""


def is_settled(module: AnsibleModule, record: dict) -> bool:
    """Whether all is as it was left; not where a record is of another version, or its owner is gone."""
    try:
        if not all(map(stands, record["files"])):
            return False
        return not Services(module, record["services"], [item["dest"] for item in record["files"]]).plan([])
    except (KeyError, OSError):
        return False


def stands(item: dict) -> bool:
    """Whether a path is as a record of it says."""
    if not item["replace"] and os.path.exists(item["dest"]):
        return True
    now = observed(item["dest"])
    if now["kind"] == "file":
        now["content"] = digest(now["content"])
    return now == desired(item)


def digested(item: dict) -> dict:
    """One of the task's files, without what may be a secret."""
    return item if item["content"] is None else dict(item, content=digest(to_bytes(item["content"])).decode())


def digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
