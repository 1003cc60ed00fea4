# Copyright (c) 2026 The selfhost.flask developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a part of the stack has left on a host for one application, as it declares it itself."""

from __future__ import annotations

import glob
import os
import re

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.flask.plugins.module_utils.host.systemd import UNITS

STAMP = "/var/lib/systemd/timers/stamp-"  # where systemd notes when a timer has elapsed
NAMED = "(?<![a-z0-9])(?:%s|%s)(?![a-z0-9])"


class RemovalError(Exception):
    """Why something can't be removed."""


class Remains:
    """The units and paths of one part, patterns among them; each has the application's name in it."""

    def __init__(self, module: AnsibleModule, about: dict, name: str) -> None:
        self.units, self.paths = about["units"] or [], about["paths"] or []
        self.take, self.reload = about["take"], about["reload"]
        for pattern in self.units + self.paths:
            if not has_name(pattern, name):
                raise RemovalError("A role says in `remains` that %s is of %s alone, and does not have its name" % (pattern, name))
        self.said = ask(module, about["look"], name) if about["look"] else []

    def find_units(self) -> list:
        """The names of the units whose files are there."""
        found = [path for pattern in self.units for path in sorted(glob.glob(UNITS + pattern))]
        return [os.path.basename(path) for path in found]

    def find_paths(self) -> list:
        """What there is; a link that leads nowhere, too."""
        stamps = [STAMP + unit for unit in self.units if unit.endswith(".timer")]
        return [path for pattern in self.paths + stamps for path in sorted(glob.glob(pattern))]

    def written(self) -> list:
        """The patterns of all its files."""
        return self.paths + [UNITS + unit for unit in self.units]


def has_name(pattern: str, name: str) -> bool:
    """Whether a path or a unit is named after an application; in a slice of systemd's, a hyphen is written as an escape."""
    return bool(re.search(NAMED % (re.escape(name), re.escape(name.replace("-", "\\x2d"))), pattern))


def ask(module: AnsibleModule, lines: str, name: str) -> list:
    """What lines for a shell print."""
    return module.run_command(["/bin/sh", "-uc", lines], environ_update={"app": name})[1].splitlines()


def mounts_in(paths: list) -> list:
    """Where other file systems are, whose content would be removed with a folder."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        points = [line.split()[4].encode().decode("unicode_escape") for line in file]
    return [point for point in points if any(point == path or point.startswith(path + os.sep) for path in paths)]
