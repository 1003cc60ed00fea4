# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A .env file as it is and as a task wants it. No value is ever a part of a result or of a difference."""

from __future__ import annotations

import grp
import os
import pwd
import re
import secrets
import stat
from typing import NamedTuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.common.dotenv import edit, parse, read
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import write_file
from ansible_collections.selfhost.flask.plugins.module_utils.flask.env_keys import (
    demanded_keys,
    managed_keys,
    mark_managed,
)
from ansible_collections.selfhost.flask.plugins.module_utils.site.release import remove

KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


class File(NamedTuple):
    """A file as it is, or as it should be."""

    text: str = ""
    mode: int = -1
    uid: int = -1
    gid: int = -1


def take_values(module: AnsibleModule) -> dict:
    """The values as text; from here on the module's parameters have none of them.

    Ansible would hide the short ones, such as 1, wherever they occur in a result: in a path, in a key.
    """
    values = {key: as_text(module, key, value) for key, value in module.params["values"].items()}
    module.params["values"] = dict.fromkeys(values, HIDDEN)
    module.no_log_values = {value for value in module.no_log_values if len(value) > 5}
    return values


def as_text(module: AnsibleModule, key: str, value: object) -> str:
    """A value as the application will read it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, (str, int, float)):
        module.fail_json(msg="The value of %s is no text, number or boolean. Put quotes around it." % key)
    try:
        if b"\0" not in str(value).encode("utf-8"):
            return str(value)
    except UnicodeEncodeError:
        pass
    module.fail_json(msg="The value of %s can't be in an environment: it has a NUL or a half character. Remove that." % key)


def check_keys(module: AnsibleModule) -> None:
    """Refuses names that a shell can't have, and keys that are asked for twice."""
    keys = [key for option in ("values", "absent", "generate") for key in module.params[option]]
    for key in keys:
        if not KEY.fullmatch(key):
            module.fail_json(msg="'%s' is no valid key: use letters, digits and underscores." % key)
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        module.fail_json(msg="%s: name a key once, in values, absent or generate." % ", ".join(twice))


def observed(path: str) -> File:
    """The file as it is; one without a mode where there is none."""
    if not os.path.exists(path):
        return File()
    status = os.stat(path)
    with open(path, "rb") as file:
        text = file.read().decode("utf-8", "surrogateescape")
    return File(text, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)


def edited(module: AnsibleModule, text: str, values: dict) -> str:
    """The file's content with the keys that are present, and without those that are absent."""
    absent, managed = module.params["absent"], sorted({*module.params["values"], *module.params["generate"]})
    if not module.params["prune"]:
        return edit(text, values, absent)
    gone = [key for key in managed_keys(text) if key not in managed]
    return mark_managed(edit(text, values, absent + gone), managed)


def write(module: AnsibleModule, path: str, now: File, wanted: File) -> None:
    """In its place, or beside a file that a version runs with."""
    beside = module.params["next"]
    if beside:
        remove(beside)
    if wanted != now:
        target = beside if beside and now.mode >= 0 and wanted.text != now.text else path
        write_file(target, wanted.text.encode("utf-8", "surrogateescape"), *wanted[1:])


def desired(module: AnsibleModule, now: File, values: dict) -> File:
    """The file as it should be."""
    mode, owner, group = (module.params[option] for option in ("mode", "owner", "group"))
    text = edited(module, now.text, values)
    found = read(text)
    lost = sorted(key for key, value in values.items() if found.get(key) != value)
    if lost:
        module.fail_json(
            msg="A quote that is not closed, or a backslash at the end of a quoted value, hides %s in %s. "
            "Fix that line first." % (", ".join(lost), module.params["path"])
        )
    try:
        mode = mode if isinstance(mode, int) else int(mode, 8)
        uid = now.uid if owner is None else pwd.getpwnam(owner).pw_uid
        gid = now.gid if group is None else grp.getgrnam(group).gr_gid
    except (ValueError, TypeError):
        module.fail_json(msg="The mode %r is invalid. Set it to an octal number in quotes, such as '0640'." % (mode,))
    except KeyError as error:
        if not module.check_mode:
            module.fail_json(msg="%s. Create it first." % error.args[0])
        uid, gid = -1, -1
    return File(text, mode, uid, gid)


def check_required(module: AnsibleModule, text: str) -> None:
    """Refuses a file in which a required key is missing or empty."""
    required = module.params["required"]
    example = next(filter(os.path.isfile, module.params["required_from"]), "")
    if example:
        required = required + demanded_keys(observed(os.path.realpath(example)).text)
    found = read(text)
    missing = [key for key in dict.fromkeys(required) if not found.get(key)]
    if missing:
        said = " or " + example if example else ""
        module.fail_json(
            msg="%s has no value for %s, which the list of required keys%s names. Set it in flask_env, or set "
            "flask_env_required to the keys that are needed. The file was not changed."
            % (module.params["path"], ", ".join(missing), said)
        )


def differences(before: str, after: str) -> dict:
    """Which keys come, go and change, each in the order of the file."""
    old, new = (
        {line.key: (line.prefix, line.value, line.after.rstrip("\n")) for line in parse(text) if line.key}
        for text in (before, after)
    )
    return {
        "added": [key for key in new if key not in old],
        "removed": [key for key in old if key not in new],
        "updated": [key for key in new if key in old and new[key] != old[key]],
    }


def shown(file: File, updated: list) -> str:
    """A file as a person may see it."""
    keys = dict.fromkeys(line.key for line in parse(file.text) if line.key)
    about = [("mode", "%04o", file.mode), ("owner", "%d", file.uid), ("group", "%d", file.gid)]
    lines = ["# %s %s\n" % (name, form % value) for name, form, value in about if value >= 0]
    return "".join(lines + ["%s=<hidden>%s\n" % (key, ", changed" if key in updated else "") for key in keys])


def establish_settings(module: AnsibleModule, values: dict) -> dict:
    """Brings the file to what the task wants; which keys were generated, and what comes, goes and changes."""
    check_keys(module)
    path = os.path.realpath(module.params["path"])
    try:
        now = observed(path)
        present = read(now.text)
        generated = [key for key in module.params["generate"] if not present.get(key)]
        values = dict(values, **{key: secrets.token_urlsafe(32) for key in generated})
        wanted = desired(module, now, values)
        check_required(module, wanted.text)
        if not module.check_mode:
            write(module, path, now, wanted)
    except OSError as error:
        module.fail_json(msg="%s can't be changed: %s. Put that right, and run the playbook again." % (path, error.strerror))
    changes = differences(now.text, wanted.text)
    diff = dict(before_header=path, after_header=path, before=shown(now, []), after=shown(wanted, changes["updated"]))
    return dict(changes, changed=wanted != now, generated=generated, diff=diff)
