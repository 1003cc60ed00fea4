#!/usr/bin/python
# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: config_files
short_description: Writes a set of configuration files and keeps them only if a check passes
version_added: 0.1.0
description:
  - Writes, links and removes all the files that one service reads, in one run on the host.
  - Where O(validate) is given, it is run once after all the files are in place. When it fails, every
    file is put back as it was, so that a proxy's or a daemon's configuration is valid as a whole or
    not changed at all.
author: The selfhost.flask developers (@selfhost)
attributes:
  check_mode:
    description: Says which files would change; O(validate) is not run then.
    support: full
  diff_mode:
    description: Shows the files' old and new content. Files with secrets want C(diff) set to V(false).
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
options:
  files:
    description: The files, in the order in which they are written.
    type: list
    elements: dict
    required: true
    suboptions:
      dest:
        description: Absolute path of the file. Its folder is made, for everybody to read, where there is none.
        type: path
        required: true
      content:
        description: What the file holds. Usually a C(template) lookup.
        type: str
      link:
        description: What O(files[].dest) points to, as a symbolic link instead of a file.
        type: str
      state:
        description: V(absent) removes the file or the link.
        type: str
        choices: [present, absent]
        default: present
      replace:
        description:
          - With V(false), what is there already is left as it is, whatever it is. A link that leads nowhere counts as
            nothing.
        type: bool
        default: true
      owner:
        description: Name of the owner.
        type: str
        default: root
      group:
        description: Name of the group.
        type: str
        default: root
      mode:
        description: Permissions, as an octal number in quotes.
        type: str
        default: "0644"
  validate:
    description: Command that ends with 0 when the new files are good, such as V(nginx -t).
    type: str
"""

EXAMPLES = r"""
- name: Publish the site
  selfhost.flask.config_files:
    files:
      - dest: /etc/nginx/sites-available/blog
        content: "{{ lookup('ansible.builtin.template', 'vhost.conf.j2') }}"
      - {dest: /etc/nginx/sites-enabled/blog, link: ../sites-available/blog}
      - {dest: /etc/nginx/sites-enabled/default, state: absent}
    validate: nginx -t
  notify: Reload nginx
"""

RETURN = r"""
changed_files:
  description: The paths that were written, linked or removed, or would be.
  type: list
  elements: str
  returned: always
  sample: [/etc/nginx/sites-available/blog]
"""

import grp
import os
import pwd
import stat

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.text.converters import to_bytes, to_text
from ansible_collections.selfhost.flask.plugins.module_utils._files import make_folders, write_file
from ansible_collections.selfhost.flask.plugins.module_utils._release import replace_link
from ansible_collections.selfhost.flask.plugins.module_utils._results import diff_result


def observed(path: str) -> dict:
    """What is at a path: its kind and what of it can differ from what is desired."""
    if os.path.islink(path):
        return {"kind": "link", "link": os.readlink(path)}
    if not os.path.lexists(path):
        return {"kind": "absent"}
    if not os.path.isfile(path):
        return {"kind": "other"}
    status = os.stat(path)
    with open(path, "rb") as file:
        content = file.read()
    return {
        "kind": "file",
        "content": content,
        "mode": stat.S_IMODE(status.st_mode),
        "uid": status.st_uid,
        "gid": status.st_gid,
    }


def desired(item: dict) -> dict:
    """The same form for what the task asks for."""
    if item["state"] == "absent":
        return {"kind": "absent"}
    if item["link"] is not None:
        return {"kind": "link", "link": item["link"]}
    return {
        "kind": "file",
        "content": to_bytes(item["content"]),
        "mode": int(item["mode"], 8),
        "uid": pwd.getpwnam(item["owner"]).pw_uid,
        "gid": grp.getgrnam(item["group"]).gr_gid,
    }


def establish(path: str, state: dict) -> None:
    """Brings a path to a state: atomically, so that nobody reads half a file."""
    if state["kind"] == "file":
        write_file(path, state["content"], state["mode"], state["uid"], state["gid"])
    elif state["kind"] == "link":
        replace_link(path, state["link"])
    elif os.path.lexists(path):
        os.unlink(path)


def described(path: str, state: dict) -> str:
    """A state as a person reads it in a diff."""
    if state["kind"] == "file":
        return to_text(state["content"], errors="surrogate_or_replace")
    if state["kind"] == "link":
        return "%s -> %s\n" % (path, state["link"])
    return ""


def differences(module: AnsibleModule) -> list:
    """(path, state now, state wanted) for each file that is not as desired."""
    found = []
    for item in module.params["files"]:
        try:
            now, wanted = observed(item["dest"]), desired(item)
        except ValueError:
            module.fail_json(msg="%s: the mode '%s' is no octal number." % (item["dest"], item["mode"]))
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


def apply(module: AnsibleModule, changes: list) -> None:
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
        module.fail_json(msg=problem + ". The files were put back as they were.", changed_files=[])


def refusal(module: AnsibleModule) -> str:
    """What the check of the new files says against them; nothing where they are good."""
    if not module.params["validate"]:
        return ""
    code, out, err = module.run_command(module.params["validate"])
    said = (module.params["validate"], code, (err or out).strip())
    return "`%s` refused the new configuration (exit code %d): %s" % said if code else ""


def main() -> None:
    file_options = dict(
        dest=dict(type="path", required=True),
        content=dict(type="str"),
        link=dict(type="str"),
        state=dict(type="str", choices=["present", "absent"], default="present"),
        replace=dict(type="bool", default=True),
        owner=dict(type="str", default="root"),
        group=dict(type="str", default="root"),
        mode=dict(type="str", default="0644"),
    )
    module = AnsibleModule(
        argument_spec=dict(
            files=dict(
                type="list",
                elements="dict",
                required=True,
                options=file_options,
                mutually_exclusive=[("content", "link")],
                required_if=[("state", "present", ("content", "link"), True)],
            ),
            validate=dict(type="str"),
        ),
        supports_check_mode=True,
    )
    changes = differences(module)
    if changes and not module.check_mode:
        apply(module, changes)
    diff = [
        dict(
            before_header=path,
            after_header=path,
            before=described(path, before),
            after=described(path, after),
        )
        for path, before, after in changes
    ]
    module.exit_json(
        changed=bool(changes),
        changed_files=[path for path, dummy, dummy in changes],
        **diff_result(module, diff),
    )


if __name__ == "__main__":
    main()
