# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration files of a task: written as a whole, loaded by whoever reads them, or put back as they were."""

from __future__ import annotations

import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.text.converters import to_bytes
from ansible_collections.selfhost.flask.plugins.module_utils.common.files import make_folders
from ansible_collections.selfhost.flask.plugins.module_utils.host.configuration import (
    described,
    desired,
    establish,
    observed,
)
from ansible_collections.selfhost.flask.plugins.module_utils.host.services import LoadError, Services, describe

PUT_BACK = "The files were put back as they were."
NOT_LOADED = "An interrupted run may have left them. They were not loaded."


def differences(module: AnsibleModule) -> list:
    """(path, state now, state wanted) for each file that is not as desired."""
    found = []
    for item in module.params["files"]:
        try:
            now, wanted = observed(item["dest"]), desired(item)
        except ValueError:
            module.fail_json(
                msg="%s: the mode '%s' is no octal number. Set it to one, such as '0644'." % (item["dest"], item["mode"])
            )
        except KeyError as error:
            if not module.check_mode:
                module.fail_json(msg="%s: %s. Create it first." % (item["dest"], error.args[0]))
            now, wanted = observed(item["dest"]), {"kind": "file", "content": to_bytes(item["content"])}
        if os.path.exists(item["dest"]) and not item["replace"]:
            continue
        if now["kind"] == "other":
            module.fail_json(msg="%s is a folder or a device, not a file. Move it away." % item["dest"])
        if now != wanted:
            found.append((item["dest"], now, wanted))
    return found


def apply(module: AnsibleModule, changes: list, services: Services) -> None:
    """Establishes the changes; puts everything back where one or the check of the whole fails."""
    done = []
    try:
        for path, before, wanted in changes:
            make_folders(os.path.dirname(path))
            establish(path, wanted)
            done.append((path, before))
        problem = refusal(module)
    except OSError as error:
        problem = "%s can't be written (%s)" % (path, error.strerror)
    if problem:
        for path, before in reversed(done):
            establish(path, before)
        services.forget()
        module.fail_json(msg="%s. %s" % (problem, PUT_BACK if changes else NOT_LOADED), changed_files=[])


def refusal(module: AnsibleModule) -> str:
    """What the check of the files says against them; nothing where they are good."""
    if not module.params["validate"]:
        return ""
    code, out, err = module.run_command(module.params["validate"])
    said = (module.params["validate"], code, (err or out).strip())
    return "`%s` refused the new configuration (exit code %d): %s" % said if code else ""


def bring_about(module: AnsibleModule) -> tuple:
    """Writes what differs, and loads what is not in effect; the changes, and who was told what, or would be."""
    services = Services(module, module.params["services"], [item["dest"] for item in module.params["files"]])
    changes = differences(module)
    paths = [path for path, dummy, dummy in changes]
    plan = services.plan(paths)
    if not module.check_mode:
        services.mark(paths)
        if changes or plan or not services.readers:
            apply(module, changes, services)
        try:
            services.load(plan)
        except LoadError as error:
            module.fail_json(msg=str(error), changed=True, changed_files=paths)
    return changes, describe(plan)


def diff_of(changes: list, loaded: list) -> list:
    """What a person sees of it."""
    files = [
        dict(before_header=path, after_header=path, before=described(path, before), after=described(path, after))
        for path, before, after in changes
    ]
    return files + ([dict(prepared="".join(text + "\n" for text in loaded))] if loaded else [])
